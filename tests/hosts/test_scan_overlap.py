"""Decoding ahead in real workers: nothing a scan reports changes, and a decoder that hangs is still seen."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("reads_ahead", [False, True])
def test_a_decoder_that_hangs_is_a_stall(
    reads_ahead: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from corridor_cli.hosts import process

    head, _, tail = process._BOOTSTRAP.partition("importlib.import_module")
    monkeypatch.setattr(process, "_BOOTSTRAP", head + HANGING + "importlib.import_module" + tail)
    decode = DecodeSettings(stall_seconds=1.0)
    told = report(replace(SETUP, decode=decode, reads_ahead=reads_ahead), clips.draw("h264.mp4", tmp_path))
    lost = told[-1][0]
    assert isinstance(lost, JobLost)
    assert lost.error.type == "StalledError"
