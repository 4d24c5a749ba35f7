"""Timelines exported to a table (`bench_export.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from result_tables.markdown import (
    Result,
    command_block,
    device_name,
    heading,
    machine_line,
    ranged,
    source_line,
    table,
)


def is_exports(document: Mapping[str, Any]) -> bool:
    return {"format", "timelines", "timelines_per_second"} <= document.keys()


def exports(result: Result) -> str:
    """Timelines a second, what each cost in processor time, and how much of the machine others had."""
    told = result.document
    milliseconds = 1000 * told["cpu_seconds"]["median"] / told["timelines"]
    row = [
        told["format"],
        f"{told['timelines']:,} of {told['bytes_each'] / 1000:.1f} KB",
        ranged(told["timelines_per_second"], 0),
        f"{milliseconds:.2f} ms",
        f"{told['peak_memory_mib']} MiB",
        f"{told['others_share']['median']:.0%}",
    ]
    head = ["format", "timelines", "timelines/s", "processor time each", "peak memory", "other work had"]
    parts = [
        heading(device_name(told["machine"]), result),
        machine_line(told["machine"]),
        command_block(told["machine"]["command"]),
        table(head, [row]),
        source_line(result),
    ]
    return "\n\n".join(parts)
