"""The pipeline under a clock: the real loop, hosts and documents, with the model loaded before it starts.

`PreparedMedia` stands where the media workers do and hands out frames that lie in the arena already, so that
what the pipe itself costs can be seen apart from decoding.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path

from bench.workload import Pixels
from corridor_cli.hosts.hosted_engine import HostedEngine
from corridor_cli.hosts.media_pool import MediaPool, WorkerEvent
from corridor_cli.hosts.messages import EngineSetup, JobLost
from corridor_cli.hosts.slots import Slots, create_arena
from corridor_cli.media.discover import discover
from corridor_cli.pipeline.documents import Documents
from corridor_cli.pipeline.exports import VideoExports
from corridor_cli.pipeline.plan import VideoPlan, plan_videos
from corridor_cli.pipeline.run import Pipeline
from corridor_cli.pipeline.stop import StopSignals
from corridor_cli.pipeline.tally import Tally
from corridor_cli.pipeline.video import VideoWork
from corridor_cli.pipeline.writer import Writer
from corridor_cli.records import (
    EngineInfo,
    FrameRef,
    PickedFrame,
    ReaderChoice,
    ScanEnd,
    ScanJob,
    SceneFrames,
    VideoInfo,
)
from corridor_cli.runners.local import _MAX_SLOTS
from corridor_cli.runners.model_name import identify_model
from corridor_cli.runners.picture_limits import picture_limits
from corridor_cli.runners.workers import plan_workers, worker_setup
from corridor_cli.settings import Settings
from corridor_cli.telemetry import Counters, RunOptions, RunPlan, VideoOutcome
from corridor_cli.timeline.layout import OutputLayout
from corridor_cli.timeline.lock import OutputLock


@dataclass
class Recording:
    """What a scan reported of each video, and the pictures it picked. `seconds` is the scan's wall time."""

    events: dict[int, list[WorkerEvent]] = field(default_factory=dict)
    pictures: dict[tuple[int, int, int], Pixels] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def frames(self) -> list[Pixels]:
        return list(self.pictures.values())

    @property
    def num_decoded(self) -> int:
        ends = (event for events in self.events.values() for event in events if isinstance(event, ScanEnd))
        return sum(end.num_frames for end in ends)


