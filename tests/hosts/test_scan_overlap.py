"""Decoding ahead in real workers: nothing a scan reports changes, and a decoder that hangs is still seen."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from sample_clips import Encoding, SceneRecipe, draw_story, write_video

from corridor_cli.hosts.media_pool import MediaPool, WorkerEvent
from corridor_cli.hosts.messages import JobLost, WorkerSetup
from corridor_cli.hosts.slots import Slots, create_arena
from corridor_cli.records import Progress, ScanEnd, ScanJob, SceneFrames
from corridor_cli.settings import DecodeSettings, FrameSettings, SceneSettings
from tests import clips

SLOT_BYTES = 3 * 64 * 64
SETUP = WorkerSetup(DecodeSettings(), SceneSettings(), FrameSettings(), SLOT_BYTES, 64 * 64, ())

HANGING = """\
import itertools, time
from corridor_cli.media.pyav_reader import PyavReader
scan = PyavReader._scan
def hang(self, video):
    yield from itertools.islice(scan(self, video), 5)
    time.sleep(600)
PyavReader._scan = hang
"""

UNCONVERTIBLE = """\
from corridor_cli.errors import DecodeError
from corridor_cli.media.picture import PyavFrame
def refuse(frame):
    if frame.index == 21:
        raise DecodeError("a picture that cannot be converted")
    frame._planes = frame._planes if frame._planes is not None else frame._converter.planes(frame._frame)
    return frame._planes
PyavFrame.planes = property(refuse)
"""


def report(setup: WorkerSetup, path: Path) -> list[tuple[WorkerEvent, list[bytes]]]:
    """All that is told of a scan but its heartbeats, with the pixels of the picks; slots go back at once."""
    arena_fd = create_arena(3, SLOT_BYTES)
    slots = Slots(arena_fd, SLOT_BYTES)
    pool = MediaPool(setup, arena_fd, 1, 3)
    told: list[tuple[WorkerEvent, list[bytes]]] = []
    try:
        pool.start(ScanJob(0, str(path)))
        deadline = time.monotonic() + 30
        while not (told and isinstance(told[-1][0], ScanEnd | JobLost)):
            assert time.monotonic() < deadline, told
            for event in [*pool.receive(), *pool.kill_stuck()]:
                pixels = []
                for picked in event.picks if isinstance(event, SceneFrames) else ():
                    if picked.frame:
                        pixels.append(slots.pixels(picked.frame).tobytes())
                        pool.free(picked.frame.slot)
                if isinstance(event, SceneFrames):
                    # Which slot it was depends on when main gave them back.
                    picks = tuple(replace(picked, frame=None) for picked in event.picks)
                    event = replace(event, picks=picks)
                if not isinstance(event, Progress):
                    told.append((event, pixels))
            time.sleep(0.005)
    finally:
        pool.close()
        os.close(arena_fd)
    return told


@pytest.mark.parametrize("name", ["h264_bframes.mp4", "vfr.webm", "changing_size.h264", "1x1.mkv"])
def test_decoding_ahead_changes_nothing(name: str, tmp_path: Path) -> None:
    clip = clips.draw(name, tmp_path)
    told = report(SETUP, clip)
    assert report(replace(SETUP, reads_ahead=True), clip) == told
    assert any(isinstance(event, SceneFrames) for event, _ in told)


def test_what_ends_a_scan_early_is_told_the_same(tmp_path: Path) -> None:
    clip = clips.truncated(clips.draw("faststart.mp4", tmp_path), tmp_path / "cut.mp4", 0.6)
    limited = replace(SETUP, decode=DecodeSettings(max_frames=20))
    for setup, file, kind in ((SETUP, clip, "DecodeError"), (limited, clip, "LimitError")):
        told = report(setup, file)
        assert report(replace(setup, reads_ahead=True), file) == told
        end = told[-1][0]
        assert isinstance(end, ScanEnd)
        assert end.error is not None
        assert end.error.type == kind


def put_into_workers(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from corridor_cli.hosts import process

    head, _, tail = process._BOOTSTRAP.partition("importlib.import_module")
    monkeypatch.setattr(process, "_BOOTSTRAP", head + code + "importlib.import_module" + tail)


@pytest.mark.parametrize("reads_ahead", [False, True])
def test_a_picture_that_cannot_be_converted_costs_none_of_those_before_it(
    reads_ahead: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_into_workers(UNCONVERTIBLE, monkeypatch)
    told = report(replace(SETUP, reads_ahead=reads_ahead), clips.draw("h264.mp4", tmp_path))
    end, last = told[-1][0], told[-2][0]
    assert isinstance(end, ScanEnd)
    assert end.error is not None
    assert (end.num_frames, end.duration) == (21, Fraction(21, 25))
    assert isinstance(last, SceneFrames)
    assert last.scene is not None
    assert (last.scene.end_frame, last.scene.end) == (21, Fraction(21, 25))


@pytest.mark.parametrize("limit", [{"max_frames": 1}, {"max_frames": 60}, {"max_duration_seconds": 2.5}])
def test_a_keyframe_scan_that_is_stopped_ends_with_the_last_frame_it_saw(
    limit: dict[str, float], tmp_path: Path
) -> None:
    """Not with the next one it would have looked at, which may be seconds away."""
    recipe = SceneRecipe("circle", "red", "white", size=0.3, seconds=6.0)
    story = draw_story([recipe], Fraction(25), 192, 108)
    clip = write_video(tmp_path / "calm.mp4", story, Encoding(gop_frames=20))
    setup = replace(SETUP, decode=DecodeSettings(**limit), scenes=SceneSettings(scan="keyframes"))  # type: ignore[arg-type]
    told = report(setup, clip)
    end, last = told[-1][0], told[-2][0]
    assert isinstance(end, ScanEnd)
    assert end.error is not None
    assert end.duration == Fraction(end.num_frames, 25)
    assert isinstance(last, SceneFrames)
    assert last.scene is not None
    assert last.scene.end == end.duration


@pytest.mark.parametrize("reads_ahead", [False, True])
def test_a_decoder_that_hangs_is_a_stall(
    reads_ahead: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_into_workers(HANGING, monkeypatch)
    decode = DecodeSettings(stall_seconds=1.0)
    told = report(replace(SETUP, decode=decode, reads_ahead=reads_ahead), clips.draw("h264.mp4", tmp_path))
    lost = told[-1][0]
    assert isinstance(lost, JobLost)
    assert lost.error.type == "StalledError"
