"""What was seen of the hardware, sample by sample, and what that comes to over a stretch of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean


@dataclass(frozen=True, slots=True)
class HardwareSample:
    """One look at the machine, `time_seconds` after sampling began; what is unknown is None.

    `tree_` is about the processes watched: `tree_cpu_percent` is 100 for one processor kept busy since the
    sample before, pages that processes share count in `tree_resident_bytes` for each. `machine_cpu_percent`
    is of all processors, `available_bytes` of main memory. `_joules` and `tree_cpu_seconds` count from the
    start: `cpu_joules` is of whole packages, `device_` all that the card's driver tells, other work included.
    """

    time_seconds: float
    num_processes: int | None = None
    tree_cpu_seconds: float | None = None
    tree_cpu_percent: float | None = None
    tree_resident_bytes: int | None = None
    machine_cpu_percent: float | None = None
    available_bytes: int | None = None
    cpu_mhz: float | None = None
    cpu_celsius: float | None = None
    cpu_joules: float | None = None
    device_busy_percent: float | None = None
    device_memory_bytes: int | None = None
    device_sm_mhz: int | None = None
    device_memory_mhz: int | None = None
    device_celsius: int | None = None
    device_watts: float | None = None
    device_joules: float | None = None
    throttle_reasons: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class SamplerSummary:
    """A stretch of samples. `mean_` and `peak_` are of those in it that know the figure; `_joules` and
    `mean_tree_cpu_percent` come from the counters at its two ends, between samples in proportion.

    `sampler_cpu_share` is the processor time of the sampling thread a second of wall time, since the start
    of sampling; `problems` are the reasons for what is None.
    """

    start_seconds: float
    end_seconds: float
    num_samples: int
    mean_tree_cpu_percent: float | None
    peak_tree_resident_bytes: int | None
    mean_machine_cpu_percent: float | None
    lowest_available_bytes: int | None
    mean_cpu_mhz: float | None
    peak_cpu_celsius: float | None
    cpu_joules: float | None
    mean_device_busy_percent: float | None
    peak_device_memory_bytes: int | None
    mean_device_sm_mhz: float | None
    lowest_device_sm_mhz: int | None
    mean_device_memory_mhz: float | None
    peak_device_celsius: int | None
    mean_device_watts: float | None
    peak_device_watts: float | None
    device_joules: float | None
    throttle_reasons: tuple[str, ...] | None
    sampler_cpu_share: float | None = None
    problems: tuple[str, ...] = ()


def summarise(
    samples: Sequence[HardwareSample],
    start_seconds: float,
    end_seconds: float,
    sampler_cpu_share: float | None = None,
    problems: tuple[str, ...] = (),
) -> SamplerSummary:
    """The samples from `start_seconds` to `end_seconds`, both included. Raises `ValueError` when the end is
    before the start."""
    if end_seconds < start_seconds:
        raise ValueError(f"end_seconds: got {end_seconds}, allowed: at least start_seconds, {start_seconds}")
    inside = [each for each in samples if start_seconds <= each.time_seconds <= end_seconds]

    def gained(name: str) -> float | None:
        before, after = (_counter_at(samples, name, time) for time in (start_seconds, end_seconds))
        return None if before is None or after is None else after - before

    def known(name: str) -> list[float]:
        values = (getattr(each, name) for each in inside)
        return [value for value in values if value is not None]

    def mean(name: str) -> float | None:
        return fmean(found) if (found := known(name)) else None

    cpu_seconds, length = gained("tree_cpu_seconds"), end_seconds - start_seconds
    reasons = [each.throttle_reasons for each in inside if each.throttle_reasons is not None]
    return SamplerSummary(
        start_seconds=start_seconds,
        end_seconds=end_seconds,
        num_samples=len(inside),
        mean_tree_cpu_percent=100 * cpu_seconds / length if cpu_seconds is not None and length > 0 else None,
        peak_tree_resident_bytes=_whole(max(known("tree_resident_bytes"), default=None)),
        mean_machine_cpu_percent=mean("machine_cpu_percent"),
        lowest_available_bytes=_whole(min(known("available_bytes"), default=None)),
        mean_cpu_mhz=mean("cpu_mhz"),
        peak_cpu_celsius=max(known("cpu_celsius"), default=None),
        cpu_joules=gained("cpu_joules"),
        mean_device_busy_percent=mean("device_busy_percent"),
        peak_device_memory_bytes=_whole(max(known("device_memory_bytes"), default=None)),
        mean_device_sm_mhz=mean("device_sm_mhz"),
        lowest_device_sm_mhz=_whole(min(known("device_sm_mhz"), default=None)),
        mean_device_memory_mhz=mean("device_memory_mhz"),
        peak_device_celsius=_whole(max(known("device_celsius"), default=None)),
        mean_device_watts=mean("device_watts"),
        peak_device_watts=max(known("device_watts"), default=None),
        device_joules=gained("device_joules"),
        throttle_reasons=tuple(sorted({name for each in reasons for name in each})) if reasons else None,
        sampler_cpu_share=sampler_cpu_share,
        problems=problems,
    )


def _counter_at(samples: Sequence[HardwareSample], name: str, time_seconds: float) -> float | None:
    """A counter at a time between two samples, in proportion; None outside of those that know it."""
    known = [
        (each.time_seconds, float(getattr(each, name))) for each in samples if getattr(each, name) is not None
    ]
    for (earlier, low), (later, high) in pairwise(known):
        if earlier <= time_seconds <= later:
            share = (time_seconds - earlier) / (later - earlier) if later > earlier else 1.0
            return low + share * (high - low)
    return None


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)
