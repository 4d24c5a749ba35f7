"""Limits that a comparison must keep: `throughput<-5%` and the like.

A limit is broken at a point when the estimate passes it and the interval leaves no change out. So noise
alone seldom breaks one, and a loss smaller than the limit never does, however sure it is. Where there is no
interval (too few repeats, memory, energy) the estimate decides alone and the finding says so: a limit that
could not be broken would be no check. A point that was measured before and is not any more breaks every
limit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from corridor_cli.bench.compare import Change, Comparison
from corridor_cli.bench.metrics import METRIC_OF
from corridor_cli.errors import UsageError
from corridor_cli.printable import printable

_FORM = re.compile(r"\s*(\w+)\s*([<>])\s*([+-]?\d+(?:\.\d+)?)\s*%?\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Limit:
    """`percent` is of the change: 0 or less when it must not be below, 0 or more when not above."""

    metric: str
    is_below: bool
    percent: float

    def __str__(self) -> str:
        return f"{self.metric}{'<' if self.is_below else '>'}{self.percent:g}%"

    def is_passed_by(self, percent: float) -> bool:
        return percent < self.percent if self.is_below else percent > self.percent


@dataclass(frozen=True, slots=True)
class Finding:
    """A limit that is broken at a point, and how."""

    limit: str
    point: str
    what: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of the limits: where each was looked at, and where it was broken."""

    num_looked_at: dict[str, int]
    broken: tuple[Finding, ...]

    def as_json(self) -> dict[str, Any]:
        return {"num_points": self.num_looked_at, "broken": [asdict(finding) for finding in self.broken]}


def read_limit(text: str) -> Limit:
    """`METRIC<-PERCENT` or `METRIC>PERCENT`, with or without the sign %. Raises `UsageError`."""
    form = _FORM.fullmatch(text)
    if form is None or form[1] not in METRIC_OF:
        raise _unreadable(text)
    is_below, percent = form[2] == "<", float(form[3])
    if not (-100 < percent <= 0 if is_below else percent >= 0):
        raise _unreadable(text)
    return Limit(form[1], is_below, percent)


def _unreadable(text: str) -> UsageError:
    return UsageError(
        f"flag --fail-if: got '{printable(text)}', allowed: one of {', '.join(METRIC_OF)}, then < and a "
        "percentage from 0 down to above -100, or > and one from 0 up",
        hint='For example --fail-if "throughput<-5%" or --fail-if "latency_p95>10%".',
    )


def judge(comparison: Comparison, limits: Sequence[Limit]) -> Judgement:
    """Hold every point against every limit. Raises `UsageError` for a limit that no point can be held
    against: a check of nothing must not look like one that passed."""
    broken: list[Finding] = []
    num_looked_at: dict[str, int] = {}
    for limit in limits:
        num_points = 0
        for point in comparison.points:
            if point.is_lost:
                num_points += 1
                status = point.after_status.replace("_", " ")
                broken.append(Finding(str(limit), point.name, f"was measured, and now {status}"))
            for change in point.changes:
                if change.metric == limit.metric:
                    num_points += 1
                    broken += _broken(limit, point.name, change)
        if not num_points:
            raise UsageError(
                f"flag --fail-if: {limit}: no point has this metric in both files",
                hint="Compare without it, or measure again where the metric can be had.",
            )
        num_looked_at[str(limit)] = num_points
    return Judgement(num_looked_at, tuple(broken))


def _broken(limit: Limit, point: str, change: Change) -> list[Finding]:
    if not limit.is_passed_by(change.percent):
        return []
    interval = change.interval_percent
    if interval is None:
        how = "the estimate alone, as there are too few values for an interval"
        return [Finding(str(limit), point, f"{change.percent:+.1f} % ({how})")]
    if not change.ratio.excludes_no_change:
        return []
    what = f"{change.percent:+.1f} % (95 % interval {interval[0]:+.1f} to {interval[1]:+.1f} %)"
    return [Finding(str(limit), point, what)]
