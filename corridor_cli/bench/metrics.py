"""The figures that two benchmarks are compared by, and where each comes from in a point.

Those of samples have one value a repeat: frames/s of its whole time, or a percentile of its requests. Memory
and energy are told once for a point, so nothing says how they vary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from corridor_cli.bench.document import PointResult, Sample
from corridor_cli.bench.statistics import percentile

Verdict = Literal["faster", "slower", "less", "more", "no difference shown", "no interval"]


@dataclass(frozen=True, slots=True)
class Metric:
    """What is compared. `better` and `worse` are said of the second file; `unit` is of the values."""

    name: str
    unit: str
    is_more_better: bool
    better: Verdict
    worse: Verdict


@dataclass(frozen=True, slots=True)
class Pair:
    """The values of one metric at one point, of two files; `source` says what they are."""

    source: str
    before: tuple[float, ...]
    after: tuple[float, ...]


METRICS = (
    Metric("throughput", "frames/s", True, "faster", "slower"),
    Metric("latency", "ms", False, "faster", "slower"),
    Metric("latency_p95", "ms", False, "faster", "slower"),
    Metric("ttft", "ms", False, "faster", "slower"),
    Metric("tpot", "ms", False, "faster", "slower"),
    Metric("memory", "bytes", False, "less", "more"),
    Metric("joules", "J/frame", False, "less", "more"),
)
METRIC_OF = {metric.name: metric for metric in METRICS}

# The first that both files know. What the engine itself took comes first: a device's total counts the memory
# of others, and what a cache keeps in reserve depends on what was free.
_MEMORY = ("peak_allocated_bytes", "peak_reserved_bytes", "peak_device_bytes", "peak_host_bytes")


def pair_of(metric: Metric, before: PointResult, after: PointResult) -> Pair | None:
    """The values of both; None where one of them does not know the metric, or has a value that is not a
    positive number."""
    if metric.name == "memory":
        for name in _MEMORY:
            values = [getattr(point.memory, name) for point in (before, after)]
            if all(values):
                return Pair(name, (float(values[0]),), (float(values[1]),))
        return None
    if metric.name == "joules":
        source, sides = "joules a frame, over all repeats", [_energy(point) for point in (before, after)]
    else:
        source, value_of = _OF_SAMPLES[metric.name]
        sides = [_values(point.samples, value_of) for point in (before, after)]
    return Pair(source, *sides) if all(sides) else None


def _energy(point: PointResult) -> tuple[float, ...]:
    joules = point.joules_per_frame
    return (joules,) if joules is not None and _is_usable(joules) else ()


def _values(samples: Sequence[Sample], value_of: Callable[[Sample], float | None]) -> tuple[float, ...]:
    """One value a repeat; none at all where one repeat has none."""
    values = [value_of(sample) for sample in samples]
    usable = [value for value in values if value is not None and _is_usable(value)]
    return tuple(usable) if len(usable) == len(values) else ()


def _is_usable(value: float) -> bool:
    return math.isfinite(value) and value > 0


def _speed(sample: Sample) -> float | None:
    return sample.num_frames / sample.seconds if sample.seconds > 0 else None


def _percentile_of(name: str, share: float) -> Callable[[Sample], float | None]:
    def value_of(sample: Sample) -> float | None:
        values: list[float] = getattr(sample, name)
        return percentile(sorted(values), share) if values else None

    return value_of


_OF_SAMPLES: dict[str, tuple[str, Callable[[Sample], float | None]]] = {
    "throughput": ("frames/s of each repeat", _speed),
    "latency": ("median of each repeat's requests", _percentile_of("latencies_ms", 0.50)),
    "latency_p95": ("p95 of each repeat's requests", _percentile_of("latencies_ms", 0.95)),
    "ttft": ("median time to the first token, of each repeat", _percentile_of("first_token_ms", 0.50)),
    "tpot": ("median time a further token, of each repeat", _percentile_of("time_per_token_ms", 0.50)),
}
