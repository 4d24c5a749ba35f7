"""Estimates held against the runs they are about (`check_estimate.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from result_tables.markdown import Result, source_line, table


def is_estimates(document: Mapping[str, Any]) -> bool:
    return bool(document) and all(
        isinstance(each, Mapping) and {"median_ratio", "rounds"} <= each.keys() for each in document.values()
    )


def estimates(result: Result) -> str:
    """A line for each round; the machine is told on the page, for the script does not keep it."""
    rows = [_row(name, told) for name, each in result.document.items() for told in each["rounds"]]
    head = ["what", "other work in sample / run", "estimated (range), s", "run, s", "estimated over real"]
    return "\n\n".join([f"### {result.date}", table(head, rows), source_line(result)])


def _row(name: str, told: Mapping[str, Any]) -> list[str]:
    low, middle, high = told["estimated"]["seconds"]
    return [
        name,
        f"{told['other_work_in_sample']:.0%} / {told['other_work_in_run']:.0%}",
        f"{middle:.0f} ({low:.0f} to {high:.0f})",
        f"{told['real']['seconds']:.0f}",
        f"{told['ratio']:.2f}",
    ]
