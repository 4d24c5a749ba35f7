"""One point: an engine of its own, warmed up, then a few repeats; whatever goes wrong becomes a row.

Each point has a fresh engine process, so its memory is its own and a crash costs nothing else. The repeats
run one after the other in it; the order of the points is the sweep's business.
"""

from __future__ import annotations

import math
import time
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Literal

from corridor_cli.bench.document import HardwareUse, Memory, Percentiles, PointResult, Sample
from corridor_cli.bench.frames import FrameSet
from corridor_cli.bench.points import MAX_TILES_FOR, Point
from corridor_cli.bench.rounds import BatchEars, Load, Round, marks_of, sample_of
from corridor_cli.bench.sampler import Sampler
from corridor_cli.bench.samples import SamplerSummary
from corridor_cli.bench.statistics import is_noisy, percentiles, spread
from corridor_cli.errors import ModelError
from corridor_cli.hosts.hosted_engine import HostedEngine
from corridor_cli.hosts.messages import EngineSetup
from corridor_cli.records import BatchStats, EngineInfo
from corridor_cli.settings import ModelSettings, Settings

NUM_MARKS = 16
_AGREEMENT_SECONDS = 60.0
_MAX_BATCHES_A_REPEAT = 24
_LACKS_MEMORY = ("too little memory", "does not fit into the memory of")

Status = Literal["measured", "out_of_memory", "died", "failed"]


@dataclass(frozen=True, slots=True)
class Effort:
    """How often and how long: `repeats` of at least `seconds` each, after `warm_up` rounds of one batch."""

    repeats: int = 3
    warm_up: int = 1
    seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class Measured:
    """A point's row, and the engine that ran it: None where it never started."""

    result: PointResult
    info: EngineInfo | None


def measure_point(
    point: Point, frames: FrameSet, settings: Settings, effort: Effort, *, is_compared: bool
) -> Measured:
    """Start an engine for the point, measure, and close it. Raises nothing for the point's sake.

    Where its captions are to be compared with another point's, it makes as many as that takes.
    """
    run = _PointRun(point, frames, settings, effort, is_compared=is_compared)
    with closing(run.engine):
        status, error = run.work()
    return Measured(run.result(status, error), run.engine.info)


def engine_settings(point: Point, settings: Settings) -> ModelSettings:
    """The model settings a point asks for, on top of the user's."""
    chosen = settings.gpu_pipeline.internvl3
    chosen = replace(chosen, max_tiles=MAX_TILES_FOR[point.tiles], batch_size=point.batch_size)
    if isinstance(point.batch_size, int):
        chosen = replace(chosen, max_batch_size=max(point.batch_size, chosen.max_batch_size))
    if point.contestant == "loop":
        chosen = replace(chosen, engine="generic", async_frame_loading=False)
    return chosen


