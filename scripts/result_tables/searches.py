"""Questions put to the index of timelines (`bench_search.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from result_tables.markdown import Result, device_name, heading, machine_line, source_line, table


def is_searches(document: Mapping[str, Any]) -> bool:
    return {"scenes", "timelines", "index_bytes", "fresh_seconds"} <= document.keys()


def searches(result: Result) -> str:
    """How long questions of each kind took, and how long it takes to know that the index is up to date."""
    told = result.document
    rows = [_row("all", told["seconds"]), *(_row(kind, each) for kind, each in told["kinds"].items())]
    fresh = told["fresh_seconds"]["median"]
    about = (
        f"{told['scenes']:,} scenes of {told['timelines']:,} timelines, an index of "
        f"{told['index_bytes'] / 1e6:,.0f} MB, {told['questions']:,} questions. To see that no timeline has "
        f"changed takes {1000 * fresh:,.0f} ms beside each."
    )
    parts = [
        heading(device_name(told["machine"]), result),
        machine_line(told["machine"]),
        about,
        table(["question", "median", "p95", "longest"], rows),
        source_line(result),
    ]
    return "\n\n".join(parts)


def _row(kind: str, seconds: Mapping[str, float]) -> list[str]:
    return [kind, *(f"{1000 * seconds[name]:,.1f} ms" for name in ("median", "p95", "max"))]
