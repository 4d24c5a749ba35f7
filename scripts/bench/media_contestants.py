"""Who decodes and looks for scenes in `bench_media.py`: PyAV alone, this project's worker, PySceneDetect.

Each works in a process of its own, which lives for all rounds: one of ours has the environment of a worker.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import av

from corridor_cli.hosts.media_pool import WORKER_ENVIRONMENT
from corridor_cli.hosts.media_worker import MediaWorker
from corridor_cli.hosts.messages import WorkerSetup
from corridor_cli.hosts.slots import Slots, create_arena
from corridor_cli.pipeline.plan import ModelIdentity
from corridor_cli.records import ScanEnd, ScanJob, SceneFrames, SlotsFreed
from corridor_cli.runners.picture_limits import picture_limits
from corridor_cli.settings import DecodeSettings, FrameSettings, SceneSettings

# What a run with InternVL3 and one tile asks for.
_LIMITS = picture_limits(ModelIdentity("internvl3", "auto", 448, cuts_tiles=True), max_tiles=1)
MAX_PIXELS = _LIMITS.max_pixels
SETUP = WorkerSetup(
    DecodeSettings(),
    SceneSettings(),
    FrameSettings(),
    _LIMITS.slot_bytes,
    _LIMITS.max_pixels,
    (),
    enough_pixels=_LIMITS.enough_pixels,
)


@dataclass
class Outcome:
    """What one contestant did with one file. `starts` are the first frames of the scenes but the first."""

    frames: int
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    starts: tuple[int, ...] = ()
    decoded: int = 0
    reader: str = ""


@contextmanager
def on_cores(number: int) -> Iterator[None]:
    """Keep this thread, and those it starts, on so many cores."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[-number:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


class _Worker:
    """The media worker's own code on this thread, file after file as in a run. Stands for main and the inbox
    as well: takes what the worker tells, and gives every slot back at once."""

    def __init__(self, changes: dict[str, Any]) -> None:
        self.scenes: list[SceneFrames] = []
        self.end: ScanEnd | None = None
        setup = replace(SETUP, free_slots=(0, 1, 2), **changes)
        arena_fd = create_arena(3, setup.slot_bytes)
        slots = Slots(arena_fd, setup.slot_bytes)
        os.close(arena_fd)
        self._worker = MediaWorker(setup, slots, self, self)  # type: ignore[arg-type]

    def scan(self, path: Path, num_threads: int) -> ScanEnd:
        self.scenes, self.end = [], None
        self._worker.take(ScanJob(0, str(path), num_threads=num_threads))
        assert self.end is not None
        return self.end

    def send(self, record: object) -> None:
        if isinstance(record, SceneFrames):
            self.scenes.append(replace(record, picks=()))
            freed = tuple(picked.frame.slot for picked in record.picks if picked.frame)
            self._worker.take(SlotsFreed(freed))
        elif isinstance(record, ScanEnd):
            self.end = record

    def get_nowait(self) -> None:
        """Nothing waits: slots are given back in `send`."""


@cache
def _worker(*changes: tuple[str, Any]) -> _Worker:
    return _Worker(dict(changes))


def scan(path: Path, num_threads: int = 1, **changes: Any) -> Outcome:
    """Picks are converted, checked, shrunk and encoded, by the same worker as the last time."""
    worker = _worker(*changes.items())
    end = worker.scan(path, num_threads)
    if end.error is not None:
        raise RuntimeError(f"{path}: {end.error.message}")
    starts = tuple(
        each.scene.start_frame for each in worker.scenes[1:] if each.scene and each.scene.boundary != "split"
    )
    told = "; ".join(end.reader.fallbacks) if end.reader else ""
    decoded = end.num_frames if end.num_decoded is None else end.num_decoded
    return Outcome(end.num_frames, starts=starts, decoded=decoded, reader=told)


def decode_only(path: Path) -> Outcome:
    """PyAV on one thread, the frames thrown away."""
    count = 0
    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        stream.codec_context.thread_count = 1
        for packet in container.demux(stream):
            count += len(packet.decode())
    return Outcome(count)


def pyscenedetect(path: Path, backend: str, threads: str | None = None) -> Outcome:
    """PySceneDetect's `AdaptiveDetector` at its defaults; its PyAV with the kind of FFmpeg's threads that is
    named, AUTO in its command, or none."""
    from scenedetect import AdaptiveDetector, SceneManager, open_video

    options: dict[str, Any] = {"threading_mode": threads} if backend == "pyav" else {}
    video = open_video(str(path), backend=backend, **options)
    manager = SceneManager()
    manager.add_detector(AdaptiveDetector())
    count = manager.detect_scenes(video)
    found = manager.get_scene_list()
    return Outcome(count, starts=tuple(start.frame_num for start, _ in found[1:]))


CONTESTANTS: dict[str, tuple[int, Callable[[Path], Outcome]]] = {
    "decode": (1, decode_only),
    "scan": (1, scan),
    "scan, 2 cores": (2, lambda path: scan(path, num_threads=2, reads_ahead=True)),
    "keyframes": (1, lambda path: scan(path, scenes=SceneSettings(scan="keyframes"))),
    "psd pyav": (1, lambda path: pyscenedetect(path, "pyav")),
    "psd opencv": (1, lambda path: pyscenedetect(path, "opencv")),
    "psd pyav, 2 cores": (2, lambda path: pyscenedetect(path, "pyav", "AUTO")),
}
"""How many cores each may use, and what it does."""


class Contestants:
    """The processes of those named; to be used in a `with`."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def __enter__(self) -> Contestants:
        self._children = {name: self._start(name) for name in self._names}
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._children.values():
            child.communicate()  # an end of its input ends it

    @staticmethod
    def _start(name: str) -> subprocess.Popen[str]:
        ours = {} if name.startswith(("decode", "psd")) else WORKER_ENVIRONMENT
        return subprocess.Popen(
            [sys.executable, "-m", "bench.media_contestants", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[1],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **ours},
        )

    def timed(self, name: str, path: Path) -> Outcome:
        """One round of one contestant: wall seconds, and processor seconds of all its threads."""
        child = self._children[name]
        assert child.stdin is not None
        assert child.stdout is not None
        print(path.absolute(), file=child.stdin, flush=True)
        line = child.stdout.readline()
        if not line:
            raise RuntimeError(f"{name} ended while it worked on {path}")
        told = json.loads(line)
        return Outcome(**told | {"starts": tuple(told["starts"])})


def main(name: str) -> None:
    """Work on the files whose paths come in, a line each, and tell the outcome of each in a line."""
    # What a library prints must not be taken for an outcome.
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        print(json.dumps(asdict(_timed(name, Path(line.rstrip("\n"))))), file=answers, flush=True)


def _timed(name: str, path: Path) -> Outcome:
    cores, work = CONTESTANTS[name]
    with on_cores(cores):
        started, cpu_started = time.perf_counter(), time.process_time()
        outcome = work(path)
        outcome.seconds = time.perf_counter() - started
        outcome.cpu_seconds = time.process_time() - cpu_started
    return outcome


if __name__ == "__main__":
    main(sys.argv[1])
