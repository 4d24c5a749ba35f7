"""What a run counts while it goes on, and the time it will still take."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from corridor_cli.pipeline.video import VideoWork
from corridor_cli.records import BatchStarted, BatchStats, Caption, EngineInfo
from corridor_cli.telemetry import MIN_FORECAST_SECONDS, Counters, VideoOutcome, eta_seconds

_MIN_SHARE = 0.02  # less than this says nothing about the rest


class Tally:
    """Counts of one run. Shares of work are weighed by file size: the one figure every input has.

    `num_unreadable` inputs have failed before the first of `videos` is begun. A run that only scans is not
    `is_captioning`.
    """

    def __init__(
        self, videos: Sequence[VideoWork], num_unreadable: int, *, is_captioning: bool = True
    ) -> None:
        self.is_captioning = is_captioning
        self._videos = list(videos)
        self._started = time.monotonic()
        self._total_bytes = sum(video.plan.source.size_bytes for video in videos) or 1
        self._done_bytes = 0
        self._scanned_bytes_of_finished = 0
        self.scan_seconds_of_finished = 0.0
        self._frames_of_finished = 0
        self._scenes_of_finished = 0
        self._captions_of_finished = 0
        self._num_done = num_unreadable
        self._batches: Counter[int] = Counter()
        self.num_failed = num_unreadable
        self.num_captions = 0
        self.num_oom_retries = 0
        self.batch_size: int | None = None
        self.peak_memory_bytes: int | None = None

    def engine_started(self, info: EngineInfo) -> None:
        self.batch_size = info.batch_size

    def batch_started(self, batch: BatchStarted) -> None:
        self._batches.update({key.video for key in batch.keys})

    def num_batches_of(self, video: int) -> int:
        """How many batches held requests of this video."""
        return self._batches[video]

    def batch_done(self, stats: BatchStats) -> None:
        self.num_oom_retries += stats.num_oom_retries
        self.batch_size = stats.next_batch_size or self.batch_size
        if stats.peak_memory_bytes is not None:
            self.peak_memory_bytes = max(self.peak_memory_bytes or 0, stats.peak_memory_bytes)

    def answered(self, caption: Caption) -> None:
        self.num_captions += caption.error is None

    def finished(self, video: VideoWork, outcome: VideoOutcome) -> None:
        self._videos.remove(video)
        self._done_bytes += video.plan.source.size_bytes
        if not video.is_scan_reused:
            self._scanned_bytes_of_finished += video.plan.source.size_bytes
            self.scan_seconds_of_finished += video.scan_seconds
        self._frames_of_finished += video.num_frames
        self._scenes_of_finished += outcome.num_scenes
        self._captions_of_finished += len(video.captions)
        self._num_done += 1
        self.num_failed += outcome.status in ("partial", "failed")

    @property
    def num_scenes(self) -> int:
        return self._scenes_of_finished + sum(len(video.scenes) for video in self._videos)

    @property
    def wall_seconds(self) -> float:
        return time.monotonic() - self._started

    def expected_captions(self) -> int | None:
        """How many captions are still to come, from the share of the work scanned so far; None too early."""
        scanned = self._done_bytes + sum(v.share_scanned * v.plan.source.size_bytes for v in self._videos)
        if scanned < _MIN_SHARE * self._total_bytes:
            return None
        num_there = self._captions_of_finished + sum(len(v.captions) for v in self._videos)
        num_open = sum(len(v.open) for v in self._videos)
        return round((num_there + num_open) * self._total_bytes / scanned) - num_there

    def expected_decoding_seconds(self, num_workers: int, waited_seconds: float) -> float | None:
        """How long `num_workers` still decode, from the scans of this run; None where they say too little.

        Their waiting for slots, `waited_seconds` of all workers until now, is not decoding. Scans that are
        known are taken for new ones until their turn comes, so a resumed run may be sooner.
        """
        left = sum((1.0 - video.share_scanned) * video.plan.source.size_bytes for video in self._videos)
        if not left:
            return 0.0
        now = time.monotonic()
        fresh = [video for video in self._videos if video.num_jobs and not video.is_scan_reused]
        num_bytes = self._scanned_bytes_of_finished + sum(
            video.share_scanned * video.plan.source.size_bytes for video in fresh
        )
        seconds = self.scan_seconds_of_finished - waited_seconds
        seconds += sum(video.scan_seconds if video.is_decoded else now - video.started_at for video in fresh)
        if num_bytes < _MIN_SHARE * self._total_bytes or seconds < MIN_FORECAST_SECONDS:
            return None
        return left / num_bytes * seconds / num_workers

    def counters(self) -> Counters:
        under_way = [video for video in self._videos if video.num_jobs]
        done_bytes = self._done_bytes + sum(v.share_done * v.plan.source.size_bytes for v in under_way)
        share_done = done_bytes / self._total_bytes
        return Counters(
            videos_done=self._num_done,
            videos_total=self._num_done + len(self._videos),
            videos_failed=self.num_failed,
            scenes=self.num_scenes,
            captions_done=self.num_captions,
            captions_pending=sum(len(video.open) for video in under_way),
            frames_decoded=self._frames_of_finished + sum(video.num_frames for video in under_way),
            elapsed_seconds=self.wall_seconds,
            batch_size=self.batch_size,
            memory_bytes=self.peak_memory_bytes,
            eta_seconds=eta_seconds(self.wall_seconds, share_done),
            share_done=share_done,
            is_captioning=self.is_captioning,
        )
