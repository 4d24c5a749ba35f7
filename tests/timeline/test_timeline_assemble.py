"""Facts, scenes and captions become the right document, the same one every time."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from fractions import Fraction

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from timeline_samples import (
    CAPTION_KEY,
    DAMAGED,
    INFO,
    SCAN_KEY,
    caption,
    captions,
    failed_caption,
    failed_timeline,
    record,
    timeline,
)

from corridor_cli.records import Caption, EngineInfo, RequestKey, Role, VideoInfo
from corridor_cli.settings import CaptionSettings, Settings
from corridor_cli.timeline.answers import text_status
from corridor_cli.timeline.assemble import describe, describe_model
from corridor_cli.timeline.schema import read_timeline, timeline_bytes, timeline_json_schema
from corridor_cli.timeline.source import SourceFacts
from corridor_cli.timeline.text import caption_text
from corridor_cli.timeline.timecode import seconds, seconds_between

SCHEMA = jsonschema.Draft202012Validator(timeline_json_schema())

HOSTILE = [
    "</script><script>alert(1)</script>",
    "a\x00b\x1b[31mred\x07 \x7f\x85\x9b",
    "lone \ud83d and \udcff and a pair \ud83d\ude00",
    "family 👩‍👩‍👧 and flag 🇫🇷",
    "שלום \u202eevil\u202c مرحبا \u2066x\u2069",
    'quote " backslash \\ newline \n tab \t slash /',
    "\u2028line\u2029paragraph\ufeff",
    "=cmd|' /C calc'!A0 --> 00:00:00,000",
    '"provenance": {"scan_key": "no"}',
]


def test_every_field_comes_from_the_facts() -> None:
    document = json.loads(
        timeline_bytes(timeline(pictures={(0, Role.FIRST): "x.frames/s0001-first.jpg"}), indent=2)
    )
    assert list(document) == [
        "schema", "status", "source", "summary", "transitions", "scenes", "errors", "provenance", "run",
    ]  # fmt: skip
    assert document["status"] == "complete"
    assert document["source"]["frame_rate"] == "24000/1001"
    assert document["source"]["fps"] == 23.976024
    assert document["source"]["duration"] == 4.170833
    assert document["source"]["reader"] == {
        "name": "pyav",
        "reason": "scans every format",
        "fallbacks": [],
        "warnings": ["a packet was skipped"],
        "frames_decoded": 100,
        "frames_expected": 100,
    }
    first, second = document["scenes"]
    assert (first["start"], first["end"], second["start"], second["end"]) == (
        0.0,
        1.668333,
        1.668333,
        4.170833,
    )
    assert (second["start_timecode"], second["end_timecode"]) == ("00:00:01.668", "00:00:04.171")
    assert [frame["id"] for frame in first["frames"]] == ["s0001-first", "s0001-representative", "s0001-last"]
    assert first["frames"][0]["path"] == "x.frames/s0001-first.jpg"
    assert first["frames"][1]["path"] is None
    assert document["transitions"] == [{"kind": "dissolve", "start": 1.584917, "end": 1.75175}]
    assert document["provenance"]["scan_key"] == SCAN_KEY


def test_the_scene_has_the_caption_of_its_representative() -> None:
    first, second = timeline().scenes
    assert first.caption.text == "A bright street with a red car."
    assert second.caption.text == "A red ball lies on green grass."


def test_a_duplicate_shares_the_caption_and_keeps_its_time() -> None:
    first, second = timeline().scenes
    last = first.frames[2]
    assert (last.duplicate_of, last.time) == ("s0001-representative", 1.543208)
    assert last.caption == first.frames[1].caption
    # A duplicate of a duplicate points at the pick that was really asked for.
    assert [frame.duplicate_of for frame in second.frames] == [None, "s0002-first", "s0002-first"]
    assert second.frames[2].time == 4.087417


def test_a_damaged_video_is_partial_and_says_where() -> None:
    document = timeline(error=DAMAGED)
    assert document.status == "partial"
    assert [(error.stage, error.scene_id, error.type) for error in document.errors] == [
        ("decode", None, "DecodeError")
    ]


def test_a_failed_caption_makes_the_video_partial_and_is_told_once() -> None:
    document = timeline(captions(failed_caption(1, Role.FIRST)))
    assert document.status == "partial"
    assert [(error.scene_id, error.message) for error in document.errors] == [("s0002", "out of memory")]
    for frame in document.scenes[1].frames:
        assert frame.caption is not None
        assert (frame.caption.status, frame.caption.text) == ("error", None)
        assert frame.caption.prompt_tokens is None
    assert document.scenes[1].caption.status == "error"


def test_a_pick_that_was_not_asked_for_is_skipped_and_a_forgotten_one_is_our_bug() -> None:
    document = timeline({**captions(), (1, Role.FIRST): None})
    assert document.scenes[1].caption.status == "skipped"
    assert document.status == "complete"
    with pytest.raises(AssertionError, match="never answered"):
        timeline({key: each for key, each in captions().items() if key != (0, Role.FIRST)})


def test_duplicates_in_a_circle_are_our_bug() -> None:
    sound = record()
    first, *others = sound.picks[1]
    picks = (sound.picks[0], (replace(first, duplicate_of=Role.LAST), *others))
    with pytest.raises(AssertionError, match="circle"):
        replace(sound, picks=picks).original(1, Role.FIRST)


@pytest.mark.parametrize("info", [None, INFO])
def test_a_failed_document_says_what_is_known(info: VideoInfo | None) -> None:
    document = failed_timeline(info=info)
    assert document.status == "failed"
    assert document.scenes == ()
    assert document.errors[0].type == "NotVideoError"
    assert document.source.duration is None
    assert document.source.width == (None if info is None else 640)
    SCHEMA.validate(json.loads(timeline_bytes(document, indent=2)))


def test_the_same_facts_give_the_same_bytes() -> None:
    for indent in (0, 2):
        for error in (None, DAMAGED):
            one, other = timeline(error=error), timeline(error=error)
            assert timeline_bytes(one, indent=indent) == timeline_bytes(other, indent=indent)


def test_a_document_reads_back_as_itself() -> None:
    for document in (timeline(), timeline(error=DAMAGED), failed_timeline()):
        data = timeline_bytes(document, indent=2)
        SCHEMA.validate(json.loads(data))
        assert read_timeline(data) == document


@given(st.text(st.characters(exclude_categories=[])))
def test_no_caption_breaks_the_document(text: str) -> None:
    check_caption(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_hostile_caption_breaks_the_document(text: str) -> None:
    check_caption(text)


def check_caption(text: str) -> None:
    data = timeline_bytes(timeline(captions(caption(0, Role.FIRST, text))), indent=2)
    shown = data.decode("utf-8")
    assert all(char in "\n" or ord(char) >= 32 for char in shown)
    assert not set(shown) & set("\x7f\x85\x9b\u2028\u2029\u202e\u2066\ufeff")
    document = json.loads(shown)
    SCHEMA.validate(document)
    assert (document["scenes"][0]["frames"][0]["caption"]["text"] or "") == caption_text(text)
    assert read_timeline(data).scenes[1].caption.text == "A red ball lies on green grass."


def test_surrogates_are_joined_or_replaced() -> None:
    assert caption_text(" lone \ud83d, pair \ud83d\ude00 \n") == "lone \ufffd, pair 😀"


@pytest.mark.parametrize(
    ("text", "finish_reason", "status"),
    [
        ("A red ball.", "stop", "success"),
        ("A red ball lies on", "length", "truncated"),
        ("", "stop", "empty"),
        (" \n ", "length", "empty"),
        ("a red ball and " * 30, "length", "repetitive"),
    ],
)
def test_a_caption_status_says_what_the_answer_is_worth(text: str, finish_reason: str, status: str) -> None:
    assert text_status(caption_text(text), finish_reason) == status  # type: ignore[arg-type]


def test_a_status_goes_into_the_document_with_its_tokens() -> None:
    cut = Caption(RequestKey(0, 0, Role.FIRST), "A red ball lies on", 300, 128, "length")
    part = timeline(captions(cut)).scenes[0].frames[0].caption
    assert part is not None
    assert (part.status, part.finish_reason, part.output_tokens) == ("truncated", "length", 128)


def test_a_prompt_and_a_model_that_are_not_utf8_are_shown() -> None:
    settings = Settings(caption=CaptionSettings(prompt="What\udcff?"))
    model = describe_model(EngineInfo("local", "/models/\udcff", None, "cpu", "float32", 448, 1, 1, 8))
    provenance = describe(settings, scan_key=SCAN_KEY, caption_key=CAPTION_KEY, model=model)
    assert (provenance.prompt.id, provenance.prompt.text) == ("custom", "What\\xff?")
    assert model.id == "/models/\\xff"
    assert describe(Settings(), scan_key=None, caption_key=None, model=None).prompt.id == "general"


@pytest.mark.parametrize(
    ("rate", "shown"),
    [(None, (None, None)), (Fraction(0), (None, None)), (Fraction(1, 10**9), ("1/1000000000", 0.0))],
)
def test_a_frame_rate_that_makes_no_sense_breaks_nothing(
    rate: Fraction | None, shown: tuple[str | None, float | None]
) -> None:
    source = failed_timeline(info=replace(INFO, frame_rate=rate)).source
    assert (source.frame_rate, source.fps) == shown


def test_a_path_that_is_not_utf8_is_shown_and_kept_in_hex() -> None:
    path = os.fsdecode(b"/videos/caf\xe9/\xff.mp4")
    source = timeline(facts=SourceFacts(path, 1, "f")).source
    assert source.path == "/videos/caf\\xe9/\\xff.mp4"
    assert source.name == "\\xff.mp4"
    assert source.path_bytes is not None
    assert bytes.fromhex(source.path_bytes) == os.fsencode(path)
    assert timeline().source.path_bytes is None


@given(st.lists(st.fractions(Fraction(0), Fraction(10**6)), min_size=2, max_size=5, unique=True))
def test_scenes_touch_in_json_whatever_their_times(cuts: list[Fraction]) -> None:
    times = sorted(cuts)
    floats = json.loads(json.dumps([seconds(each) for each in times]))
    assert floats == sorted(floats)
    for exact, shown in zip(times, floats, strict=True):
        assert abs(Fraction(repr(shown)) - exact) <= Fraction(1, 2_000_000)
        assert len(repr(shown).partition(".")[2]) <= 6 or "e" in repr(shown)
    total = Fraction(repr(seconds_between(times[0], times[-1])))
    assert total == Fraction(repr(floats[-1])) - Fraction(repr(floats[0]))
