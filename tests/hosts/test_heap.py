"""What a worker's heap keeps of one file's pictures for the next, and when it gives them back."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from corridor_cli.hosts import heap, media_worker
from corridor_cli.hosts.channel import Channel, Inbox
from corridor_cli.hosts.media_pool import WORKER_ENVIRONMENT
from corridor_cli.hosts.media_worker import MediaWorker
from corridor_cli.hosts.messages import WorkerSetup
from corridor_cli.records import ScanEnd, ScanJob, VideoOpened
from corridor_cli.settings import DecodeSettings, FrameSettings, SceneSettings
from tests.clips import draw

# Blocks as a decoder takes them, and one behind them that holds the top of the heap.
PROGRAM = """\
from corridor_cli.hosts.heap import give_back_heap
import resource
def resident_mib():
    fields = open("/proc/self/statm").read().split()
    return int(fields[1]) * resource.getpagesize() // 2**20
before = resident_mib()
planes = [bytearray(b"x") * 2_000_000 for _ in range(40)]
last = bytearray(b"x") * 60_000
held = resident_mib() - before
planes.clear()
kept = resident_mib() - before
give_back_heap()
print(held, kept, resident_mib() - before)
"""


@pytest.mark.skipif(heap._trim is None or not Path("/proc/self/statm").exists(), reason="no glibc")
def test_a_worker_keeps_pictures_until_they_are_given_back() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, **WORKER_ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    held, kept, left = map(int, done.stdout.split())
    assert held > 70
    assert kept > 70
    assert left < 10


def test_where_there_is_no_glibc_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "_trim", None)
    heap.give_back_heap()


@pytest.fixture
def collector_thawed() -> Iterator[None]:
    """A worker freezes what its process has loaded; this process goes on."""
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("collector_thawed")
def test_it_is_given_back_before_pictures_of_another_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_back: list[str] = []
    told: list[object] = []
    monkeypatch.setattr(media_worker, "give_back_heap", lambda: given_back.append(names[-1]))
    setup = WorkerSetup(DecodeSettings(), SceneSettings(), FrameSettings(), 0, 0, ())
    main = SimpleNamespace(send=told.append)
    worker = MediaWorker(setup, None, cast(Channel, main), cast(Inbox, None))
    names: list[str] = []
    for name in ("h264.mp4", "h264_bframes.mp4", "vp9.webm", "1x1.mkv", "1x1.mkv"):
        names.append(name)
        worker.take(ScanJob(0, str(draw(name, tmp_path))))
    assert all(each.error is None for each in told if isinstance(each, ScanEnd))
    sizes = [(each.info.width_px, each.info.height_px) for each in told if isinstance(each, VideoOpened)]
    changes = [
        name for name, size, before in zip(names, sizes, [None, *sizes], strict=False) if size != before
    ]
    assert given_back == changes
    assert len(changes) == len(set(sizes)) > 1


@pytest.mark.usefixtures("collector_thawed")
def test_after_huge_pictures_it_is_given_back_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert heap.is_too_much_to_keep(7680, 4320)
    assert not heap.is_too_much_to_keep(4096, 2160)
    given_back: list[None] = []
    monkeypatch.setattr(heap, "HUGE_BYTES", 1000)
    monkeypatch.setattr(media_worker, "give_back_heap", lambda: given_back.append(None))
    setup = WorkerSetup(DecodeSettings(), SceneSettings(), FrameSettings(), 0, 0, ())
    main = SimpleNamespace(send=lambda _: None)
    worker = MediaWorker(setup, None, cast(Channel, main), cast(Inbox, None))
    worker.take(ScanJob(0, str(draw("h264.mp4", tmp_path))))
    assert len(given_back) == 2  # before the first file, and behind it