class _PointRun:
    def __init__(
        self, point: Point, frames: FrameSet, settings: Settings, effort: Effort, *, is_compared: bool
    ) -> None:
        self._point, self._effort, self._is_compared = point, effort, is_compared
        self._ears = BatchEars()
        caption = replace(settings.caption, max_new_tokens=point.output_tokens)
        setup = EngineSetup(engine_settings(point, settings), frames.slot_bytes, caption)
        limits = replace(settings.errors, engine_restarts=0)
        self.engine = HostedEngine(setup, frames.arena_fd, limits, self._ears.hear, lambda _: None)
        self._load = Load(self.engine, self._ears, frames, point, caption.prompt)
        self._samples: list[Sample] = []
        self._batches: list[BatchStats] = []
        self._marks: list[int] = []
        self._num_oom_retries = 0
        self._least_size: int | None = None
        self._start_seconds: float | None = None
        self._warm_up_seconds: float | None = None
        self._agreement_seconds: float | None = None
        self._hardware: SamplerSummary | None = None

    def work(self) -> tuple[Status, str | None]:
        """Measure; how it ended, and why where it did not end well."""
        try:
            started = time.perf_counter()
            info = self.engine.start()
            self._start_seconds = time.perf_counter() - started
            with Sampler(pids=[self.engine.pid or 0], device=info.device) as sampler:
                problem = self._measure(info, sampler)
        except ModelError as error:
            died = self.engine.num_restarts > 0
            status: Status = "died" if died else kind_of(error.message)
            return status, error.message
        if problem is not None:
            return kind_of(problem), problem
        return self._status(info)

    def _measure(self, info: EngineInfo, sampler: Sampler) -> str | None:
        """Warm up and repeat; the first error of a request ends it."""
        started = time.perf_counter()
        for _ in range(max(1, self._effort.warm_up)):
            warm = self._load.round(info.batch_size)
            if problem := self._note(warm):
                return problem
        self._warm_up_seconds = time.perf_counter() - started
        num_batches = min(_MAX_BATCHES_A_REPEAT, max(1, math.ceil(self._effort.seconds / warm.seconds)))
        begun = sampler.mark()
        for number in range(self._effort.repeats):
            done = self._load.round(num_batches * info.batch_size)
            if problem := self._note(done):
                return problem
            self._samples.append(sample_of(done, self._point.frames))
            self._batches += done.batches
            self._marks = self._marks if number else marks_of(done, NUM_MARKS)
        self._hardware = sampler.summary(begun, sampler.mark())
        if self._is_compared:
            with suppress(ModelError):  # what was measured stays, with fewer captions to compare
                self._caption_more(info.batch_size, self._samples[0].seconds / num_batches)
        return None

    def _caption_more(self, size: int, batch_seconds: float) -> None:
        """Whole batches until there are captions enough to compare, or no time for one more; in no figure.

        One alone in the last batch would be one of batch size 1, so there are no smaller ones.
        """
        began = time.perf_counter()
        while len(self._marks) < NUM_MARKS:
            if time.perf_counter() - began + batch_seconds > _AGREEMENT_SECONDS:
                break
            done = self._load.round(size, first=len(self._marks))
            if any(caption.error for caption in done.captions):
                break
            self._marks += marks_of(done, NUM_MARKS - len(self._marks))
            self._agreement_seconds = time.perf_counter() - began

    def _status(self, info: EngineInfo) -> tuple[Status, str | None]:
        used = self._batch_size_used(info)
        if not self._num_oom_retries or used >= info.batch_size:
            return "measured", None
        return "out_of_memory", f"memory ran out at {info.batch_size} requests together; {used} were run"

    def _note(self, done: Round) -> str | None:
        """Count what ran out of memory and how many ran together at least; the first error of a request."""
        self._num_oom_retries += sum(stats.num_oom_retries for stats in done.batches)
        sizes = [self._least_size, *(stats.next_batch_size for stats in done.batches)]
        self._least_size = min((size for size in sizes if size is not None), default=None)
        errors = [caption.error for caption in done.captions if caption.error is not None]
        return f"{errors[0].type}: {errors[0].message}" if errors else None

    def _batch_size_used(self, info: EngineInfo) -> int:
        return info.batch_size if self._least_size is None else min(info.batch_size, self._least_size)

    def result(self, status: Status, error: str | None) -> PointResult:
        """The row of the point."""
        point, info = self._point, self.engine.info
        row = PointResult(
            contestant=point.contestant,
            batch_size=point.batch_size,
            frames=point.frames,
            tiles=point.tiles,
            output_tokens=point.output_tokens,
            status=status,
            error=error,
            batch_size_used=self._batch_size_used(info) if info else None,
            reasons=list(info.reasons) if info else [],
            start_seconds=self._start_seconds,
            warm_up_seconds=self._warm_up_seconds,
            num_oom_retries=self._num_oom_retries,
            agreement_seconds=self._agreement_seconds,
        )
        # Half of the repeats of a point that broke down in the middle are no measurement.
        if self._hardware is None:
            return row
        is_cpu = info is not None and info.device == "cpu"
        held = memory_of(self._batches, self._hardware, is_cpu=is_cpu)
        kept = {"samples": self._samples, "caption_marks": self._marks, "memory": held}
        return row.model_copy(update={**figures(self._samples, self._hardware), **kept})


