"""Prompts: the template's text, image tokens in place, and user text that stays text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engine_samples import CHAT_TEMPLATE, SPECIAL_TOKENS, TOKENS_PER_TILE, write_json
from hypothesis import given, settings
from hypothesis import strategies as st

from corridor_cli.engine.checkpoint import CheckpointInfo, read_checkpoint
from corridor_cli.engine.local.load import load_tokenizer
from corridor_cli.engine.local.prompt import PromptBuilder
from corridor_cli.errors import ModelError


@pytest.fixture(scope="module")
def info(random_checkpoint: Path) -> CheckpointInfo:
    return read_checkpoint(str(random_checkpoint), None)


@pytest.fixture(scope="module")
def tokenizer(info: CheckpointInfo) -> Any:
    return load_tokenizer(info)


@pytest.fixture(scope="module")
def builder(tokenizer: Any, info: CheckpointInfo) -> PromptBuilder:
    return PromptBuilder(tokenizer, info)


def visual(tiles: int) -> str:
    return "<img>" + "<IMG_CONTEXT>" * (TOKENS_PER_TILE * tiles) + "</img>"


def test_the_tokenizer_is_the_one_transformers_would_choose(random_checkpoint: Path) -> None:
    from transformers import AutoTokenizer

    from corridor_cli.engine.locate import bundled_folder

    for folder in (random_checkpoint, bundled_folder()):
        ours = load_tokenizer(read_checkpoint(str(folder), None))
        theirs = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        for text in ("Zwei Füße,\n  don't <|im_end|>!", "<img><IMG_CONTEXT></img>", " a  b ", "日本 🎬"):
            ids = ours.encode(text, add_special_tokens=False)
            assert ids == theirs.encode(text, add_special_tokens=False)
            assert ours.decode(ids, skip_special_tokens=True) == theirs.decode(ids, skip_special_tokens=True)


def test_one_frame(builder: PromptBuilder, tokenizer: Any) -> None:
    text = f"<|im_start|>user\n{visual(3)}\nWhat is it?<|im_end|>\n<|im_start|>assistant\n"
    assert builder.build("What is it?", [3]) == tokenizer.encode(text, add_special_tokens=False)


def test_several_frames_are_numbered(builder: PromptBuilder, tokenizer: Any) -> None:
    text = (
        f"<|im_start|>user\nFrame1: {visual(1)}\nFrame2: {visual(5)}\nWhat happens?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert builder.build(" What happens?\n", [1, 5]) == tokenizer.encode(text, add_special_tokens=False)


def test_without_a_template_the_familys_own_form_is_used(
    builder: PromptBuilder, tokenizer: Any, random_checkpoint: Path, tmp_path: Path
) -> None:
    for path in random_checkpoint.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "tokenizer_config.json").unlink()
    write_json(tmp_path / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"})
    bare = read_checkpoint(str(tmp_path), None)
    assert bare.chat_template is None
    assert PromptBuilder(load_tokenizer(bare), bare).build("Hi", [1, 1]) == builder.build("Hi", [1, 1])


@pytest.mark.parametrize("place", ["chat_template.jinja", "chat_template.json"])
def test_a_template_may_lie_in_its_own_file(random_checkpoint: Path, tmp_path: Path, place: str) -> None:
    for path in random_checkpoint.iterdir():
        (tmp_path / path.name).symlink_to(path)
    template = CHAT_TEMPLATE.replace("assistant", "model")
    if place.endswith("json"):
        write_json(tmp_path / place, {"chat_template": template})
    else:
        (tmp_path / place).write_text(template)
    assert read_checkpoint(str(tmp_path), None).chat_template == template


spelled = st.lists(st.one_of(st.sampled_from(SPECIAL_TOKENS), st.text(max_size=5)), max_size=6).map("".join)


@settings(deadline=None, max_examples=300)
@given(spelled)
def test_user_text_never_becomes_a_special_token(builder: PromptBuilder, tokenizer: Any, text: str) -> None:
    ids = builder.text_ids(text)
    assert not set(ids) & set(tokenizer.convert_tokens_to_ids(SPECIAL_TOKENS))
    assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text.strip()


def test_a_template_that_drops_the_frame_is_refused(tokenizer: Any, info: CheckpointInfo) -> None:
    import dataclasses

    broken = dataclasses.replace(info, chat_template="{{ messages[0]['content'][-1]['text'] }}")
    with pytest.raises(ModelError, match="0 image tokens and 1 texts where 1 and 1 are needed"):
        PromptBuilder(tokenizer, broken)


@pytest.mark.parametrize("template", ["{% for", "{{ ''.__class__.__mro__ }}{{ 1 / 0 }}"])
def test_a_template_that_cannot_be_rendered_is_refused(
    tokenizer: Any, info: CheckpointInfo, template: str
) -> None:
    import dataclasses

    with pytest.raises(ModelError, match="chat template"):
        PromptBuilder(tokenizer, dataclasses.replace(info, chat_template=template))
