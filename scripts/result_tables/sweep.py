"""What `vlmtl bench` wrote (`vlmtl.bench/1`), and the steps of `gpu_check.py`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from corridor_cli.bench.document import SCHEMA, BenchDocument, Memory, Percentiles, PointResult
from corridor_cli.bench.points import Point
from result_tables.markdown import Result, gib, heading, ranged, source_line, table


def is_sweep(document: Mapping[str, Any]) -> bool:
    return document.get("schema") == SCHEMA


def is_steps(document: Mapping[str, Any]) -> bool:
    return document.keys() == {"steps"}


def sweep(result: Result) -> str:
    """A row a point, then what was recommended, the run over real videos, and the long run."""
    bench = BenchDocument.model_validate(result.document)
    rows = [_row(point) for point in bench.points]
    parts = [
        heading(_title(bench), result),
        f"Machine: {_told(bench.environment)}.",
        f"Workload: {_told(bench.workload)}.",
        f"```\nvlmtl {shlex.join(bench.command).removeprefix('vlmtl ')}\n```",
    ]
    if not bench.is_complete:
        parts.append("**Not complete: the sweep was stopped.**")
    head = [
        "point", "frames/s", "times the loop", "share of the ceiling", "latency p50 / p95", "first token p50",
        "peak memory", "joules a frame",
    ]  # fmt: skip
    parts += [table(head, rows), *_endings(bench), source_line(result)]
    return "\n\n".join(parts)


def _title(bench: BenchDocument) -> str:
    model = bench.workload.get("model") or bench.settings.get("model") or "a model"
    return str(model) if isinstance(model, str) else "a model"


def _told(facts: Mapping[str, Any]) -> str:
    return "; ".join(f"{name} {value}" for name, value in _flat(facts, ""))


def _flat(facts: Mapping[str, Any], above: str) -> Iterator[tuple[str, str]]:
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name} ")
        elif value not in (None, "", []):
            told = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield f"{above}{name}".replace("_", " "), told


def _row(point: PointResult) -> list[str]:
    asked = Point(point.contestant, point.batch_size, point.frames, point.tiles, point.output_tokens)
    if point.status != "measured":
        return [asked.name, point.status.replace("_", " "), *[""] * 6]
    spread = point.frames_per_second_spread
    if spread:
        speed = f"{ranged(spread.model_dump(), 2)}, n = {spread.n}{', noisy' if point.is_noisy else ''}"
    else:
        speed = _number(point.frames_per_second, 2)
    return [
        asked.name,
        speed,
        _number(point.speedup_over_loop, 2),
        _number(point.share_of_roofline, 2),
        _percentiles(point.latency_ms),
        "-" if point.ttft_ms is None else f"{point.ttft_ms.p50:,.0f} ms",
        gib(_most(point.memory)),
        _number(point.joules_per_frame, 2),
    ]


def _number(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{value:,.{decimals}f}"


def _percentiles(told: Percentiles | None) -> str:
    return "-" if told is None else f"{told.p50:,.0f} / {told.p95:,.0f} ms"


def _most(memory: Memory) -> int | None:
    known = (memory.peak_allocated_bytes, memory.peak_reserved_bytes, memory.peak_device_bytes)
    return next((each for each in known if each is not None), memory.peak_host_bytes)


def _endings(bench: BenchDocument) -> Iterator[str]:
    if bench.verdict and bench.verdict.recommended:
        choice = bench.verdict.recommended
        yield f"Recommended: batch size {choice.batch_size}, {choice.reason}."
    if bench.pipe:
        pipe = bench.pipe
        yield (
            f"From files to timelines with batch size {pipe.batch_size}: {pipe.num_videos} videos of "
            f"{pipe.video_seconds:,.0f} s, {pipe.num_captions} captions in {pipe.wall_seconds:,.1f} s, "
            f"{pipe.times_real_time:,.2f} times real time."
        )
    if bench.long_run:
        run = bench.long_run
        yield (
            f"For {run.seconds:,.0f} s with batch size {run.batch_size}: "
            f"{run.frames_per_second:,.2f} frames/s, the last quarter {run.drift:.3f} times the first."
        )


def steps(result: Result) -> str:
    """Every check of every step, with what was measured."""
    parts = [heading("an accelerator's checks", result)]
    for name, step in result.document["steps"].items():
        signs = {True: "holds", False: "**does not hold**", None: "not judged"}
        rows = [[each["check"], signs[each["holds"]], each["figure"]] for each in step["results"]]
        facts = "; ".join(f"{fact} {value}" for fact, value in step["environment"].items())
        parts += [f"**{name}**, {step['seconds']:.0f} s. {facts}.", table(["check", "", "figure"], rows)]
    return "\n\n".join([*parts, source_line(result)])
