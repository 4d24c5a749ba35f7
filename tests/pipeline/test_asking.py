"""From picks to requests: which pictures go together, what is asked of them, and what is asked again."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path, PurePosixPath

import pytest

from corridor_cli.media.discover import SourceFile
from corridor_cli.pipeline.asking import Asker, typical
from corridor_cli.pipeline.plan import VideoPlan
from corridor_cli.pipeline.video import VideoWork
from corridor_cli.records import (
    Caption,
    ErrorInfo,
    FrameRef,
    Pick,
    PickedFrame,
    ReaderChoice,
    Request,
    RequestKey,
    Role,
    ScanEnd,
    Scene,
    SceneFrames,
    SpokenLine,
    VideoInfo,
)
from corridor_cli.settings import CaptionSettings
from corridor_cli.timeline.scan_record import ScanRecord
from corridor_cli.transcripts import Transcript

SCENE = Scene(1, Fraction(2), Fraction(5), 50, 125, "cut")
INFO = VideoInfo("mp4", "h264", "yuv420p", None, 64, 48, 0, None, Fraction(25), Fraction(5), 125, 0, 1)
BY_SCENE = CaptionSettings(mode="scene", prompt="What happens?")
ROLES = tuple(Role)


def video(settings: CaptionSettings, *, is_known: bool = False) -> VideoWork:
    source = SourceFile(Path("/in/day 1/a {b}.mp4"), PurePosixPath("day 1/a {b}.mp4"), 1000, 0)
    plan = VideoPlan(source, "v1:x", "a" * 32, "b" * 32, is_by_scene=settings.mode == "scene")
    work = VideoWork(0, plan)
    if is_known:
        first = replace(SCENE, index=0, start=Fraction(0), end=Fraction(2), start_frame=0, end_frame=50)
        scenes = [SceneFrames(0, scene.index, scene, picks(scene)) for scene in (first, SCENE)]
        end = ScanEnd(0, 125, Fraction(5), False, (), None, (), None)
        work.record = ScanRecord.from_scan(INFO, ReaderChoice("pyav", "test"), scenes, end)
    return work


def picks(scene: Scene, *slots: int | None) -> tuple[PickedFrame, ...]:
    """First and last, and a representative that is the first's duplicate; by `slots` where they lie."""
    frames = (scene.start_frame, scene.start_frame + 3, scene.end_frame - 1)
    made = []
    for number, (role, frame) in enumerate(zip(ROLES, frames, strict=True)):
        original = Role.FIRST if role is Role.REPRESENTATIVE else None
        slot = slots[number] if slots else None
        pick = Pick(role, frame, Fraction(frame, 25), "test", original, 0)
        made.append(PickedFrame(pick, None if slot is None else FrameRef(slot, 64, 48), None))
    return tuple(made)


def slots(requests: list[Request]) -> list[tuple[Role | None, list[int]]]:
    return [(request.key.role, [ref.slot for ref in request.frames]) for request in requests]


def test_each_distinct_pick_is_asked_by_itself() -> None:
    settings = CaptionSettings()
    requests, unneeded = Asker(settings).requests(
        video(settings), SceneFrames(0, 1, SCENE, picks(SCENE, 7, None, 9))
    )
    assert slots(requests) == [(Role.FIRST, [7]), (Role.LAST, [9])]
    assert unneeded == []
    assert {request.prompt for request in requests} == {settings.prompt}


def test_all_distinct_picks_of_a_scene_go_into_one_request() -> None:
    requests, unneeded = Asker(BY_SCENE).requests(
        video(BY_SCENE), SceneFrames(0, 1, SCENE, picks(SCENE, 7, None, 9))
    )
    assert slots(requests) == [(None, [7, 9])]
    assert unneeded == []


def test_picks_fetched_one_by_one_wait_for_each_other() -> None:
    work = video(BY_SCENE, is_known=True)
    asker = Asker(BY_SCENE)
    first, _, last = picks(SCENE, 7, None, 9)
    assert asker.requests(work, SceneFrames(0, 1, None, (last,))) == ([], [])
    again = replace(last, frame=FrameRef(4, 64, 48))
    assert asker.requests(work, SceneFrames(0, 1, None, (again,))) == ([], [last.frame]), "one copy is enough"
    requests, _ = asker.requests(work, SceneFrames(0, 1, None, (first,)))
    assert slots(requests) == [(None, [7, 4])], "in the order of their roles"
    assert work.take_gathered() == []


def test_pictures_whose_scene_is_never_whole_are_given_back() -> None:
    work = video(BY_SCENE, is_known=True)
    Asker(BY_SCENE).requests(work, SceneFrames(0, 1, None, picks(SCENE, 7, None, None)))
    assert work.take_gathered() == [FrameRef(7, 64, 48)]
    assert work.take_gathered() == []


