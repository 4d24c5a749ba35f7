"""From captions to a summary: in one step or over levels, resumed, overflowing, and with bad answers."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path, PurePosixPath

import pytest

from corridor_cli.media.discover import SourceFile
from corridor_cli.pipeline.plan import VideoPlan
from corridor_cli.pipeline.summing import Summarizer
from corridor_cli.pipeline.video import VideoWork
from corridor_cli.records import (
    Caption,
    ErrorInfo,
    Pick,
    PickedFrame,
    ReaderChoice,
    Request,
    RequestKey,
    Role,
    ScanEnd,
    Scene,
    SceneFrames,
    VideoInfo,
)
from corridor_cli.settings import CaptionSettings
from corridor_cli.timeline.parts import Summary
from corridor_cli.timeline.scan_record import ScanRecord

SUMMING = CaptionSettings(summary=True)
GOOD = (
    "**Title:** The harbour\n**Synopsis:** Boats come in.\nThen they go.\nTags: boats, sea, boats, #harbour."
)
INFO = VideoInfo("mp4", "h264", "yuv420p", None, 64, 48, 0, None, Fraction(25), None, None, 0, 1)


def captioned(texts: list[str | None], settings: CaptionSettings = SUMMING) -> VideoWork:
    """A video of scenes of a second each, with these captions; None is a caption that failed."""
    source = SourceFile(Path("/in/a.mp4"), PurePosixPath("a.mp4"), 1000, 0)
    is_by_scene = settings.mode == "scene"
    work = VideoWork(0, VideoPlan(source, "v1:x", "a" * 32, "b" * 32, is_by_scene=is_by_scene))
    scenes = []
    for index in range(len(texts)):
        boundary = "cut" if index else "start"
        scene = Scene(index, Fraction(index), Fraction(index + 1), 25 * index, 25 * index + 25, boundary)  # type: ignore[arg-type]
        pick = Pick(Role.REPRESENTATIVE, 25 * index, Fraction(index), "test", None, 0)
        scenes.append(SceneFrames(0, index, scene, (PickedFrame(pick, None, None),)))
    end = ScanEnd(0, 25 * len(texts), Fraction(len(texts)), False, (), None, (), None)
    work.record = ScanRecord.from_scan(INFO, ReaderChoice("pyav", "test"), scenes, end)
    error = ErrorInfo("caption", "OutOfMemory", "no")
    for index, text in enumerate(texts):
        key = RequestKey(0, index, None if is_by_scene else Role.REPRESENTATIVE)
        failed = error if text is None else None
        work.answered(Caption(key, text or "", 1, 1, "stop" if text is not None else None, failed))
    return work


def answer(work: VideoWork, requests: list[Request], text: str, error: ErrorInfo | None = None) -> None:
    for request in requests:
        assert request.frames == ()
        assert not work.is_answered_or_open(request.key)
        work.answered(Caption(request.key, text, 1, 1, None if error else "stop", error))


def steps(summarizer: Summarizer, work: VideoWork, text: str) -> list[int]:
    """Answer with `text` until nothing is asked any more; how many requests each round had."""
    rounds = []
    while requests := summarizer.requests(work):
        rounds.append(len(requests))
        answer(work, requests, text)
        assert len(rounds) < 20
    return rounds


@pytest.mark.parametrize("mode", ["frames", "scene"])
def test_few_captions_are_summed_up_in_one_step(mode: str) -> None:
    settings = replace(SUMMING, mode=mode, language="French")  # type: ignore[arg-type]
    summarizer = Summarizer(settings)
    work = captioned(["A boat.", "A boat.", None, "", "The sea,\nat night."], settings)
    (request,) = summarizer.requests(work)
    assert "\n[00:00:00] A boat.\n[00:00:04] The sea, at night.\n" in request.prompt
    assert request.prompt.endswith("Answer in French.")
    assert summarizer.outcome(work)[0] is None
    answer(work, [request], GOOD)
    assert summarizer.requests(work) == []
    found, error = summarizer.outcome(work)
    assert error is None
    assert found == Summary(
        title="The harbour", synopsis="Boats come in. Then they go.", tags=("boats", "sea", "harbour")
    )


def test_nothing_is_asked_where_no_summary_is_wanted_or_nothing_can_be_summed_up() -> None:
    for work, settings in ((captioned(["A boat."]), CaptionSettings()), (captioned([None, ""]), SUMMING)):
        assert Summarizer(settings).requests(work) == []
        assert Summarizer(settings).outcome(work) == (None, None)


def test_many_captions_are_summed_up_level_by_level_and_none_is_left_out() -> None:
    texts = [f"Scene number {number} " + "shows a boat at sea " * 10 for number in range(500)]
    summarizer, work = Summarizer(SUMMING), captioned(list(texts))
    first = summarizer.requests(work)
    assert len(first) > 5
    told = "\n".join(request.prompt for request in first)
    assert all(f"Scene number {number} " in told for number in range(500))
    assert max(len(request.prompt.encode()) for request in first) < 13_000
    assert len({request.key for request in first}) == len(first)
    rounds = steps(summarizer, work, GOOD)
    assert rounds[0] == len(first)
    assert rounds[-1] == 1
    assert summarizer.outcome(work)[0] is not None


@pytest.mark.parametrize("answer_characters", [10, 100_000])
def test_levels_end_however_long_captions_and_answers_are(answer_characters: int) -> None:
    summarizer, work = Summarizer(SUMMING), captioned([f"{number} {'é' * 5000}" for number in range(300)])
    rounds = steps(summarizer, work, "é " * (answer_characters // 2))
    assert rounds[-1] == 1
    assert len(rounds) < 9


def test_a_run_that_goes_on_asks_only_for_what_is_missing() -> None:
    texts = [f"Scene number {number} " + "shows a boat at sea " * 10 for number in range(200)]
    summarizer, work = Summarizer(SUMMING), captioned(list(texts))
    first = summarizer.requests(work)
    answer(work, first[:2], "Boats.")
    resumed = captioned(list(texts))
    resumed.summary = dict(work.summary)
    assert Summarizer(SUMMING).requests(resumed) == first[2:]
    changed = captioned([texts[0].replace("boat", "ship"), *texts[1:]])
    changed.summary = dict(work.summary)
    assert len(Summarizer(SUMMING).requests(changed)) == len(first) - 1, "other captions, another first step"


def test_parts_without_an_answer_are_told() -> None:
    texts: list[str | None] = [f"Scene number {number} " + "shows a boat " * 20 for number in range(200)]
    summarizer, work = Summarizer(SUMMING), captioned(texts)
    assert len(steps(summarizer, work, " ")) == 1
    found, error = summarizer.outcome(work)
    assert found is None
    assert error is not None
    assert error.type == "EmptyAnswer"


def test_a_model_that_holds_less_is_asked_in_smaller_steps() -> None:
    overflow = ErrorInfo("caption", "ContextOverflow", "too long")
    summarizer, work = Summarizer(SUMMING), captioned([f"Scene {n} " + "boat " * 40 for n in range(30)])
    sizes = []
    while requests := summarizer.requests(work):
        long = [request for request in requests if len(request.prompt) > 1500]
        sizes.append(max(len(request.prompt) for request in requests))
        answer(work, long, "", overflow)
        answer(work, [request for request in requests if request not in long], "Boats.")
        assert len(sizes) < 20
    assert sizes[0] > 1500 >= sizes[-1]
    assert summarizer.outcome(work) == (Summary(title=None, synopsis="Boats.", tags=()), None)


def test_an_answer_that_is_none_is_asked_for_once_more_and_then_told() -> None:
    summarizer, work = Summarizer(SUMMING), captioned(["A boat."])
    (first,) = summarizer.requests(work)
    answer(work, [first], "")
    (second,) = summarizer.requests(work)
    assert second.generation.repetition_penalty > 1
    assert second.prompt == first.prompt
    answer(work, [second], "on and on " * 30)
    assert summarizer.requests(work) == []
    found, error = summarizer.outcome(work)
    assert found is None
    assert error is not None
    assert (error.stage, error.type) == ("summary", "RepetitiveAnswer")
    once = Summarizer(replace(SUMMING, retry=False))
    work = captioned(["A boat."])
    answer(work, once.requests(work), "")
    assert once.requests(work) == []


def test_a_failed_step_is_an_error_and_nothing_is_asked_after_it() -> None:
    summarizer, work = Summarizer(SUMMING), captioned([f"Scene {n} " + "boat " * 100 for n in range(100)])
    requests = summarizer.requests(work)
    answer(work, requests[:1], "", ErrorInfo("caption", "RuntimeError", "the device is gone"))
    answer(work, requests[1:], "Boats.")
    assert summarizer.requests(work) == []
    assert summarizer.outcome(work) == (None, ErrorInfo("summary", "RuntimeError", "the device is gone"))


def test_a_run_that_ends_before_it_says_so() -> None:
    assert Summarizer(SUMMING).outcome(captioned(["A boat."])) == (
        None,
        ErrorInfo("summary", "Unanswered", "the run ended before it was made"),
    )


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("A day at sea.\nAll is calm.", Summary(title=None, synopsis="A day at sea. All is calm.", tags=())),
        ('{"title": "Sea", "synopsis": "Calm.", "tags": ["sea", " ", "sea"]}',
         Summary(title="Sea", synopsis="Calm.", tags=("sea",))),
        ("Title: Sea", Summary(title="Sea", synopsis=None, tags=())),
        ("tags: a; b，c", Summary(title=None, synopsis=None, tags=("a", "b", "c"))),
    ],
)  # fmt: skip
def test_answers_in_other_forms(text: str, summary: Summary) -> None:
    summarizer, work = Summarizer(SUMMING), captioned(["A boat."])
    answer(work, summarizer.requests(work), text)
    found, error = summarizer.outcome(work)
    if summary.synopsis or summary.title:
        assert (found, error) == (summary, None)
    else:
        assert error is not None, "tags alone are no summary"


def test_json_is_held_to_its_form() -> None:
    (request,) = Summarizer(replace(SUMMING, format="json")).requests(
        captioned(['{"description": "A boat."}'])
    )
    assert "[00:00:00] A boat." in request.prompt
    assert list(json.loads(request.generation.json_schema or "")["properties"]) == [
        "title",
        "synopsis",
        "tags",
    ]


def test_json_that_was_cut_off_gets_twice_the_room_and_what_there_is_stands() -> None:
    summarizer = Summarizer(replace(SUMMING, format="json"))
    work = captioned(['{"description": "A boat."}'])
    (first,) = summarizer.requests(work)
    for request, text in (
        (first, '{"title": "Sea", "syn'),
        (None, '{"title": "Sea", "synopsis": "A boat and'),
    ):
        (asked,) = [request] if request else summarizer.requests(work)
        work.answered(Caption(asked.key, text, 1, 1, "length"))
    assert asked.generation.max_new_tokens == 2 * first.generation.max_new_tokens
    assert summarizer.requests(work) == []
    assert summarizer.outcome(work) == (Summary(title="Sea", synopsis="A boat and", tags=()), None)
    work.summary = {first.key.part: Caption(first.key, '{"title": "Sea", "syn', 1, 1, "length")}
    found, error = summarizer.outcome(work)
    assert found is None
    assert error is not None
    assert error.type == "TruncatedJson"
