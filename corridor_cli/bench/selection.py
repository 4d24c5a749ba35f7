"""Which points of a document belong together: the curve over batch sizes, the other axes, the best ones.

All points of a curve ask the same of each request, or differ in one axis only: nothing else may be compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from corridor_cli.bench.document import BenchDocument, PointResult
from corridor_cli.engine.local.shape import NetworkShape, TextShape, VisionShape
from corridor_cli.engine.presets import PRESETS

Axis = Literal["frames", "tiles", "output_tokens"]
AXES: tuple[Axis, ...] = ("frames", "tiles", "output_tokens")
Asked = tuple[int, int, int]
"""Frames, tiles and output tokens of a request."""


def asked(row: PointResult) -> Asked:
    """What the point asks of each request."""
    return row.frames, row.tiles, row.output_tokens


def size_of(row: PointResult) -> int | None:
    """The number of requests together: as asked, or what `auto` came to; None where it never came to any."""
    return row.batch_size if isinstance(row.batch_size, int) else row.batch_size_used


def engine_points(document: BenchDocument) -> list[PointResult]:
    """The points of the engine, without the loop."""
    return [row for row in document.points if row.contestant == "engine"]


def centre_of(document: BenchDocument) -> Asked | None:
    """What most batch sizes were measured with; among equals what the loop was, then what has most
    neighbours along the axes, then the first. None without a point of the engine."""
    rows = engine_points(document)
    if not rows:
        return None
    counts = Counter(asked(row) for row in rows)
    loops = {asked(row) for row in document.points if row.contestant == "loop"}

    def rank(each: Asked) -> tuple[int, bool, int]:
        neighbours = (sum(a != b for a, b in zip(each, other, strict=True)) == 1 for other in counts)
        return counts[each], each in loops, sum(neighbours)

    return max(counts, key=rank)


def batch_curve(document: BenchDocument) -> list[PointResult]:
    """The centre's points by number of requests together, failed ones included; `auto` last of equals."""
    centre = centre_of(document)
    rows = [row for row in engine_points(document) if asked(row) == centre and size_of(row) is not None]
    return sorted(rows, key=lambda row: (size_of(row), row.batch_size == "auto"))


def measured(rows: Sequence[PointResult]) -> list[PointResult]:
    """Those that have a throughput."""
    return [row for row in rows if row.frames_per_second is not None]


def clean_curve(document: BenchDocument) -> list[PointResult]:
    """The measured points at the centre, one for each number of requests together: a number that was asked
    for is preferred to `auto`. Points that ran with fewer than asked are left out: they are no such size."""
    rows: dict[int, PointResult] = {}
    for row in measured(batch_curve(document)):
        size = size_of(row)
        if size is not None and row.status == "measured" and size not in rows:
            rows[size] = row
    return list(rows.values())


def loop_point(document: BenchDocument) -> PointResult | None:
    """The loop with the centre's requests, where it was measured."""
    centre = centre_of(document)
    rows = [row for row in document.points if row.contestant == "loop" and asked(row) == centre]
    return next(iter(measured(rows)), None)


def axis_curve(document: BenchDocument, axis: Axis) -> list[PointResult]:
    """Measured points that differ in this axis only, else the centre's, at the batch size with most of them.

    Fewer than two are no curve, and the list is empty.
    """
    centre = centre_of(document)
    if centre is None:
        return []
    place = AXES.index(axis)

    def is_beside_centre(row: PointResult) -> bool:
        return all(value == centre[at] for at, value in enumerate(asked(row)) if at != place)

    rows = [row for row in measured(engine_points(document)) if is_beside_centre(row)]
    counts = Counter(row.batch_size for row in rows)
    if not counts or max(counts.values()) < 2:
        return []
    common = max(counts, key=lambda size: (counts[size], size if isinstance(size, int) else 0))
    return sorted((row for row in rows if row.batch_size == common), key=lambda row: asked(row)[place])


def is_dominated(row: PointResult, rows: Sequence[PointResult]) -> bool:
    """Whether another point is at least as fast with at most its p95 latency, and better in one of them."""
    rate, latency = row.frames_per_second, row.latency_ms
    if rate is None or latency is None:
        return True
    for other in rows:
        if other.frames_per_second is None or other.latency_ms is None:
            continue
        faster, sooner = other.frames_per_second - rate, latency.p95 - other.latency_ms.p95
        if faster >= 0 and sooner >= 0 and faster + sooner > 0:
            return True
    return False


def memory_limit_bytes(document: BenchDocument) -> int | None:
    """All memory of the device that was measured, which is main memory for a processor; None if unknown."""
    facts = document.environment
    limit = facts.get("memory_bytes" if facts.get("device") == "cpu" else "device_memory_bytes")
    return int(limit) if isinstance(limit, int | float) and limit > 0 else None


def network_shape(document: BenchDocument) -> NetworkShape | None:
    """The network that was measured: `shape` of the environment, or that of a published size by its name."""
    told, model = document.environment.get("shape"), document.environment.get("model")
    if isinstance(told, dict):
        try:
            return NetworkShape(VisionShape(**told["vision"]), TextShape(**told["text"]))
        except (KeyError, TypeError):
            return None
    return PRESETS.get(model.removeprefix("dummy:")) if isinstance(model, str) else None
