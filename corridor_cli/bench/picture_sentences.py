"""What to see in each picture, in one sentence with its figures. No picture is needed to say it."""

from __future__ import annotations

from collections.abc import Sequence

from corridor_cli.bench.document import BenchDocument, LongRun, PointResult
from corridor_cli.bench.selection import (
    AXES,
    Axis,
    axis_curve,
    clean_curve,
    is_dominated,
    loop_point,
    memory_limit_bytes,
    size_of,
)
from corridor_cli.bench.wording import batch_in_words, figure, peak_memory, percent
from corridor_cli.printable import printable
from corridor_cli.telemetry import format_bytes, format_duration

AXIS_WORDS: dict[Axis, str] = {
    "frames": "frames a request",
    "tiles": "tiles a frame",
    "output_tokens": "output tokens a request",
}


def throughput_sentence(document: BenchDocument) -> str:
    """How far throughput rises, and how the best compares."""
    rows = clean_curve(document)
    first, best = rows[0], max(rows, key=_rate)
    text = f"Batch {size_of(first)} gives {figure(_rate(first))} frames/s"
    if best is first:
        text += ", and no larger batch gives more"
    else:
        times = _rate(best) / _rate(first) if _rate(first) else 0.0
        text += f", batch {size_of(best)} gives {figure(_rate(best))}, {figure(times)} times as many"
    loop = loop_point(document)
    if loop is not None:
        text += f"; the loop gives {figure(_rate(loop))}"
    if best.share_of_roofline is not None:
        text += f"; {percent(best.share_of_roofline)} of the roofline is reached there"
    return f"{text}."


def latency_sentence(document: BenchDocument) -> str:
    """What the smallest and the largest size cost in waiting, and which keep the limit."""
    rows = [row for row in clean_curve(document) if row.latency_ms is not None]
    first, last = rows[0], rows[-1]
    text = (
        f"The slowest twentieth of captions takes {figure(_p95(first))} ms or more at batch {size_of(first)} "
        f"and {figure(_p95(last))} ms at batch {size_of(last)}"
    )
    limit = document.verdict.max_latency_ms if document.verdict else None
    if limit is not None:
        kept = [size_of(row) or 1 for row in rows if _p95(row) <= limit]
        text += f"; {f'batch {max(kept)} still' if kept else 'no batch size'} keeps to {limit:g} ms"
    return f"{text}."


def memory_sentence(document: BenchDocument) -> str:
    """What a request more costs, and what is left."""
    rows = [row for row in clean_curve(document) if peak_memory(row) is not None]
    if len(rows) < 2:
        return "Peaks of memory by batch size."
    first, last = rows[0], rows[-1]
    held, whose = peak_memory(last) or (0, "")
    more = held - (peak_memory(first) or (0, ""))[0]
    each = more / max(1, (size_of(last) or 1) - (size_of(first) or 1))
    limit = memory_limit_bytes(document)
    of = f" of {format_bytes(limit)}" if limit is not None else ""
    text = f"At batch {size_of(last)}, {format_bytes(held)}{of} are held ({whose})"
    return (
        f"{text}, about {format_bytes(int(each))} a request more than at batch {size_of(first)}."
        if more > 0
        else f"{text}."
    )


def pareto_sentence(document: BenchDocument) -> str:
    """Which sizes are worth having."""
    rows = [row for row in clean_curve(document) if row.latency_ms is not None]
    front = [row for row in rows if not is_dominated(row, rows)]
    sizes = ", ".join(str(size_of(row)) for row in front)
    text = (
        f"Batch sizes {sizes} are worth having"
        if len(front) > 1
        else f"Only batch size {sizes} is worth having"
    )
    return f"{text}: no other is both faster and sooner."


def stages_sentence(rows: Sequence[PointResult]) -> str:
    """Where the time goes at the ends."""
    parts = []
    for row in (rows[0], rows[-1]):
        shares = pass_shares(row)
        most = max(shares, key=lambda name: shares[name])
        parts.append(f"to {printable(most)} at batch {size_of(row)} ({percent(shares[most])})")
    return f"Most of a request's time goes {' and '.join(dict.fromkeys(parts))}."


def pass_shares(row: PointResult) -> dict[str, float]:
    """The shares (0 to 1) of a request's wall time that went to each pass, and `rest`, what none of them had.

    Where passes overlap and come to more than the wall time, they are shares of their sum, and nothing rests.
    """
    passes = {name: seconds for name, seconds in row.pass_seconds_per_request.items() if seconds > 0}
    taken = sum(passes.values())
    wall = max(taken, 1 / row.requests_per_second if row.requests_per_second else 0.0)
    if not passes or not wall:
        return {}
    return {name: seconds / wall for name, seconds in passes.items()} | {"rest": 1 - taken / wall}


def ceilings_sentence(rows: Sequence[PointResult]) -> str:
    """How near each pass comes to its peak, at most."""
    parts = []
    for field, word in (("mfu_vision", "vision"), ("mfu_prefill", "prefill"), ("mbu_steps", "steps")):
        shares = [(getattr(row.roofline, field, None), size_of(row)) for row in rows]
        known = [(share, size) for share, size in shares if share is not None]
        if known:
            share, size = max(known, key=lambda each: float(each[0]))
            parts.append(f"{word} {percent(share)} (batch {size})")
    return f"The most that passes reach of their peak: {', '.join(parts)}."


def axes_sentence(document: BenchDocument) -> str:
    """What more of each axis costs."""
    parts: list[str] = []
    sizes: list[str] = []
    for axis in AXES:
        rows = axis_curve(document, axis)
        if rows:
            first, last = rows[0], rows[-1]
            unit, sizes = "" if parts else " frames/s", [*sizes, batch_in_words(first)]
            parts.append(
                f"from {getattr(first, axis)} to {getattr(last, axis)} {AXIS_WORDS[axis]} throughput goes "
                f"from {figure(_rate(first))} to {figure(_rate(last))}{unit}"
            )
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]} (batch {', '.join(dict.fromkeys(sizes))})."


def long_run_sentence(run: LongRun) -> str:
    """Whether it keeps its pace."""
    change = run.drift - 1
    pace = (
        "keeps its pace"
        if abs(change) < 0.01
        else f"{'loses' if change < 0 else 'gains'} {percent(abs(change))}"
    )
    long = format_duration(run.seconds)
    text = f"In {long} at batch {run.batch_size} it {pace} from the first quarter to the last"
    if run.throttle_reasons:
        text += f"; the device slowed itself down ({', '.join(map(printable, run.throttle_reasons))})"
    return f"{text}."


def _rate(row: PointResult) -> float:
    return row.frames_per_second or 0.0


def _p95(row: PointResult) -> float:
    return row.latency_ms.p95 if row.latency_ms else 0.0
