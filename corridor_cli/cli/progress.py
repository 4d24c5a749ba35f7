"""What a run tells while it goes on: the `Reporter` of the command line, as log lines.

Away from a terminal a line about progress comes every `logging.progress_seconds`; on a terminal `live.py`
draws bars instead. Level debug adds a line for each batch and each video.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from corridor_cli.cli.summary import outcome_fields, summary_lines
from corridor_cli.errors import VlmtlError
from corridor_cli.records import BatchStats, EngineInfo, ReaderChoice, VideoInfo
from corridor_cli.telemetry import (
    Counters,
    RunOutcome,
    RunPlan,
    VideoOutcome,
    counted,
    format_bytes,
    format_duration,
)

_RATE_SECONDS = 10.0


class LogReporter:
    """Tells a run's events to a log. Time comes from the counters, so a scripted run tells the same lines."""

    def __init__(self, log: logging.Logger, progress_seconds: float) -> None:
        self._log = log
        self._progress_seconds = progress_seconds
        self._next_progress = progress_seconds
        self.rates = Rates()

    def note(self, message: str) -> None:
        self._tell(logging.INFO, "note", message)

    def warn(self, message: str) -> None:
        self._tell(logging.WARNING, "warning", message)

    def run_planned(self, plan: RunPlan) -> None:
        todo = plan.num_videos - plan.num_skipped
        skipped = f", {plan.num_skipped:,} need nothing" if plan.num_skipped else ""
        self._tell(logging.INFO, "run_planned", f"{counted(todo, 'video')} to do{skipped}", asdict(plan))

    def engine_started(self, info: EngineInfo) -> None:
        message = f"model {info.model_id} on {info.device} ({info.dtype}), batch size {info.batch_size}"
        self._tell(logging.INFO, "engine_started", message, asdict(info))
        for reason in info.reasons:
            self._tell(logging.DEBUG, "engine_choice", f"  {reason}")

    def video_opened(self, relative: str, info: VideoInfo, reader: ReaderChoice) -> None:
        rate = f", {float(info.frame_rate):.4g} fps" if info.frame_rate else ""
        seconds = info.duration_seconds_from_header
        length = f", {format_duration(float(seconds))}" if seconds is not None else ""
        facts = f"{info.video_codec} {info.width_px}×{info.height_px}{rate}{length}"
        message = f"reading {relative}: {facts}; reader {reader.name}: {reader.reason}"
        self._tell(logging.DEBUG, "video_opened", message, {"video": relative, "reader": asdict(reader)})

    def batch_done(self, stats: BatchStats) -> None:
        parts = [
            f"{stats.wall_seconds:.2f} s",
            counted(stats.num_tiles, "tile"),
            counted(stats.output_tokens, "token"),
        ]
        if stats.peak_memory_bytes is not None:
            parts.append(f"peak memory {format_bytes(stats.peak_memory_bytes)}")
        if stats.free_memory_bytes is not None:
            parts.append(f"free {format_bytes(stats.free_memory_bytes)}")
        if stats.num_oom_retries:
            parts.append(f"{stats.num_oom_retries} × out of memory")
        if stats.next_batch_size not in (None, stats.batch_size):
            parts.append(f"next batch {stats.next_batch_size}")
        self._tell(logging.DEBUG, "batch", f"batch of {stats.batch_size}: {', '.join(parts)}", asdict(stats))

    def video_finished(self, outcome: VideoOutcome) -> None:
        levels = {"failed": logging.ERROR, "partial": logging.WARNING}
        why = f": {outcome.error.message}" if outcome.error else ""
        scenes = "" if outcome.status == "failed" else f", {counted(outcome.num_scenes, 'scene')}"
        if outcome.is_scan_reused:
            scenes += " known from an earlier scan"
        message = f"{outcome.relative}: {outcome.status}{scenes}{why}"
        self._tell(levels.get(outcome.status, logging.DEBUG), "video_finished", message, asdict(outcome))

    def tick(self, counters: Counters) -> None:
        self.rates.update(counters)
        if counters.elapsed_seconds < self._next_progress:
            return
        self._next_progress = counters.elapsed_seconds + self._progress_seconds
        fields = {**asdict(counters), "frames_per_second": self.rates.frames_per_second}
        line = " · ".join([*count_parts(counters, self.rates), *state_parts(counters)])
        self._tell(logging.INFO, "progress", line, fields)

    def run_failed(self, error: VlmtlError) -> None:
        """The run ended with an error instead of an outcome."""
        self._tell(logging.ERROR, "run_failed", str(error), {"exit_code": int(error.exit_code)})

    def run_finished(self, outcome: RunOutcome, arguments: Sequence[str], *, is_dry_run: bool) -> None:
        """The closing summary: what was done, what failed and why, and how to try it again."""
        first, *more = summary_lines(outcome, arguments, is_dry_run=is_dry_run)
        self._tell(logging.INFO, "run_finished", first, outcome_fields(outcome))
        for line in more:
            self._tell(logging.INFO, "failure" if line.startswith(" ") else "summary", line)

    def _tell(self, level: int, event: str, message: str, fields: dict[str, Any] | None = None) -> None:
        self._log.log(level, "%s", message, extra={"event": event, "fields": fields or {}})


class Rates:
    """Frames decoded and captions done a second over the last ten seconds; None until they can be known."""

    def __init__(self) -> None:
        self._seen: deque[Counters] = deque()

    def update(self, counters: Counters) -> None:
        self._seen.append(counters)
        while (
            len(self._seen) > 2 and self._seen[1].elapsed_seconds < counters.elapsed_seconds - _RATE_SECONDS
        ):
            self._seen.popleft()

    @property
    def frames_per_second(self) -> float | None:
        return self._per_second(lambda counters: counters.frames_decoded)

    @property
    def captions_per_second(self) -> float | None:
        return self._per_second(lambda counters: counters.captions_done)

    def words(self) -> str:
        """Of what goes on: captions where nothing is decoded because the model has enough to do."""
        frames, captions = self.frames_per_second, self.captions_per_second
        if frames == 0 and captions:
            return f"{captions:.2g} captions/s"
        return f"{frames:,.0f} frames/s" if frames is not None else "- frames/s"

    def _per_second(self, count: Callable[[Counters], int]) -> float | None:
        if not self._seen:
            return None
        first, last = self._seen[0], self._seen[-1]
        seconds = last.elapsed_seconds - first.elapsed_seconds
        return max(count(last) - count(first), 0) / seconds if seconds >= 1 else None


def count_parts(counters: Counters, rates: Rates) -> list[str]:
    """What was done so far, for a line."""
    waiting = f" ({counters.captions_pending:,} waiting)" if counters.captions_pending else ""
    failed = f" ({counters.videos_failed:,} failed)" if counters.videos_failed else ""
    captions = [f"captions {counters.captions_done:,}{waiting}"] if counters.is_captioning else []
    return [
        f"videos {counters.videos_done:,}/{counters.videos_total:,}{failed}",
        f"scenes {counters.scenes:,}",
        *captions,
        rates.words(),
    ]


def state_parts(counters: Counters) -> list[str]:
    """How the run works and how long it will take, for a line."""
    eta = counters.eta_seconds
    memory = counters.memory_bytes
    engine = [
        f"batch {counters.batch_size or '-'}",
        f"memory {format_bytes(memory) if memory is not None else '-'}",
    ]
    return [
        *(engine if counters.is_captioning else ()),
        f"elapsed {format_duration(counters.elapsed_seconds)}",
        f"ETA {format_duration(eta) if eta is not None else 'not known yet'}",
    ]
