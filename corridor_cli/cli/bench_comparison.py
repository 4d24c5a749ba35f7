"""A comparison of two benchmarks for people: what else differs first, then a table for each point."""

from __future__ import annotations

import io
import json
import math
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corridor_cli.bench.compare import Change, Comparison, PointComparison
from corridor_cli.bench.differences import Difference
from corridor_cli.bench.limits import Judgement
from corridor_cli.cli.tables import open_console, plain_table
from corridor_cli.printable import printable
from corridor_cli.telemetry import counted

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {"faster": "green", "less": "green", "slower": "red", "more": "red"}
_GIB, _MIB = 1024.0**3, 1024.0**2
_ABOUT = (
    "Changes are B over A, of the repeats' geometric means. Intervals tell of the",
    "repeats in these two runs; what differs from one run to the next is not in them.",
)


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two files, and what it says of its making."""

    path: str
    created_at: str
    command: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        return {"path": self.path, "created_at": self.created_at, "command": list(self.command)}


def comparison_as_text(before: Side, after: Side, comparison: Comparison, judgement: Judgement) -> str:
    """All of it, for the stdout of now."""
    text = io.StringIO()
    console = open_console(text)
    for label, side in (("A", before), ("B", after)):
        console.print(f"{label}  {printable(side.path)}, {printable(side.created_at)}", style="bold")
        console.print(f"   {printable(shlex.join(side.command))}", style="dim")
    _print_differences(console, comparison)
    for point in comparison.points:
        _print_point(console, point)
    console.print()
    for line in _closing(comparison, judgement):
        console.print(line)
    for line in _ABOUT:
        console.print(line, style="dim")
    # rich fills every line up to the width of its table.
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def _print_differences(console: Console, comparison: Comparison) -> None:
    if not comparison.differences:
        console.print("\nMachine, versions, model, workload and settings are the same.")
        return
    console.print()
    if comparison.is_other_machine:
        console.print("THE MACHINES DIFFER: a change is not the program's alone.", style="bold red")
    if any(each.kind in ("model", "workload") for each in comparison.differences):
        console.print("THE WORK DIFFERS: a change is not one of speed alone.", style="bold red")
    table = plain_table()
    for name in ("differs", "what", "A", "B"):
        table.add_column(name, overflow="fold")
    for each in comparison.differences:
        table.add_row(each.kind, *_told(each))
    console.print(table)


def _told(difference: Difference) -> Iterator[str]:
    yield printable(difference.name)
    for value in (difference.before, difference.after):
        is_plain = isinstance(value, (str, int, float)) and not isinstance(value, bool)
        yield "-" if value is None else printable(str(value) if is_plain else json.dumps(value))


def _print_point(console: Console, point: PointComparison) -> None:
    console.print(f"\n{printable(point.name)}", style="bold")
    if point.changes:
        table = plain_table()
        table.add_column("metric", no_wrap=True)
        table.add_column("A", justify="right", no_wrap=True)
        table.add_column("B", justify="right", no_wrap=True)
        table.add_column("% (95 % interval)", justify="right", no_wrap=True)
        table.add_column("B is", overflow="fold")
        for change in point.changes:
            table.add_row(*_row(change), style=_STYLES.get(change.verdict, ""))
        console.print(table)
    for note in point.notes:
        console.print(f"note: {printable(note)}")


def _row(change: Change) -> Iterator[str]:
    show_value = _VALUES[change.unit]
    yield change.metric
    yield show_value(change.before)
    yield show_value(change.after)
    interval = change.interval_percent
    between = f" ({_percent(interval[0])} to {_percent(interval[1])})" if interval else ""
    yield f"{_percent(change.percent)}{between}"
    yield change.verdict


def _closing(comparison: Comparison, judgement: Judgement) -> Iterator[str]:
    for label, names in (("A", comparison.only_before), ("B", comparison.only_after)):
        for name in names:
            yield f"only in {label}: {printable(name)}"
    yield from comparison.notes
    broken = {finding.limit for finding in judgement.broken}
    for limit, num_points in judgement.num_looked_at.items():
        yield f"limit {limit}: {'broken' if limit in broken else 'kept'}, {counted(num_points, 'point')}"


def _percent(percent: float) -> str:
    return f"{percent:+.{0 if abs(percent) >= 99.95 else 1}f}"


def _three_digits(value: float) -> str:
    rounded = float(f"{value:.3g}")
    decimals = max(0, 2 - math.floor(math.log10(rounded)))
    return f"{rounded if decimals else value:,.{decimals}f}"


def _bytes(value: float) -> str:
    if value >= 0.9995 * _GIB:  # a mean of logarithms may fall short of what it is the mean of
        return f"{_three_digits(value / _GIB)} GiB"
    return f"{_three_digits(value / _MIB)} MiB"


def _milliseconds(value: float) -> str:
    return f"{_three_digits(value)} ms" if value < 10_000 else f"{_three_digits(value / 1000)} s"


_VALUES: dict[str, Callable[[float], str]] = {
    "frames/s": lambda value: f"{_three_digits(value)} f/s",
    "ms": _milliseconds,
    "bytes": _bytes,
    "J/frame": lambda value: f"{_three_digits(value)} J",
}
