"""Presets: the true sizes, numbers that are the same everywhere, and a tokenizer that loses nothing."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import InternVLConfig, InternVLForConditionalGeneration

from corridor_cli.engine.local.prompt import PromptBuilder
from corridor_cli.engine.local.sources import load_tokenizer, open_source
from corridor_cli.engine.presets import PRESETS, describe_model, preset_info
from corridor_cli.engine.tensor_names import EMBEDDINGS, LM_HEAD, canonical_shapes
from corridor_cli.errors import ExitCode, UsageError
from corridor_cli.settings import DEFAULT_PROMPT, ModelSettings

PUBLISHED_MILLIONS = {"internvl3-1b": 938.1, "internvl3-2b": 2088.8, "internvl3-8b": 7944.0}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_has_the_published_size(preset: str) -> None:
    shape = PRESETS[preset]
    assert shape.num_parameters / 1e6 == pytest.approx(PUBLISHED_MILLIONS[preset], rel=1e-4)
    assert sum(map(math.prod, canonical_shapes(shape).values())) == shape.num_parameters


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_the_network_transformers_builds(preset: str) -> None:
    text = PRESETS[preset].text
    config = InternVLConfig(
        vision_config={"attention_bias": True},
        text_config={
            "model_type": "qwen2", "hidden_size": text.hidden, "num_hidden_layers": text.num_layers,
            "num_attention_heads": text.num_heads, "num_key_value_heads": text.num_kv_heads,
            "intermediate_size": text.intermediate, "vocab_size": 151674,
        },
        tie_word_embeddings=False,
    )  # fmt: skip
    with torch.device("meta"):
        network = InternVLForConditionalGeneration(config)
    assert network.num_parameters() == PRESETS[preset].num_parameters
    built = sorted(tuple(parameter.shape) for parameter in network.parameters())
    assert sorted(canonical_shapes(PRESETS[preset]).values()) == built


def test_dummy_tensors_are_random_and_the_same_each_time() -> None:
    info = preset_info("internvl3-1b")
    assert info.shape is not None
    shapes = canonical_shapes(info.shape)
    first, second = (open_source(info, "cpu", torch.float32) for _ in range(2))
    layer = "language_model.model.layers.{}.self_attn.q_proj.weight"
    one, two = (first.tensor(layer.format(n), shapes[layer.format(n)]) for n in (0, 1))
    assert torch.equal(one, second.tensor(layer.format(0), shapes[layer.format(0)]))
    assert one.std().item() == pytest.approx(0.02, rel=0.02)
    assert abs(torch.corrcoef(torch.stack([one.flatten(), two.flatten()]))[0, 1].item()) < 0.01
    norm = first.tensor("language_model.model.norm.weight", (896,))
    assert torch.equal(norm, torch.ones(896))
    assert torch.equal(first.tensor("multi_modal_projector.layer_norm.bias", (4096,)), torch.zeros(4096))
    assert 0 < first.tensor("vision_tower.encoder.layer.0.lambda_1", (1024,)).max() < 1


def test_no_two_words_of_a_dummy_vocabulary_are_alike() -> None:
    """The table is longer than the pool its numbers come from, and no row may come back."""
    info = preset_info("internvl3-1b")
    table = open_source(info, "cpu", torch.float32).tensor(EMBEDDINGS, (60_000, 896))
    assert len(torch.unique(table[:, :4], dim=0)) == len(table)
    head = open_source(info, "cpu", torch.float32).tensor(LM_HEAD, (60_000, 896))
    choices = (table[:64] @ head.T).argmax(dim=1)
    assert len(set(choices.tolist())) > 60


@pytest.fixture(scope="module")
def tokenizer() -> object:
    return load_tokenizer(preset_info("internvl3-2b"))


def test_a_prompt_has_a_likely_number_of_tokens(tokenizer: object) -> None:
    info = preset_info("internvl3-2b")
    ids = PromptBuilder(tokenizer, info).build(DEFAULT_PROMPT, [1])
    assert ids.count(info.image_token_id) == info.tokens_per_tile == 256
    assert 25 <= len(ids) - 256 <= 60
    assert max(ids) < 151674


@settings(deadline=None, max_examples=100)
@given(st.text())
def test_any_text_goes_there_and_back(tokenizer: object, text: str) -> None:
    ids = tokenizer.encode(text, add_special_tokens=False)  # type: ignore[attr-defined]
    assert all(0 <= number < 151643 for number in ids) or "<" in text
    assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text  # type: ignore[attr-defined]


def test_every_word_that_may_be_chosen_is_a_text(tokenizer: object) -> None:
    words = tokenizer.convert_ids_to_tokens(list(range(151674)))  # type: ignore[attr-defined]
    assert len(set(words)) == 151674
    assert all(words)


def test_settings_name_the_model_or_a_preset() -> None:
    info = describe_model(ModelSettings(load_format="dummy", preset="internvl3-2b"))
    assert info.model_id == "dummy:internvl3-2b"
    assert "dummy" in info.identity
    assert not info.is_small
    assert describe_model(ModelSettings(model="tiny")).layout == "hf"


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        (ModelSettings(load_format="dummy"), "without a preset"),
        (ModelSettings(preset="internvl3-2b"), "load_format auto"),
        (ModelSettings(load_format="dummy", preset="internvl3-2b", model="tiny"), "model tiny"),
    ],
)
def test_settings_that_contradict_are_refused(chosen: ModelSettings, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        describe_model(chosen)
    assert caught.value.exit_code is ExitCode.USAGE
