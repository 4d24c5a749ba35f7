"""Networks of every layout: the same shape, the same tensors, the same prompt; what cannot run says why."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from engine_samples import DictStore, write_json
from layout_samples import write_newer_names, write_original
from safetensors.torch import load_file, save_file
from test_engine_checkpoint import change, split
from transformers import InternVLConfig, InternVLForConditionalGeneration

from corridor_cli.engine.checkpoint import CheckpointInfo, read_checkpoint
from corridor_cli.engine.layouts.hf import hf_shape
from corridor_cli.engine.local.load import load
from corridor_cli.engine.local.prompt import PromptBuilder
from corridor_cli.engine.local.sources import load_tokenizer, open_source
from corridor_cli.engine.tensor_names import EMBEDDINGS, LM_HEAD, canonical_shapes
from corridor_cli.errors import ModelError
from corridor_cli.settings import ModelSettings

WRITERS = {"hf": shutil.copytree, "newer names": write_newer_names, "original": write_original}


@pytest.fixture(params=WRITERS)
def rewritten(request: pytest.FixtureRequest, random_checkpoint: Path, tmp_path: Path) -> Path:
    WRITERS[request.param](random_checkpoint, tmp_path / "rewritten")
    return tmp_path / "rewritten"


@pytest.fixture
def original(random_checkpoint: Path, tmp_path: Path) -> Path:
    return write_original(random_checkpoint, tmp_path / "original")


def shape_of(info: CheckpointInfo) -> dict[str, tuple[int, ...]]:
    assert info.shape is not None
    return canonical_shapes(info.shape)


def test_every_layout_gives_every_tensor(random_checkpoint: Path, rewritten: Path) -> None:
    expected = InternVLForConditionalGeneration.from_pretrained(random_checkpoint).state_dict()
    info = read_checkpoint(str(rewritten), None)
    source = open_source(info, "cpu", torch.float32)
    shapes = shape_of(info)
    assert len(shapes) == len(expected)
    stored = load_file(random_checkpoint / "model.safetensors")
    assert shapes.keys() == stored.keys()
    for name, size in shapes.items():
        assert torch.equal(source.tensor(name, size), stored[name]), name


def test_every_layout_has_the_same_facts(random_checkpoint: Path, rewritten: Path) -> None:
    wanted, found = read_checkpoint(str(random_checkpoint), None), read_checkpoint(str(rewritten), None)
    assert found.shape == wanted.shape
    assert found.num_parameters == wanted.num_parameters == wanted.shape.num_parameters  # type: ignore[union-attr]
    for name in ("tile_px", "tokens_per_tile", "max_tiles", "image_mean", "image_std", "image_token_id"):
        assert getattr(found, name) == getattr(wanted, name), name
    assert set(wanted.end_token_ids) <= set(found.end_token_ids)


def test_every_layout_has_the_same_prompt(random_checkpoint: Path, rewritten: Path) -> None:
    prompts = []
    for folder in (random_checkpoint, rewritten):
        info = read_checkpoint(str(folder), None)
        builder = PromptBuilder(load_tokenizer(info), info)
        prompts.append([builder.build("What’s that, <img> 12 cm?", [2]), builder.build("Hi", [1, 1])])
    assert prompts[0] == prompts[1]


def test_the_same_tokens_come_from_either_kind_of_tokenizer_file(
    original: Path, random_checkpoint: Path
) -> None:
    info = read_checkpoint(str(original), None)
    text = "Zwei Füße,\n  don't <|im_end|>!"
    expected = load_tokenizer(info).encode(text)
    shutil.copy(random_checkpoint / "tokenizer.json", original)
    assert load_tokenizer(info).encode(text) == expected


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_tensors_come_in_the_type_that_is_asked_for(random_checkpoint: Path, dtype: torch.dtype) -> None:
    info = read_checkpoint(str(random_checkpoint), None)
    tensor = open_source(info, "cpu", dtype).tensor(LM_HEAD, shape_of(info)[LM_HEAD])
    stored = load_file(random_checkpoint / "model.safetensors")[LM_HEAD]
    assert torch.equal(tensor, stored.to(dtype))


def test_shards_are_opened_together(random_checkpoint: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(random_checkpoint, tmp_path / "shards"))
    split(folder)
    info = read_checkpoint(str(folder), None)
    source = open_source(info, "cpu", torch.float32)
    stored = load_file(random_checkpoint / "model.safetensors")
    assert all(torch.equal(source.tensor(name, size), stored[name]) for name, size in shape_of(info).items())


@pytest.mark.parametrize("says_tied", [True, None])
def test_a_tied_head_is_the_embeddings(
    random_checkpoint: Path, tmp_path: Path, says_tied: bool | None
) -> None:
    """Where the key is absent, transformers' default counts, which is tied."""
    folder = Path(shutil.copytree(random_checkpoint, tmp_path / "tied"))
    change(folder / "config.json", tie_word_embeddings=says_tied)
    assert read_checkpoint(str(folder), None).shape.text.is_tied is False  # type: ignore[union-attr]
    tensors = load_file(folder / "model.safetensors")
    del tensors[LM_HEAD]
    save_file(tensors, folder / "model.safetensors")
    info = read_checkpoint(str(folder), None)
    assert info.shape is not None
    assert info.shape.text.is_tied
    assert info.num_parameters == info.shape.num_parameters
    source = open_source(info, "cpu", torch.float32)
    size = shape_of(info)[EMBEDDINGS]
    assert torch.equal(source.tensor(LM_HEAD, size), source.tensor(EMBEDDINGS, size))


