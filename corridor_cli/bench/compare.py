"""Two benchmarks point by point: what became faster, what slower, and of what nothing can be said.

A change is that of the geometric means of the repeats, with a 95 % interval (`statistics.ratio_of`). It is
called faster or slower when the interval leaves no change out, else "no difference shown", which does not
mean that there is none. Of real no-changes one in twenty is called a change: with many points and metrics, a
lone one shows little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import geometric_mean
from typing import Any

from corridor_cli.bench.differences import Difference, find_differences
from corridor_cli.bench.document import BenchDocument, PointResult
from corridor_cli.bench.metrics import METRICS, Metric, Verdict, pair_of
from corridor_cli.bench.points import Point
from corridor_cli.bench.statistics import MIN_REPEATS, Ratio, ratio_of
from corridor_cli.errors import UsageError

SCHEMA = "vlmtl.bench-comparison/1"

# Captions that much longer or shorter are other work.
_NEAR_TOKENS = 0.01


@dataclass(frozen=True, slots=True)
class Change:
    """One metric at one point. `before` and `after` are geometric means of so many values, in `unit`;
    `source` says what the values are."""

    metric: str
    unit: str
    source: str
    before: float
    after: float
    num_before: int
    num_after: int
    ratio: Ratio
    verdict: Verdict

    @property
    def percent(self) -> float:
        """After over before, as a percentage gained."""
        return _percent(self.ratio.estimate)

    @property
    def interval_percent(self) -> tuple[float, float] | None:
        """The 95 % interval of `percent`; None with fewer than three values on a side."""
        low, high = self.ratio.low, self.ratio.high
        return None if low is None or high is None else (_percent(low), _percent(high))


@dataclass(frozen=True, slots=True)
class PointComparison:
    """A point of both files. `changes` has the metrics that both know, `notes` what limits what they say."""

    name: str
    before_status: str
    after_status: str
    changes: tuple[Change, ...]
    notes: tuple[str, ...]

    @property
    def is_lost(self) -> bool:
        """Whether it was measured before and is not any more."""
        return self.before_status == "measured" != self.after_status


@dataclass(frozen=True, slots=True)
class Comparison:
    """`points` are those of both files in the order of the first; the other points are named."""

    differences: tuple[Difference, ...]
    points: tuple[PointComparison, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def is_other_machine(self) -> bool:
        """Whether a fact about the machine differs that both files tell."""
        return any(
            difference.kind == "machine" and None not in (difference.before, difference.after)
            for difference in self.differences
        )

    def as_json(self) -> dict[str, Any]:
        """Plain tables and lists, ready for `json.dumps`; percentages are of the first file's values."""
        return {
            "schema": SCHEMA,
            "is_other_machine": self.is_other_machine,
            "differences": [asdict(difference) for difference in self.differences],
            "points": [_point_as_json(point) for point in self.points],
            "only_before": list(self.only_before),
            "only_after": list(self.only_after),
            "notes": list(self.notes),
        }


def compare(before: BenchDocument, after: BenchDocument) -> Comparison:
    """Everything that can be said of `after` against `before`. Raises `UsageError` where they have no point
    in common, or one of them has a point twice."""
    points_before, points_after = (_by_point(document) for document in (before, after))
    common = [point for point in points_before if point in points_after]
    if not common:
        has = "; ".join(
            f"the {place} has {_listed(list(points))}"
            for place, points in (("first", points_before), ("second", points_after))
        )
        raise UsageError(
            f"the files have no point in common: {has}",
            hint="Measure both with the same --batch-sizes, --frames, --tiles and --output-tokens.",
        )
    return Comparison(
        differences=tuple(find_differences(before, after)),
        points=tuple(
            compare_point(point.name, points_before[point], points_after[point]) for point in common
        ),
        only_before=tuple(point.name for point in points_before if point not in points_after),
        only_after=tuple(point.name for point in points_after if point not in points_before),
        notes=tuple(
            f"the {place} file is not complete: its sweep was stopped"
            for place, document in (("first", before), ("second", after))
            if not document.is_complete
        ),
    )