@pytest.mark.parametrize("settings", [CaptionSettings(), BY_SCENE])
def test_what_is_open_or_answered_is_not_asked_again(settings: CaptionSettings) -> None:
    asker, work = Asker(settings), video(settings)
    event = SceneFrames(0, 1, SCENE, picks(SCENE, 7, None, 9))
    requests, _ = asker.requests(work, event)
    work.open.update(request.key for request in requests)
    assert asker.requests(work, event) == ([], [FrameRef(7, 64, 48), FrameRef(9, 64, 48)])
    for request in requests:
        work.answered(Caption(request.key, "text", 1, 1, "stop"))
    assert not work.open
    assert asker.requests(work, event) == ([], [FrameRef(7, 64, 48), FrameRef(9, 64, 48)])


def test_variables_say_where_the_scene_is_and_what_is_said_in_it() -> None:
    asked = "{name}|{scene_index}|{start}|{end}|{duration}|{language}|{transcript}|{{}}"
    settings = CaptionSettings(prompt=asked, language="French", transcripts="beside")
    work = video(settings)
    work.transcript = Transcript([SpokenLine(1, 3, "Good {morning}."), SpokenLine(4, 4.5, "Bye.")])
    (request, _), _ = Asker(settings).requests(work, SceneFrames(0, 1, SCENE, picks(SCENE, 7, None, 9)))
    assert request.prompt == ("a {b}.mp4|2|00:00:02.000|00:00:05.000|3.0|French|Good {morning}. Bye.|{}")
    work = video(settings)
    (request, _), _ = Asker(settings).requests(work, SceneFrames(0, 1, SCENE, picks(SCENE, 7, None, 9)))
    assert "|(nothing)|" in request.prompt


def test_what_is_said_at_length_is_cut() -> None:
    settings = CaptionSettings(prompt="{transcript}", transcripts="beside")
    work = video(settings)
    work.transcript = Transcript([SpokenLine(2, 5, "word " * 2000)])
    (request, _), _ = Asker(settings).requests(work, SceneFrames(0, 1, SCENE, picks(SCENE, 7, None, 9)))
    assert 1000 < len(request.prompt) <= 2000
    assert request.prompt.endswith("…")


def test_json_asks_for_fields_and_holds_the_answer_to_them() -> None:
    settings = CaptionSettings(prompt="What is {{this}}?", format="json", max_new_tokens=200)
    (request, _), _ = Asker(settings).requests(
        video(settings), SceneFrames(0, 1, SCENE, picks(SCENE, 7, None, 9))
    )
    assert request.prompt.startswith("What is {this}? Answer with one JSON object")
    assert json.loads(request.generation.json_schema or "")["type"] == "object"
    assert typical(settings).prompt == request.prompt


# --- a second try ---

KEY = RequestKey(0, 1, Role.FIRST)
LOOP = "round and round " * 20


def asked(settings: CaptionSettings) -> tuple[Asker, Request]:
    asker = Asker(settings)
    requests, _ = asker.requests(video(settings), SceneFrames(0, 1, SCENE, picks(SCENE, 7, None, 9)))
    return asker, requests[0]


def said(text: str, finish: str = "stop") -> Caption:
    return Caption(KEY, text, 10, 5, finish)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", LOOP, CaptionSettings().prompt])
def test_an_answer_that_is_no_good_is_asked_for_once_more_with_a_penalty(text: str) -> None:
    asker, request = asked(CaptionSettings())
    again = asker.again(request, said(text))
    assert again is not None
    assert again.generation.repetition_penalty > 1.0
    assert (again.key, again.frames, again.prompt) == (request.key, request.frames, request.prompt)
    better = said("A red circle.")
    assert asker.again(again, better) is None
    settled = asker.settle(better)
    assert (settled.text, settled.retry_of) == (
        better.text,
        {"": "empty", LOOP: "repetitive"}.get(text, "echoed"),
    )
    assert asker.settle(better).retry_of is None, "what was remembered of the first is forgotten"


def test_the_first_of_two_bad_answers_stands_unless_the_second_is_better() -> None:
    asker, request = asked(CaptionSettings())
    assert asker.again(request, said(LOOP)) is not None
    assert asker.again(request, said("")) is None, "once"
    assert asker.settle(said("")) == replace(said(LOOP), retry_of="repetitive")


def test_good_truncated_and_failed_answers_are_taken_as_they_are() -> None:
    asker, request = asked(CaptionSettings())
    assert asker.again(request, said("A red circle.")) is None
    assert asker.again(request, said("A red circle and", "length")) is None, (
        "that long and no longer was asked"
    )
    failed = replace(said(""), error=ErrorInfo("caption", "OutOfMemory", "no"))
    assert asker.again(request, failed) is None
    assert asker.settle(failed) == failed
    asker, request = asked(CaptionSettings(retry=False))
    assert asker.again(request, said("")) is None


def test_json_that_was_cut_off_gets_twice_the_room_where_there_is_any() -> None:
    asker, request = asked(CaptionSettings(format="json", max_new_tokens=100))
    again = asker.again(request, said('{"description": "A r', "length"))
    assert again is not None
    assert (again.generation.max_new_tokens, again.generation.repetition_penalty) == (200, 1.0)
    assert again.generation.json_schema == request.generation.json_schema
    asker, request = asked(CaptionSettings(format="json", max_new_tokens=4096))
    assert asker.again(request, said('{"description": "A r', "length")) is None
