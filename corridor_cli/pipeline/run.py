"""The way from videos to timelines: one loop that never blocks on any single video, host or disk.

    hand out jobs ▶ take scenes ▶ ask for captions ▶ log answers ▶ commit documents

Main only moves records; decoding, captioning and writing go on beside it, in processes and a thread of
their own.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from multiprocessing.connection import Connection, wait
from socket import socket

from corridor_cli.errors import LimitError, StoppedError
from corridor_cli.hosts.media_pool import MediaPool, WorkerEvent
from corridor_cli.hosts.messages import JobLost
from corridor_cli.pipeline.asking import Asker
from corridor_cli.pipeline.keeper import Captioner, Keeper
from corridor_cli.pipeline.stop import StopSignals
from corridor_cli.pipeline.summing import Summarizer
from corridor_cli.pipeline.tally import Tally
from corridor_cli.pipeline.video import VideoWork
from corridor_cli.pipeline.writer import Writer
from corridor_cli.records import (
    Caption,
    FrameRef,
    Progress,
    Request,
    RequestKey,
    ScanEnd,
    ScanJob,
    SceneFrames,
    ScoreRows,
    VideoOpened,
    VideoProbed,
)
from corridor_cli.settings import Settings
from corridor_cli.telemetry import MIN_FORECAST_SECONDS, Reporter, VideoOutcome, expected_time_note

_TICK_SECONDS = 0.25
_GRACE_SECONDS = 3.0
# Answers of one batch come one by one, but closer together than this.
_TOGETHER_SECONDS = 0.05


class Pipeline:
    """Takes videos through the hosts to their documents. Make one for each run, call `run` once."""

    def __init__(
        self,
        videos: Sequence[VideoWork],
        media: MediaPool,
        engine: Captioner,
        keeper: Keeper,
        writer: Writer,
        settings: Settings,
        reporter: Reporter,
        tally: Tally,
    ) -> None:
        self._videos = {video.ordinal: video for video in videos}
        self._to_do = deque(videos)
        self._media = media
        self._engine = engine
        self._keeper = keeper
        self._writer = writer
        self._settings = settings
        self._reporter = reporter
        self._tally = tally
        self._asker = Asker(settings.caption)
        self._summarizer = Summarizer(settings.caption)
        self._waiting: deque[Request] = deque()
        self._asked: dict[RequestKey, Request] = {}
        self._is_time_told = False
        self._next_tick = 0.0
        self.outcomes: list[VideoOutcome] = []

    def run(self, signals: StopSignals) -> None:
        """Work until every video has its document or a signal asks to stop.

        Raises `StoppedError` when failures reach the limit the user set, `ModelError` and `StorageError`
        when the run cannot go on. Whatever happens, what is logged and committed stays.
        """
        while self._videos and signals.received is None and not self._has_failed_enough:
            self._hand_out()
            self._ask()
            self._wait(signals)
            for event in self._media.receive():
                self._take(event)
            for lost in self._media.kill_stuck():
                self._job_lost(lost)
            for caption in self._engine.poll(timeout_seconds=0):
                self._answered(caption)
            self._writer.check()
            self._tell()
        if signals.received is None and not self._has_failed_enough:
            return
        self._finish_batch()
        if signals.received is None:
            raise StoppedError(
                f"Stopped after {self._tally.num_failed} failed or partial inputs, as asked.",
                hint="The same command goes on with the rest.",
            )

    # --- the steps of the loop ---

    def _hand_out(self) -> None:
        """Give each idle worker the next video; one that lacks nothing is finished on the spot."""
        while self._to_do and self._media.has_idle_worker() and not self._has_failed_enough:
            video = self._to_do.popleft()
            self._keeper.open(video)
            job = None if video.is_decoded else self._keeper.job(video)
            video.begin()
            if job is None:
                video.is_decoded = True
                self._finish_if_done(video)
            else:
                if isinstance(job, ScanJob) and any(wanted.for_model for wanted in job.wanted or ()):
                    self._engine.launch()
                self._media.start(job, num_waiting=len(self._to_do))

    def _ask(self) -> None:
        while self._waiting and self._engine.num_free:
            request = self._waiting.popleft()
            self._asked[request.key] = request
            self._engine.submit(request)

    def _wait(self, signals: StopSignals) -> None:
        ears: list[Connection | socket] = [*self._media.connections, signals.wake]
        if self._engine.connection is not None:
            ears.append(self._engine.connection)
        wait(ears, _TICK_SECONDS)

    def _take(self, event: WorkerEvent) -> None:
        video = self._videos[event.video]
        match event:
            case VideoOpened():
                video.opened(event)
                self._engine.launch()  # loads while the first scene is still being looked for
                self._reporter.video_opened(video.relative, event.info, event.reader)
            case VideoProbed() | ScoreRows():
                self._keeper.hear(video, event)
            case Progress():
                video.num_frames, video.scanned_seconds = event.num_frames, event.time_seconds
            case SceneFrames():
                self._scene_found(video, event)
            case ScanEnd():
                self._scan_ended(video, event)
            case JobLost():
                self._job_lost(event)

    # --- what happens to a video ---

    def _scene_found(self, video: VideoWork, event: SceneFrames) -> None:
        video.scene_found(event)
        for picked in event.picks:
            self._keeper.save_picture(video, event.scene_index, picked)
        requests, unneeded = self._asker.requests(video, event)
        self._wait_with(video, requests)
        self._free(unneeded)

    def _wait_with(self, video: VideoWork, requests: Sequence[Request]) -> None:
        video.open.update(request.key for request in requests)
        self._waiting.extend(requests)

    def _free(self, frames: Iterable[FrameRef]) -> None:
        for ref in frames:
            self._media.free(ref.slot)

    def _scan_ended(self, video: VideoWork, end: ScanEnd) -> None:
        self._free(video.take_gathered())
        if video.record is None:
            for warning in video.told_of_cuts(end):
                self._reporter.warn(f"{video.relative}: {warning}")
            video.scan_ended(end)
            self._keeper.save_scan(video)
        elif end.error is not None:
            video.outdated(f"the known scan did not fit the file: {end.error.message}")
        else:
            video.picks_reader = end.reader or video.picks_reader
            video.scan_ended(end)
        self._finish_if_done(video)

    def _job_lost(self, lost: JobLost) -> None:
        video = self._videos[lost.video]
        self._free(video.take_gathered())
        video.num_losses += 1
        is_hopeless = lost.error.type == LimitError.__name__  # it would take just as long again
        if video.num_losses < self._settings.errors.max_attempts and not is_hopeless:
            self._reporter.warn(f"{video.relative}: {lost.error.message} Trying again.")
            self._to_do.appendleft(video)
        else:
            video.gave_up(lost.error)
            self._finish_if_done(video)

    def _answered(self, caption: Caption) -> None:
        request = self._asked.pop(caption.key)
        video = self._videos[caption.key.video]
        if not caption.key.part:
            if (again := self._asker.again(request, caption)) is not None:
                self._waiting.appendleft(again)
                return
            caption = self._asker.settle(caption)
        self._free(request.frames)
        video.answered(caption)
        self._tally.answered(caption)
        self._keeper.log_caption(video, caption)
        self._finish_if_done(video)

    def _finish_if_done(self, video: VideoWork) -> None:
        if not video.is_finished:
            return
        if video.is_outdated:
            video.rescan()
            self._keeper.forget_captions(video)
            self._to_do.appendleft(video)
            return
        if to_sum := self._summarizer.requests(video):
            self._engine.launch()
            self._wait_with(video, to_sum)
            return
        del self._videos[video.ordinal]
        outcome = self._keeper.finish(video)
        self._tally.finished(video, outcome)
        video.let_go()
        self.outcomes.append(outcome)
        self._reporter.video_finished(outcome)

    @property
    def _has_failed_enough(self) -> bool:
        """Whether as many inputs failed as the user lets fail; one that could not even be read counts."""
        limit = 1 if self._settings.errors.fail_fast else self._settings.errors.max_failures
        return limit is not None and self._tally.num_failed >= limit

    # --- what is told, and the end ---

    def _tell(self) -> None:
        if self._engine.info is not None and self._keeper.engine is None:
            self._keeper.engine = self._engine.info
            self._tally.engine_started(self._engine.info)
            self._reporter.engine_started(self._engine.info)
        if time.monotonic() >= self._next_tick:  # counting costs a walk over all videos
            self._next_tick = time.monotonic() + _TICK_SECONDS
            self._tell_expected_time()
            self._reporter.tick(self._tally.counters())

    def _tell_expected_time(self) -> None:
        """Once, as soon as it can be known: how long a long run will take."""
        info = self._engine.info
        if self._is_time_told or info is None:
            return
        num_captions = self._tally.expected_captions()
        decoding = self._tally.expected_decoding_seconds(self._media.num_workers, self._media.waited_seconds)
        is_early = decoding is None and self._tally.wall_seconds < MIN_FORECAST_SECONDS
        if num_captions is not None and not is_early:
            self._is_time_told = True
            note = expected_time_note(num_captions, info.seconds_per_request, info.device, decoding)
            if note:
                self._reporter.note(note)

    def _finish_batch(self) -> None:
        """Before stopping: take the answers of the batch in hand, if they come within the grace."""
        self._media.close()
        deadline = time.monotonic() + _GRACE_SECONDS
        captions: list[Caption] = []
        while self._engine.num_open and time.monotonic() < deadline:
            before, captions = captions, self._engine.poll(_TOGETHER_SECONDS if captions else _TICK_SECONDS)
            if before and not captions:
                break
            for caption in captions:
                self._answered(caption)