TEXTS = {
    "qwen2": {"model_type": "qwen2"},
    "qwen2 of few heads": {"num_attention_heads": 8, "num_key_value_heads": None, "hidden_size": 64},
    "qwen2 of other sizes": {"num_hidden_layers": 3, "rope_theta": 5e5, "vocab_size": 99},
    "qwen3": {"model_type": "qwen3", "num_hidden_layers": 1, "rms_norm_eps": 1e-5},
    "old scaling": {"rope_theta": 1e6, "rope_scaling": {"type": "dynamic", "factor": 2.0}},
    "new scaling": {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 3e6}},
    "old default": {"rope_scaling": None, "max_position_embeddings": 40960},
}  # fmt: skip
VISIONS: dict[str, dict[str, object]] = {
    "nothing": {},
    "large": {"hidden_size": 3200, "num_attention_heads": 25, "use_qk_norm": True, "norm_type": "rms_norm"},
    "bias": {"attention_bias": True, "image_size": 224, "patch_size": [28, 28]},
}


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("text", TEXTS)
def test_the_shape_is_the_one_transformers_builds(text: str, vision: str) -> None:
    table = {"text_config": TEXTS[text], "vision_config": VISIONS[vision], "tie_word_embeddings": False}
    config = InternVLConfig.from_dict(json.loads(json.dumps(table)))
    with torch.device("meta"):
        network = InternVLForConditionalGeneration(config)
    for written in (table, config.to_dict()):
        shape = hf_shape(json.loads(json.dumps(written)), has_lm_head=True)
        assert shape.num_parameters == network.num_parameters()
        built = sorted(tuple(parameter.shape) for parameter in network.parameters())
        assert sorted(canonical_shapes(shape).values()) == built
        assert shape.text.rope_theta == config.text_config.rope_parameters["rope_theta"]
        assert shape.text.max_positions == config.text_config.max_position_embeddings
        assert shape.text.norm_eps == config.text_config.rms_norm_eps
        assert shape.vision.image_px == config.vision_config.image_size[0]


UNSUPPORTED = {
    "llama": ({"text_config__model_type": "llama"}, "its language model is 'llama'"),
    "experts": ({"text_config__model_type": "qwen3_moe"}, "its language model is 'qwen3_moe'"),
    "yarn": ({"text_config__rope_parameters": {"rope_type": "yarn", "factor": 4.0}}, "scaling is 'yarn'"),
    "linear": ({"text_config__rope_scaling": {"type": "linear", "factor": 2.0}}, "scaling is 'linear'"),
    "partial": ({"text_config__rope_parameters": {"partial_rotary_factor": 0.5}}, "partial_rotary_factor"),
    "relu": ({"vision_config__hidden_act": "relu"}, "its hidden_act is 'relu'"),
    "text gelu": ({"text_config__hidden_act": "gelu"}, "its hidden_act is 'gelu'"),
    "window": ({"text_config__layer_types": ["full_attention", "sliding_attention"]}, "sliding window"),
    "pooling": ({"vision_config__use_mean_pooling": False}, "use_mean_pooling"),
    "layer": ({"vision_feature_layer": -2}, "vision_feature_layer is -2"),
    "quantized": ({"quantization_config": {"quant_method": "awq"}}, "quantized"),
}


@pytest.mark.parametrize("case", UNSUPPORTED)
def test_what_only_transformers_can_run_is_said_with_its_reason(
    random_checkpoint: Path, tmp_path: Path, case: str
) -> None:
    values, words = UNSUPPORTED[case]
    folder = Path(shutil.copytree(random_checkpoint, tmp_path / "checkpoint"))
    change(folder / "config.json", **values)
    info = read_checkpoint(str(folder), None)
    assert (info.layout, info.shape) == ("hf", None)
    assert info.unsupported_because.startswith("its ")
    assert words in info.unsupported_because


def test_another_model_that_takes_pictures_is_for_the_fallback(
    random_checkpoint: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(random_checkpoint, tmp_path / "checkpoint"))
    change(folder / "config.json", architectures=["LlavaForConditionalGeneration"], image_token_id=None)
    write_json(folder / "preprocessor_config.json", {"size": {"shortest_edge": 336}, "crop_size": 336})
    info = read_checkpoint(str(folder), None)
    assert (info.layout, info.shape, info.tile_px) == ("other", None, 336)
    assert info.unsupported_because == "its architecture is LlavaForConditionalGeneration"
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="never loaded"):
        read_checkpoint(str(folder), None)