class Stage:
    """An arena, a started engine host, and the sources: runs them as often as one likes.

    The first slots are the media workers', the rest hold the pictures of `prepare`. `write_seconds` is what
    the latest run spent on writing, beside its other work.
    """

    def __init__(self, inputs: Sequence[Path], settings: Settings, num_prepared: int) -> None:
        self._inputs = inputs
        self._settings = settings
        self._model = identify_model(settings)
        workers = plan_workers(settings, len(inputs))
        self._num_workers = workers.num_workers
        limits = picture_limits(self._model, settings.gpu_pipeline.internvl3.max_tiles)
        self._slot_bytes = limits.slot_bytes
        self._slots_each = min(_MAX_SLOTS, max(3, 2**28 // (self._slot_bytes * self._num_workers)))
        self.first_prepared = self._num_workers * self._slots_each
        self._arena_fd = create_arena(self.first_prepared + num_prepared, self._slot_bytes)
        self.slots = Slots(self._arena_fd, self._slot_bytes)
        self._setup = worker_setup(settings, limits, workers)
        self._engine: HostedEngine | None = None
        self.write_seconds = 0.0

    def start_engine(self) -> EngineInfo:
        """Load the model in its host; the seconds are not counted."""
        settings = self._settings
        setup = EngineSetup(settings.gpu_pipeline.internvl3, self._slot_bytes, settings.caption)
        self._engine = HostedEngine(setup, self._arena_fd, self._settings.errors, lambda event: None, _refuse)
        return self._engine.start()

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()
        os.close(self._arena_fd)

    def workers(self) -> MediaPool:
        return MediaPool(self._setup, self._arena_fd, self._num_workers, self._slots_each)

    def scan(self) -> Recording:
        """Decode, split and pick every source without captioning; each slot is freed at once."""
        recording = Recording()
        media = self.workers()
        with tempfile.TemporaryDirectory() as folder:
            to_do = deque(self._videos(OutputLayout(Path(folder).resolve())))
        started = time.perf_counter()
        num_open = len(to_do)
        try:
            while num_open:
                while to_do and media.has_idle_worker():
                    video = to_do.popleft()
                    media.start(ScanJob(video.ordinal, str(video.plan.source.path)), len(to_do))
                wait(media.connections, 1.0)
                for event in media.receive():
                    if isinstance(event, JobLost):
                        raise RuntimeError(event.error.message)
                    recording.events.setdefault(event.video, []).append(event)
                    if isinstance(event, SceneFrames):
                        self._keep(recording, media, event)
                    num_open -= isinstance(event, ScanEnd)
        finally:
            media.close()
        recording.seconds = time.perf_counter() - started
        return recording

    def _keep(self, recording: Recording, media: MediaPool, event: SceneFrames) -> None:
        for number, picked in enumerate(event.picks):
            if picked.frame is not None:
                key = (event.video, event.scene_index, number)
                recording.pictures[key] = self.slots.pixels(picked.frame).copy()
                media.free(picked.frame.slot)

    def run(self, media: MediaPool | PreparedMedia) -> float:
        """Seconds from the first job to the last document on disk; OUTPUT is thrown away."""
        assert self._engine is not None, "start_engine first"
        with tempfile.TemporaryDirectory() as folder:
            layout = OutputLayout(Path(folder).resolve())
            videos = self._videos(layout)
            tally, writer = Tally(videos, 0), Writer()
            with OutputLock(layout) as lock, StopSignals() as signals:
                exports = VideoExports(layout, (), writer)
                documents = Documents(layout, lock, self._settings, RunOptions(), writer, tally, exports)
                pipeline = Pipeline(
                    videos, media, self._engine, documents, writer, self._settings, Silence(), tally  # type: ignore[arg-type]
                )  # fmt: skip
                started = time.perf_counter()
                try:
                    pipeline.run(signals)
                finally:
                    media.close()
                    writer.close()
                seconds = time.perf_counter() - started
                self.write_seconds = writer.seconds
                writer.check()
            failed = [outcome for outcome in pipeline.outcomes if outcome.status != "complete"]
            if failed or signals.received:
                raise RuntimeError(f"the run did not complete: {failed or 'stopped by a signal'}")
        return seconds

    def _videos(self, layout: OutputLayout) -> list[VideoWork]:
        sources = discover([str(path) for path in self._inputs], self._settings.input, layout.root).sources
        plans = plan_videos(sources, layout, self._settings, self._model, RunOptions())
        return [VideoWork(ordinal, plan) for ordinal, plan in enumerate(plans) if isinstance(plan, VideoPlan)]


class PreparedMedia:
    """Answers jobs as a `MediaPool` does, at once, with what was recorded."""

    num_workers = 1
    waited_seconds = 0.0  # for slots, which here are never short

    def __init__(self, stage: Stage, recording: Recording) -> None:
        refs: dict[tuple[int, int, int], FrameRef] = {
            key: stage.slots.write(stage.first_prepared + number, picture)
            for number, (key, picture) in enumerate(recording.pictures.items())
        }
        self._events = {
            video: [_with_refs(event, refs) for event in events] for video, events in recording.events.items()
        }
        self._told: deque[WorkerEvent] = deque()
        self._bell, self._ringer = os.pipe()
        self._ear = Connection(self._bell, writable=False)
        self.connections: list[Connection] = [self._ear]

    def has_idle_worker(self) -> bool:
        return not self._told

    def start(self, job: ScanJob, num_waiting: int = 0) -> None:
        self._told.extend(self._events[job.video])
        os.write(self._ringer, b"!")

    def receive(self) -> Iterator[WorkerEvent]:
        if self._told:
            os.read(self._bell, 64)
        while self._told:
            yield self._told.popleft()

    def kill_stuck(self) -> Iterator[JobLost]:
        return iter(())

    def free(self, slot: int) -> None:
        """The pictures stay where they are."""

    def close(self) -> None:
        if not self._ear.closed:
            self._ear.close()
            os.close(self._ringer)


def _with_refs(event: WorkerEvent, refs: dict[tuple[int, int, int], FrameRef]) -> WorkerEvent:
    if not isinstance(event, SceneFrames):
        return event

    def moved(number: int, picked: PickedFrame) -> PickedFrame:
        return replace(picked, frame=refs.get((event.video, event.scene_index, number)))

    return replace(event, picks=tuple(moved(number, picked) for number, picked in enumerate(event.picks)))


class Silence:
    """A `Reporter` that passes nothing on but warnings, which would make a measurement worthless."""

    def note(self, message: str) -> None: ...
    def warn(self, message: str) -> None:
        _refuse(message)

    def run_planned(self, plan: RunPlan) -> None: ...
    def engine_started(self, info: EngineInfo) -> None: ...
    def video_opened(self, relative: str, info: VideoInfo, reader: ReaderChoice) -> None: ...
    def batch_done(self, stats: object) -> None: ...
    def video_finished(self, outcome: VideoOutcome) -> None: ...
    def tick(self, counters: Counters) -> None: ...


def _refuse(message: str) -> None:
    raise RuntimeError(f"something went wrong during the measurement: {message}")


@contextmanager
def staged(inputs: Sequence[Path], settings: Settings, num_prepared: int) -> Iterator[Stage]:
    """A stage that is closed again."""
    stage = Stage(inputs, settings, num_prepared)
    try:
        yield stage
    finally:
        stage.close()
