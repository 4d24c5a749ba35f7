"""What a media worker may take from the system, and what becomes of a file that wants more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sample_clips import Encoding, write_video
from test_media_pool import SETUP, SLOT_BYTES, scan

from corridor_cli.hosts.media_pool import MediaPool
from corridor_cli.hosts.slots import create_arena
from corridor_cli.records import ScanJob
from corridor_cli.settings import DecodeSettings
from tests import clips

ROOT = Path(__file__).parents[2]
LARGE = (1600, 1200)
LIMIT = 30_000_000  # bytes; ten decoded pictures of that size

CONFINED = """
import mmap, os, sys
from corridor_cli.hosts.confine import confine
arena = os.memfd_create("arena")
os.ftruncate(arena, 1 << 30)
confine(64 * 1024 * 1024)
shared = mmap.mmap(arena, 1 << 30)
shared[:4096] = b"x" * 4096
kept = bytearray(32 * 1024 * 1024)
try:
    more = bytearray(64 * 1024 * 1024)
except MemoryError:
    print("memory is bounded")
del kept
again = bytearray(48 * 1024 * 1024)
with open("file", "wb") as file:
    try:
        for _ in range(3):
            file.write(b"x" * 1024 * 1024)
            file.flush()
    except OSError as error:
        print("files are bounded:", file.tell())
files = []
try:
    for _ in range(600):
        files.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    print("open files are bounded")
for each in files:
    os.close(each)
import resource
print("core dumps:", resource.getrlimit(resource.RLIMIT_CORE))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems bound less")
def test_memory_files_and_core_dumps_are_bounded_and_the_arena_is_not(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CONFINED],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "memory is bounded",
        f"files are bounded: {1024 * 1024}",
        "open files are bounded",
        "core dumps: (0, 0)",
    ]
    assert (tmp_path / "file").stat().st_size <= 1024 * 1024


@pytest.fixture
def small_pool() -> Iterator[MediaPool]:
    arena_fd = create_arena(3, SLOT_BYTES)
    made = MediaPool(replace(SETUP, decode=DecodeSettings(max_memory_bytes=LIMIT)), arena_fd, 1, 3)
    yield made
    made.close()
    os.close(arena_fd)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems bound less")
def test_a_file_that_wants_too_much_memory_costs_itself_alone(small_pool: MediaPool, tmp_path: Path) -> None:
    how = Encoding(options=clips.X264)
    large = write_video(tmp_path / "a.mkv", clips.solid("green", 24, LARGE), how)
    small = clips.draw("h264.mp4", tmp_path)
    for _ in range(2):  # what one file wanted must not be missed by the next
        end = scan(small_pool, large)
        assert end.error is not None
        assert end.error.type == "LimitError"
        words = "more memory than the 30,000,000 bytes allowed by decode.max_memory_bytes"
        assert words in end.error.message
        assert "frames were read" in end.error.message
        (worker,) = small_pool.pids
        assert scan(small_pool, small).error is None
        assert small_pool.pids == [worker]


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_a_worker_that_dies_is_one_videos_failure(
    small_pool: MediaPool, tmp_path: Path, number: signal.Signals
) -> None:
    small_pool.start(ScanJob(3, str(clips.draw("h264.mp4", tmp_path))))
    os.kill(small_pool.pids[0], number)
    lost = []
    while not lost:
        time.sleep(0.02)
        lost = [event for event in small_pool.receive() if not hasattr(event, "info")]
    (job,) = lost
    assert job.video == 3
    assert job.error.type == "WorkerDiedError"
    assert f"was killed by {number.name}" in job.error.message
    assert "after no frame" in job.error.message
    assert scan(small_pool, clips.draw("h264.mp4", tmp_path)).error is None