def _by_point(document: BenchDocument) -> dict[Point, PointResult]:
    points: dict[Point, PointResult] = {}
    for result in document.points:
        point = _point_of(result)
        if point in points:
            raise UsageError(f"a file has the point '{point.name}' twice, allowed: each point once")
        points[point] = result
    return points


def _point_of(result: PointResult) -> Point:
    return Point(result.contestant, result.batch_size, result.frames, result.tiles, result.output_tokens)


def _listed(points: Sequence[Point], at_most: int = 3) -> str:
    if not points:
        return "none"
    names = ", ".join(f"'{point.name}'" for point in points[:at_most])
    return f"{names} and {len(points) - at_most} more" if len(points) > at_most else names


def compare_point(name: str, before: PointResult, after: PointResult) -> PointComparison:
    """The metrics that both know. Where one was not measured there are none."""
    changes: list[Change] = []
    if before.status == after.status == "measured":
        for metric in METRICS:
            pair = pair_of(metric, before, after)
            if pair is not None:
                changes.append(_change(metric, pair.source, pair.before, pair.after))
    return PointComparison(name, before.status, after.status, tuple(changes), tuple(_notes(before, after)))


def _change(metric: Metric, source: str, before: Sequence[float], after: Sequence[float]) -> Change:
    ratio = ratio_of(before, after)
    return Change(
        metric=metric.name,
        unit=metric.unit,
        source=source,
        before=geometric_mean(before),
        after=geometric_mean(after),
        num_before=len(before),
        num_after=len(after),
        ratio=ratio,
        verdict=verdict_on(metric, ratio),
    )


def verdict_on(metric: Metric, ratio: Ratio) -> Verdict:
    """In words: `better` and `worse` of the metric only where the interval leaves no change out."""
    if ratio.low is None:
        return "no interval"
    if not ratio.excludes_no_change:
        return "no difference shown"
    return metric.better if (ratio.estimate > 1) == metric.is_more_better else metric.worse


def _notes(before: PointResult, after: PointResult) -> list[str]:
    """What a reader must know before believing a change."""
    notes = [
        f"{place} was {point.status.replace('_', ' ')}{f': {point.error}' if point.error else ''}"
        for place, point in (("the first", before), ("the second", after))
        if point.status != "measured"
    ]
    if notes:
        return notes
    notes += [
        f"repeats of {place} lie more than 10 % apart"
        for place, point in (("the first", before), ("the second", after))
        if point.is_noisy
    ]
    counts = len(before.samples), len(after.samples)
    if min(counts) < MIN_REPEATS:
        notes.append(f"repeats: {counts[0]} and {counts[1]}; an interval needs {MIN_REPEATS} in both")
    if before.batch_size_used != after.batch_size_used:
        notes.append(f"batch size used: {before.batch_size_used}, then {after.batch_size_used}")
    tokens = before.mean_output_tokens, after.mean_output_tokens
    if tokens[0] and tokens[1] and abs(tokens[1] / tokens[0] - 1) > _NEAR_TOKENS:
        notes.append(f"tokens a caption: {tokens[0]:.1f}, then {tokens[1]:.1f}: other work")
    return notes


def _percent(ratio: float) -> float:
    return (ratio - 1) * 100


def _point_as_json(point: PointComparison) -> dict[str, Any]:
    return {
        "name": point.name,
        "before_status": point.before_status,
        "after_status": point.after_status,
        "is_lost": point.is_lost,
        "changes": [_change_as_json(change) for change in point.changes],
        "notes": list(point.notes),
    }


def _change_as_json(change: Change) -> dict[str, Any]:
    low, high = change.interval_percent or (None, None)
    table = {name: value for name, value in asdict(change).items() if name != "ratio"}
    return {**table, "percent": change.percent, "low_percent": low, "high_percent": high}