def figures(samples: list[Sample], summary: SamplerSummary) -> dict[str, object]:
    """What the repeats come to: rates are medians over repeats, latencies are of all requests together."""
    rates = spread([sample.num_frames / sample.seconds for sample in samples])
    num_requests = sum(sample.num_requests for sample in samples)
    num_frames = sum(sample.num_frames for sample in samples)
    busy = [sum(sample.pass_seconds.values()) for sample in samples]
    hardware = hardware_use(summary)
    return {
        "is_noisy": is_noisy(rates),
        "prompt_tokens": round(sum(sample.prompt_tokens for sample in samples) / num_requests),
        "mean_output_tokens": sum(sample.output_tokens for sample in samples) / num_requests,
        "frames_per_second": rates.median,
        "frames_per_second_spread": rates,
        "requests_per_second": spread([each.num_requests / each.seconds for each in samples]).median,
        "output_tokens_per_second": spread([each.output_tokens / each.seconds for each in samples]).median,
        "latency_ms": _percentiles([value for sample in samples for value in sample.latencies_ms]),
        "wait_ms": _percentiles([value for sample in samples for value in sample.waits_ms]),
        "ttft_ms": _percentiles([value for sample in samples for value in sample.first_token_ms]),
        "tpot_ms": _percentiles([value for sample in samples for value in sample.time_per_token_ms]),
        "pass_seconds_per_request": {
            name: sum(sample.pass_seconds.get(name, 0.0) for sample in samples) / num_requests
            for name in sorted({name for sample in samples for name in sample.pass_seconds})
        },
        "busy_share": sum(busy) / sum(sample.seconds for sample in samples) if any(busy) else None,
        "hardware": hardware,
        "joules_per_frame": None if hardware.joules is None else hardware.joules / num_frames,
    }


def hardware_use(summary: SamplerSummary) -> HardwareUse:
    """What a stretch of samples says. The card's energy where it tells it, else that of the processors."""
    on_card = summary.device_joules is not None
    joules = summary.device_joules if on_card else summary.cpu_joules
    return HardwareUse(
        device_busy_percent=summary.mean_device_busy_percent,
        device_watts_mean=summary.mean_device_watts,
        device_watts_max=summary.peak_device_watts,
        device_celsius_max=summary.peak_device_celsius,
        device_sm_mhz_mean=summary.mean_device_sm_mhz,
        throttle_reasons=list(summary.throttle_reasons or ()),
        tree_cpu_percent=summary.mean_tree_cpu_percent,
        machine_cpu_percent=summary.mean_machine_cpu_percent,
        joules=joules,
        joules_source=None if joules is None else ("card" if on_card else "processors"),
        sampler_cpu_share=summary.sampler_cpu_share,
    )


def memory_of(batches: list[BatchStats], summary: SamplerSummary, *, is_cpu: bool) -> Memory:
    """Peaks of a point. On a CPU what an engine tells is its process's memory, and no allocator is asked."""
    allocated = [stats.peak_memory_bytes for stats in batches if stats.peak_memory_bytes is not None]
    reserved = [stats.peak_reserved_bytes for stats in batches if stats.peak_reserved_bytes is not None]
    return Memory(
        peak_allocated_bytes=None if is_cpu else max(allocated, default=None),
        peak_reserved_bytes=max(reserved, default=None),
        peak_device_bytes=summary.peak_device_memory_bytes,
        peak_host_bytes=max(allocated, default=summary.peak_tree_resident_bytes)
        if is_cpu
        else summary.peak_tree_resident_bytes,
    )


def _percentiles(values_ms: list[float]) -> Percentiles | None:
    return percentiles(values_ms) if values_ms else None


def kind_of(problem: str) -> Status:
    """Of a request an engine names the error, of its start it tells a lack of memory in these words only."""
    is_short = problem.startswith("OutOfMemory:") or any(words in problem for words in _LACKS_MEMORY)
    return "out_of_memory" if is_short else "failed"
