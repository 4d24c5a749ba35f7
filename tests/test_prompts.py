"""Prompts by name, from files and as text; variables that are filled in, and those that are not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from corridor_cli.prompts import (
    BUNDLED,
    VARIABLES,
    PromptError,
    fill,
    likely,
    resolve,
    template_name,
    variables,
)
from corridor_cli.settings import DEFAULT_PROMPT, CaptionSettings


def text_of(**settings: object) -> str:
    return resolve(CaptionSettings(**settings)).prompt  # type: ignore[arg-type]


def test_the_default_is_what_it_always_was_and_has_a_wording_for_scenes() -> None:
    assert text_of() == DEFAULT_PROMPT == BUNDLED["general"][0]
    assert text_of(mode="scene") == text_of(mode="scene", prompt="@general") == BUNDLED["general"][1]


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_templates_can_be_used_in_every_way(name: str) -> None:
    for mode in ("frames", "scene"):
        for language in (None, "French"):
            for transcripts in (None, "beside"):
                asked = resolve(
                    CaptionSettings(mode=mode, prompt=f"@{name}", language=language, transcripts=transcripts)
                )
                assert template_name(asked) == name
                assert resolve(asked) == asked, "what `config show` prints can be given again"
                used = set(variables(asked.prompt))
                assert used == {*({"language"} if language else ()), *({"transcript"} if transcripts else ())}
                assert likely(asked.prompt).startswith(BUNDLED[name][mode == "scene"])


def test_own_templates_go_before_bundled_ones_and_keep_their_name() -> None:
    asked = resolve(CaptionSettings(prompt="@dense", templates={"dense": "Say {name}."}))
    assert asked.prompt == "Say {name}."
    assert template_name(asked) == "dense"
    assert template_name(resolve(CaptionSettings(prompt="What is it?"))) == "custom"


def test_a_prompt_may_stand_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.txt").write_text("\ufeff  Count the boats.\n\n", encoding="utf-8")
    assert text_of(prompt=f"@{tmp_path}/mine.txt") == "Count the boats."
    monkeypatch.chdir(tmp_path)
    assert text_of(prompt="@mine.txt") == "Count the boats."


def test_variables_are_filled_in_once() -> None:
    text = "{{name}} is {name}, scene {scene_index}: {transcript}"
    values = {name: f"<{name}>" for name in VARIABLES} | {"transcript": "{name} {nobody} {{"}
    assert variables(text) == ("name", "scene_index", "transcript")
    assert fill(text, values) == "{name} is <name>, scene <scene_index>: {name} {nobody} {{"


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("What is {nmae}?", "got the variable {nmae}, allowed: {name}"),
        ("What is {nmae}?", "Did you mean {name}?"),
        ("Answer as {}.", "A brace that is meant is written twice: {{"),
        ("Answer as {name:>10}.", "got the variable {name:>10}, allowed: {name}"),
        ("Answer as {name!r}.", "got the variable {name!r}, allowed: {name}"),
        ("@no\0/file", "no\\x00/file cannot be read"),
        ('Answer as {"title": 1}.', "A brace that is meant"),
        ("Answer as {", "whose braces do not match"),
        ("In {language}, please.", "caption.language is not set"),
        ("They say: {transcript}", "caption.transcripts is not set"),
        ("", "got an empty text"),
        (" \n", "got an empty text"),
        ("@dens", "Did you mean @dense?"),
        ("@dens", "@general, @dense, @accessibility, @surveillance, @archive"),
        ("@no/such/file", "no/such/file cannot be read (no such file or directory)"),
    ],
)
def test_what_cannot_be_used_is_told_with_what_can(prompt: str, said: str) -> None:
    with pytest.raises(PromptError) as caught:
        resolve(CaptionSettings(prompt=prompt))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"\xff\xfe\xfd", "is not UTF-8"),
        (b"x" * 70_000, "larger than 64 KiB"),
        (b"x" + "é".encode() * 40_000, "larger than 64 KiB"),
    ],
)
def test_files_that_hold_no_prompt_are_refused(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "bad.txt").write_bytes(data)
    with pytest.raises(PromptError, match=said):
        resolve(CaptionSettings(prompt=f"@{tmp_path}/bad.txt"))


def test_templates_that_are_not_used_must_be_good_as_well() -> None:
    with pytest.raises(PromptError, match=r"got the variable \{nope\}") as caught:
        resolve(CaptionSettings(templates={"mine": "{name}", "bad": "{nope}"}))
    assert caught.value.setting == "caption.templates.bad"
