"""What `vlmtl estimate` keeps of the videos it looks into: what they hold, and how long it took to see.

Scans go as in a run, pictures for the model and to save included, but nothing is written and nobody answers:
`Unasked` takes requests and gives their slots back at once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from corridor_cli.pipeline.keeper import ScanKeeper
from corridor_cli.pipeline.video import VideoWork
from corridor_cli.records import (
    BatchStats,
    Caption,
    EngineInfo,
    PickedFrame,
    ReaderChoice,
    Request,
    ScanJob,
    ScoreRows,
    VideoInfo,
    VideoProbed,
)
from corridor_cli.telemetry import Counters, Reporter, RunPlan, VideoOutcome
from corridor_cli.timeline.scan_record import ScanRecord

_ALWAYS_FREE = 1024


@dataclass(slots=True)
class Sampled:
    """One video that was looked into. `record` is None where nothing of it could be used.

    `begun_at`, `opened_at` and `ended_at` are on the monotonic clock; `marks` are moments of its scan: the
    time, and the frames seen until then.
    """

    video: VideoWork
    begun_at: float
    record: ScanRecord | None = None
    opened_at: float | None = None
    ended_at: float | None = None
    num_pictures: int = 0
    picture_bytes: int = 0
    marks: list[tuple[float, int]] = field(default_factory=list)

    @property
    def num_frames(self) -> int:
        """Frames seen until now."""
        return self.marks[-1][1] if self.marks else 0


class Unasked:
    """A captioner that answers every request with nothing. `look` is called in every round of the loop."""

    info: EngineInfo | None = None
    connection: Connection | None = None
    num_free = _ALWAYS_FREE

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self._asked: list[Request] = []

    @property
    def num_open(self) -> int:
        return len(self._asked)

    def launch(self) -> None:
        """There is nothing to start."""

    def submit(self, request: Request) -> None:
        self._asked.append(request)

    def poll(self, timeout_seconds: float) -> list[Caption]:
        self._samples.look()
        asked, self._asked = self._asked, []
        return [Caption(request.key, "", 0, 0, "stop") for request in asked]


class Samples(ScanKeeper):
    """Keeps what was seen. After `seconds` no further video is begun."""

    def __init__(self, seconds: float) -> None:
        self._started_at = time.monotonic()
        self._seconds = seconds
        self._under_way: dict[int, Sampled] = {}
        self.sampled: list[Sampled] = []

    def open(self, video: VideoWork) -> None:
        """A look begins, perhaps again: after a worker was lost all of it comes once more."""
        self._under_way[video.ordinal] = Sampled(video, time.monotonic())

    def job(self, video: VideoWork) -> ScanJob | None:
        if time.monotonic() - self._started_at > self._seconds:
            return None
        return video.job(save_pictures=False)

    def hear(self, video: VideoWork, event: VideoProbed | ScoreRows) -> None:
        raise AssertionError(f"a look asks for no {type(event).__name__}")

    def save_picture(self, video: VideoWork, scene_index: int, picked: PickedFrame) -> None:
        if picked.image is not None:
            sampled = self._under_way[video.ordinal]
            sampled.num_pictures += 1
            sampled.picture_bytes += len(picked.image)

    def save_scan(self, video: VideoWork) -> None:
        sampled = self._under_way[video.ordinal]
        sampled.ended_at = time.monotonic()
        sampled.record = video.record
        sampled.marks.append((sampled.ended_at, video.num_frames))

    def log_caption(self, video: VideoWork, caption: Caption) -> None:
        """Nobody has answered."""

    def finish(self, video: VideoWork) -> VideoOutcome:
        self.sampled.append(self._under_way.pop(video.ordinal))
        return VideoOutcome(str(video.plan.source.path), video.relative, "complete")

    # --- what the clock says ---

    def opened(self, relative: str) -> None:
        """The file was opened: what came before was the start of its worker, or the opening itself."""
        for sampled in self._under_way.values():
            if sampled.video.relative == relative and sampled.opened_at is None:
                sampled.opened_at = time.monotonic()

    def look(self) -> None:
        """Note how far the scans have come."""
        now = time.monotonic()
        for sampled in self._under_way.values():
            if sampled.ended_at is None and sampled.video.num_frames > sampled.num_frames:
                sampled.marks.append((now, sampled.video.num_frames))


class QuietReporter:
    """Passes on notes and warnings, and nothing of what becomes of single videos."""

    def __init__(self, reporter: Reporter) -> None:
        self.note = reporter.note
        self.warn = reporter.warn

    def video_opened(self, relative: str, info: VideoInfo, reader: ReaderChoice) -> None:
        """Not told."""

    def tick(self, counters: Counters) -> None:
        """Not told: bars would count what is only looked into."""

    def run_planned(self, plan: RunPlan) -> None:
        """Not told."""

    def engine_started(self, info: EngineInfo) -> None:
        """Not told."""

    def batch_done(self, stats: BatchStats) -> None:
        """Not told."""

    def video_finished(self, outcome: VideoOutcome) -> None:
        """Not told."""


class SampleReporter(QuietReporter):
    """Tells the samples when a file was opened."""

    def __init__(self, reporter: Reporter, samples: Samples) -> None:
        super().__init__(reporter)
        self._samples = samples

    def video_opened(self, relative: str, info: VideoInfo, reader: ReaderChoice) -> None:
        self._samples.opened(relative)
