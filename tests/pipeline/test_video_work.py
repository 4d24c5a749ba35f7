"""The state of one video: what a scan that broke off, was lost or repeated leaves of it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path, PurePosixPath

import pytest

from corridor_cli.media.discover import SourceFile
from corridor_cli.pipeline.pictures import Pictures
from corridor_cli.pipeline.plan import VideoPlan
from corridor_cli.pipeline.tally import Tally
from corridor_cli.pipeline.video import VideoWork
from corridor_cli.pipeline.writer import Task, Writer
from corridor_cli.records import (
    Boundary,
    Caption,
    ErrorInfo,
    Pick,
    PickedFrame,
    ReaderChoice,
    RequestKey,
    Role,
    ScanEnd,
    Scene,
    SceneFrames,
    Transition,
    VideoInfo,
    VideoOpened,
)
from corridor_cli.settings import Settings
from corridor_cli.timeline.layout import OutputLayout

INFO = VideoInfo("mp4", "h264", "yuv420p", None, 64, 48, 0, None, Fraction(25), Fraction(4), 100, 0, 1)
OPENED = VideoOpened(0, INFO, ReaderChoice("pyav", "test"))
BROKEN = ErrorInfo("decode", "DecodeError", "the pictures stop")


def new_video() -> VideoWork:
    source = SourceFile(Path("/in/a.mp4"), PurePosixPath("a.mp4"), 1000, 0)
    return VideoWork(0, VideoPlan(source, "v1:x", "a" * 32, "b" * 32, "new", True))


def found(index: int) -> SceneFrames:
    """Scene `index` of one second, 25 frames, with one pick."""
    boundary: Boundary = "cut" if index else "start"
    scene = Scene(index, Fraction(index), Fraction(index + 1), 25 * index, 25 * (index + 1), boundary)
    pick = Pick(Role.REPRESENTATIVE, 25 * index + 12, Fraction(index) + Fraction(1, 2), "test", None, 0)
    return SceneFrames(0, index, scene, (PickedFrame(pick, None, None),))


def ended(num_frames: int, error: ErrorInfo | None = None) -> ScanEnd:
    changes = (
        Transition("dissolve", Fraction(1, 2), Fraction(1)),
        Transition("fade", Fraction(3), Fraction(4)),
    )
    return ScanEnd(0, num_frames, Fraction(num_frames, 25), False, changes, OPENED.reader, (), error)


def test_a_scene_that_never_came_ends_the_record_before_it() -> None:
    video = new_video()
    video.opened(OPENED)
    for index in (0, 1, 3):
        video.scene_found(found(index))
    video.scan_ended(ended(101, BROKEN))
    record = video.record
    assert record is not None
    assert [scene.index for scene in record.scenes] == [0, 1]
    assert (record.num_frames, record.duration) == (50, 2)
    assert [change.kind for change in record.transitions] == ["dissolve"]
    assert record.error == BROKEN
    assert video.num_frames == 50


def test_a_scan_after_a_lost_one_stands_alone() -> None:
    video = new_video()
    for num_scenes in (4, 3):
        video.opened(OPENED)
        for index in range(num_scenes):
            video.scene_found(found(index))
    video.scan_ended(ended(75))
    assert video.record is not None
    assert len(video.record.scenes) == 3


def test_a_video_given_up_keeps_the_scenes_found_and_the_reason() -> None:
    video = new_video()
    video.opened(OPENED)
    for index in range(2):
        video.scene_found(found(index))
    video.gave_up(BROKEN)
    assert video.record is not None
    assert (video.record.num_frames, video.record.duration, video.record.error) == (50, 2, BROKEN)
    assert video.error == BROKEN
    assert video.is_finished
    nothing = new_video()
    nothing.gave_up(BROKEN)
    assert nothing.record is None
    assert nothing.error == BROKEN
    assert nothing.is_finished


def test_captions_known_before_are_not_expected_again() -> None:
    video = new_video()
    video.info = replace(INFO, duration_seconds_from_header=Fraction(4))
    video.scanned_seconds = 2.0
    for scene in range(4):
        key = RequestKey(0, scene, Role.FIRST)
        video.captions[scene, Role.FIRST] = Caption(key, "known", 1, 1, "stop")
    video.open = {RequestKey(0, scene, Role.FIRST) for scene in range(4, 6)}
    # Half of the video gave six: twelve in all, and four are there.
    assert Tally([video], 0).expected_captions() == 8


def test_decoding_goes_on_at_the_speed_it_had_without_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corridor_cli.pipeline.tally.time.monotonic", lambda: 100.0)
    begun, to_come, known = new_video(), new_video(), new_video()
    begun.info = replace(INFO, duration_seconds_from_header=Fraction(4))
    begun.scanned_seconds, begun.num_jobs, begun.started_at = 1.0, 1, 88.0
    known.is_scan_reused = known.is_decoded = True
    known.num_jobs = 1
    tally = Tally([begun, to_come, known], 0)
    # A quarter of 1,000 bytes in 12 s, of which the worker waited 2: 1,750 are left, and the known scan costs
    # nothing more.
    assert tally.expected_decoding_seconds(1, 2.0) == pytest.approx(70.0)
    assert tally.expected_decoding_seconds(2, 2.0) == pytest.approx(35.0)
    assert tally.expected_decoding_seconds(1, 8.0) is None, "four seconds say little"
    begun.is_decoded = to_come.is_decoded = True
    assert tally.expected_decoding_seconds(1, 2.0) == 0.0


class HeldWriter(Writer):
    """Keeps what it is given, to be done as far as a run comes before it is killed."""

    def __init__(self) -> None:
        self.given: list[Task] = []

    def submit(self, task: Task) -> None:
        self.given.append(task)


def test_pictures_of_another_size_are_never_taken_for_ours_after_a_kill(tmp_path: Path) -> None:
    """At whichever write a run ends, a mark that says ours stands beside pictures that are ours."""
    picked = PickedFrame(found(0).picks[0].pick, None, b"new")
    for num_writes in range(3):
        layout = OutputLayout(tmp_path / f"{num_writes}")
        old = layout.picture("a.mp4", "s0002-last")
        old.parent.mkdir(parents=True)
        old.write_bytes(b"old")
        held = HeldWriter()
        Pictures(layout, Settings(), held).save(new_video(), 0, picked)
        assert len(held.given) >= 2
        for task in held.given[:num_writes]:
            task()
        assert not (layout.pictures_made_for("a.mp4").exists() and old.exists())
