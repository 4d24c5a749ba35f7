"""What a model's answer is worth, as text and as JSON, whole, cut off at every place, and broken."""

from __future__ import annotations

import json

import pytest

from corridor_cli.prompts import BUNDLED
from corridor_cli.records import Caption, ErrorInfo, FinishReason, RequestKey, Role
from corridor_cli.settings import CaptionSettings
from corridor_cli.timeline.answers import JSON_SCHEMA, Answer, read_answer
from corridor_cli.timeline.parts import Attributes

FIELDS = {
    "description": 'A red circle, called "sun" \u2600\ufe0f.',
    "title": "Sun",
    "subjects": ["circle", "sky", "circle", " "],
    "action": "",
    "setting": "a white ground",
    "shot_type": "close-up",
    "camera_movement": "  ",
    "on_screen_text": "",
    "tags": [],
}
AS_TEXT = CaptionSettings()
AS_JSON = CaptionSettings(format="json")


def answer(text: str, finish: FinishReason = "stop", settings: CaptionSettings = AS_TEXT) -> Answer:
    return read_answer(Caption(RequestKey(0, 0, Role.FIRST), text, 10, 5, finish), settings)


@pytest.mark.parametrize(
    ("text", "finish", "status"),
    [
        (" A red circle. ", "stop", "success"),
        ("A red circle and", "length", "truncated"),
        (" \n", "stop", "empty"),
        ("the same words " * 20, "length", "repetitive"),
        (BUNDLED["general"][0], "stop", "echoed"),
        (BUNDLED["general"][0] + " A red circle.", "stop", "echoed"),
        ("Describe a video frame: it has light and colours.", "stop", "success"),
        ("The light is soft, the colours are red, and what can be seen is a ball.", "stop", "success"),
    ],
)
def test_texts(text: str, finish: FinishReason, status: str) -> None:
    found = answer(text, finish)
    assert found == Answer(status, text.strip() or None)  # type: ignore[arg-type]


def test_nothing_asked_and_nothing_answered() -> None:
    assert read_answer(None, AS_JSON) == Answer("skipped", None)
    failed = Caption(RequestKey(0, 0, None), "", 0, 0, None, ErrorInfo("caption", "OutOfMemory", "\udcff"))
    found = read_answer(failed, AS_JSON)
    assert (found.status, found.text) == ("error", None)
    assert found.error is not None
    assert (found.error.type, found.error.message) == ("OutOfMemory", "\\xff")


def test_json_becomes_a_description_and_fields() -> None:
    found = answer(json.dumps(FIELDS), settings=AS_JSON)
    assert (found.status, found.text) == ("success", FIELDS["description"])
    assert found.attributes == Attributes(
        title="Sun",
        subjects=("circle", "sky"),
        action=None,
        setting="a white ground",
        shot_type="close-up",
        camera_movement=None,
        on_screen_text=None,
        tags=(),
    )


@pytest.mark.parametrize(
    ("tail", "text"), [("\\\\", "C:\\"), ("\\", "C:"), ("\\\\u12", "C:\\u12"), ("\\\\\\u12", "C:\\")]
)
def test_json_cut_off_behind_a_backslash_keeps_its_description(tail: str, text: str) -> None:
    assert answer('{"description": "C:' + tail, "length", AS_JSON) == Answer("truncated", text)


@pytest.mark.parametrize("ascii_only", [True, False])
def test_json_cut_off_anywhere_keeps_what_there_is_of_its_description(ascii_only: bool) -> None:
    whole = json.dumps(FIELDS, ensure_ascii=ascii_only)
    begin = whole.index(": ") + 3
    end = whole.index('"title"')
    for length in range(1, len(whole)):
        found = answer(whole[:length], "length", AS_JSON)
        if length <= begin:
            assert found.error is not None, whole[:length]
            assert found.error.type == "TruncatedJson"
        else:
            assert found.status == "truncated", whole[:length]
            assert found.text
            assert FIELDS["description"].startswith(found.text.rstrip("\ufffd"))  # type: ignore[union-attr]
            assert length < end or found.text == FIELDS["description"]
        assert found.attributes is None


@pytest.mark.parametrize(
    "text",
    [
        "A red circle.",
        '{"description": "a',
        "[1, 2]",
        '{"title": "Sun"}',
        '{"description": 3}',
        "[" * 100_000,
    ],
)
def test_what_is_no_json_though_it_ended_is_broken_and_not_truncated(text: str) -> None:
    found = answer(text, "stop", AS_JSON)
    assert (found.status, found.text) == ("error", None)
    assert found.error is not None
    assert found.error.type == "BrokenJson"
    assert len(found.error.message) < 200


def test_json_that_says_nothing_or_goes_round_in_circles() -> None:
    assert answer(json.dumps({**FIELDS, "description": " "}), settings=AS_JSON).status == "empty"
    looped = answer(json.dumps({**FIELDS, "description": "a red ball " * 20}), settings=AS_JSON)
    assert (looped.status, looped.attributes is not None) == ("repetitive", True)


def test_the_schema_asks_for_every_field_of_a_scene_with_the_description_first() -> None:
    schema = json.loads(JSON_SCHEMA)
    assert list(schema["properties"]) == schema["required"] == ["description", *Attributes.model_fields]