def lose_third(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    name = "vision_model.encoder.layers.1.attn.qkv.weight"
    save_file({**tensors, name: tensors[name][:-1].clone()}, folder / "model.safetensors")


def set_config(**values: object) -> Callable[[Path], None]:
    return lambda folder: change(folder / "config.json", **values)


def drop(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        del tensors[name]
        save_file(tensors, folder / "model.safetensors")

    return spoil


def as_int8(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["mlp1.1.weight"] = tensors["mlp1.1.weight"].to(torch.int8)
    save_file(tensors, folder / "model.safetensors")


SPOILED: dict[str, tuple[Callable[[Path], None], str]] = {
    "pixel shuffle v1": (set_config(ps_version="v1"), "ps_version is 'v1' where 'v2'"),
    "another layer": (set_config(select_layer=-4), "select_layer is -4"),
    "adapters": (set_config(use_backbone_lora=16), "use_backbone_lora is 16"),
    "internlm": (set_config(llm_config__architectures=["InternLM2ForCausalLM"]), "'InternLM2ForCausalLM'"),
    "another size": (set_config(force_image_size=448), "force_image_size is 448 with an image_size of 56"),
    "heads that do not fit": (set_config(llm_config__num_attention_heads=3), "do not fit together"),
    "other width": (set_config(llm_config__intermediate_size=65), r"\[64, 32\] where .* asks for \[65, 32\]"),
    "cut qkv": (lose_third, r"attn\.qkv\.weight has shape \[95, 32\] where config.json asks for \[96, 32\]"),
    "no projector bias": (
        drop("mlp1.3.bias"),
        r"lack 1 tensors, such as multi_modal_projector.linear_2.bias",
    ),
    "int8": (as_int8, "mlp1.1.weight is of type I8, allowed: BF16"),
    "no merges": (
        lambda folder: (folder / "merges.txt").unlink(),
        "no tokenizer.json, and not both of vocab",
    ),
    "no head": (drop(LM_HEAD), "lack 1 tensors, such as language_model.lm_head"),
}


@pytest.mark.parametrize("case", SPOILED)
def test_a_spoiled_original_is_refused_in_one_line(original: Path, case: str) -> None:
    spoil, words = SPOILED[case]
    spoil(original)
    with pytest.raises(ModelError, match=words) as caught:
        read_checkpoint(str(original), None)
    assert "\n" not in str(caught.value)


def test_files_changed_after_reading_are_told_with_both_shapes(
    random_checkpoint: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(random_checkpoint, tmp_path / "checkpoint"))
    info = read_checkpoint(str(folder), None)
    tensors = load_file(folder / "model.safetensors")
    tensors[LM_HEAD] = tensors[LM_HEAD][:-1].clone()
    del tensors[EMBEDDINGS]
    save_file(tensors, folder / "model.safetensors")
    source = open_source(info, "cpu", torch.float32)
    with pytest.raises(ModelError, match=r"lm_head.weight has shape \[261, 32\] where \[262, 32\] is wanted"):
        source.tensor(LM_HEAD, (262, 32))
    with pytest.raises(ModelError, match=r"embed_tokens.weight is missing from .*model\.safetensors"):
        source.tensor(EMBEDDINGS, (262, 32))
    (folder / "model.safetensors").write_bytes(b"junk")
    with pytest.raises(ModelError, match="cannot be opened"):
        open_source(info, "cpu", torch.float32)


@pytest.mark.parametrize(
    ("name", "number", "precision", "told"),
    [
        ("language_model.model.layers.1.mlp.down_proj.weight", float("nan"), "fp32", "holds NaN or infinity"),
        ("language_model.model.layers.1.self_attn.v_proj.bias", float("nan"), "fp32", r"v_proj\.bias holds"),
        ("vision_tower.encoder.layer.0.lambda_2", float("nan"), "bf16", r"lambda_2 holds NaN"),
        ("vision_tower.embeddings.cls_token", float("inf"), "fp32", "holds NaN or infinity"),
        ("multi_modal_projector.linear_2.weight", 1e6, "fp16", "some that float16 cannot hold"),
    ],
)
def test_weights_that_are_no_numbers_are_refused(
    random_checkpoint: Path, tmp_path: Path, name: str, number: float, precision: str, told: str
) -> None:
    folder = Path(shutil.copytree(random_checkpoint, tmp_path / "spoiled"))
    tensors = load_file(folder / "model.safetensors")
    (stored,) = (key for key in tensors if key.endswith(name.partition("language_model.model.")[2] or name))
    tensors[stored].view(-1)[3] = number
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    settings = ModelSettings(model=str(folder), device="cpu", precision=precision)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=told) as caught:
        load(settings, DictStore())
    assert "Set precision" in caught.value.hint or "again" in caught.value.hint
