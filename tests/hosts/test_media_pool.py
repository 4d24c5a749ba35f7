"""Media workers as main sees them: real processes, told to stop or be silent."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from corridor_cli.hosts import media_worker, watch
from corridor_cli.hosts.channel import Channel, Inbox
from corridor_cli.hosts.media_pool import MediaPool
from corridor_cli.hosts.messages import WorkerSetup
from corridor_cli.hosts.slots import create_arena
from corridor_cli.records import ProbeJob, ScanEnd, ScanJob, SceneFrames
from corridor_cli.settings import DecodeSettings, FrameSettings, SceneSettings
from tests import clips

SLOT_BYTES = 3 * 64 * 64
SETUP = WorkerSetup(
    DecodeSettings(stall_seconds=1.0), SceneSettings(), FrameSettings(save="none"), SLOT_BYTES, 64 * 64, ()
)


@pytest.fixture
def pool() -> Iterator[MediaPool]:
    arena_fd = create_arena(3, SLOT_BYTES)
    made = MediaPool(SETUP, arena_fd, 1, 3)
    yield made
    made.close()
    os.close(arena_fd)


def scan(pool: MediaPool, path: Path) -> ScanEnd:
    """Run one job to its end, giving every slot back at once."""
    pool.start(ScanJob(0, str(path)))
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for event in pool.receive():
            if isinstance(event, SceneFrames):
                for picked in event.picks:
                    if picked.frame:
                        pool.free(picked.frame.slot)
            if isinstance(event, ScanEnd):
                return event
        time.sleep(0.01)
    raise AssertionError("no end")


@pytest.mark.alone
def test_a_stopped_worker_is_lost_only_while_main_listens(
    pool: MediaPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "MAX_ROUND_SECONDS", 0.8)
    pool.start(ScanJob(7, str(clips.draw("1x1.mkv", tmp_path))))
    os.kill(pool.pids[0], signal.SIGSTOP)
    assert list(pool.kill_stuck()) == []
    time.sleep(1.2)  # main was stopped as well
    assert list(pool.kill_stuck()) == []
    lost = []
    for _ in range(15):
        time.sleep(0.1)
        lost += pool.kill_stuck()
    assert [(job.video, job.error.type) for job in lost] == [(7, "StalledError")]
    assert pool.has_idle_worker()


def test_a_worker_that_died_idle_is_replaced_without_a_loss(pool: MediaPool, tmp_path: Path) -> None:
    clip = clips.draw("1x1.mkv", tmp_path)
    assert scan(pool, clip).error is None
    os.kill(pool.pids[0], signal.SIGKILL)
    time.sleep(0.1)
    assert scan(pool, clip).error is None


def test_a_worker_that_cannot_even_start_costs_its_job_and_not_main(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corridor_cli.hosts.process._BOOTSTRAP", "raise SystemExit(3)")
    arena_fd = create_arena(3, SLOT_BYTES)
    pool = MediaPool(SETUP, arena_fd, 1, 3)
    for video in range(3):
        pool.start(ScanJob(video, "/nowhere.mp4"))
        lost = []
        while not lost:
            lost = list(pool.receive())
        assert [event.video for event in lost] == [video]
    pool.close()
    os.close(arena_fd)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")
def test_the_fewer_videos_are_left_the_more_processors_each_is_given(tmp_path: Path) -> None:
    """Workers that have no slot for their pictures wait with their file open."""
    clip = str(clips.draw("h264.mp4", tmp_path))
    arena_fd = create_arena(2, SLOT_BYTES)
    pool = MediaPool(replace(SETUP, num_cores=6), arena_fd, 2, 1)
    for video, (num_waiting, num_threads) in enumerate([(1, 3), (0, 3)]):
        pool.start(ScanJob(video, clip), num_waiting)
        assert num_decoder_threads(pool.pids[video]) == num_threads
    pool.close()
    alone = MediaPool(replace(SETUP, num_cores=6), arena_fd, 2, 1)
    alone.start(ScanJob(0, clip))
    assert num_decoder_threads(alone.pids[0]) == 6
    alone.close()
    os.close(arena_fd)


def num_decoder_threads(pid: int) -> int:
    """Of FFmpeg's own in a process, once they are all there: their number has not changed for a while."""
    deadline, counts = time.monotonic() + 20, [0]
    while time.monotonic() < deadline:
        names = []
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):  # it ended meanwhile
                names.append(task.joinpath("comm").read_text())
        counts.append(sum(name.startswith("av:h264") for name in names))
        if counts[-1] and len(set(counts[-30:])) == 1:
            return counts[-1]
        time.sleep(0.01)
    raise AssertionError(f"threads of a decoder: {counts[-1]}")


def test_nothing_comes_of_a_job_behind_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Main has forgotten the video by then. A sign of life is due at every step here."""
    monkeypatch.setattr(media_worker, "_HEARTBEAT_SECONDS", 0.0)
    monkeypatch.setattr(
        Inbox, "_read_ahead", lambda inbox: None
    )  # it would end this process with its channel
    ours, theirs = (Channel(end.detach()) for end in socket.socketpair())
    worker = media_worker.MediaWorker(SETUP, None, theirs, Inbox(theirs))
    gc.unfreeze()
    clip = str(clips.draw("1x1.mkv", tmp_path))
    for job in (ScanJob(0, clip, wanted=()), ScanJob(1, clip), ProbeJob(2, clip)):
        worker.take(job)
        events = []
        while ours.has_record():
            events.append(ours.receive())
        assert [type(event) for event in events].index(ScanEnd) == len(events) - 1
    ours.close()
    theirs.close()
