"""Figures and facts of a document in words: what tables, pictures' sentences and pages share."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from corridor_cli.bench.document import BenchDocument, PointResult
from corridor_cli.bench.selection import centre_of, clean_curve, size_of
from corridor_cli.printable import printable, shell_word, shortened
from corridor_cli.telemetry import counted, format_bytes, format_duration

STATUS_WORDS = {
    "measured": "measured",
    "out_of_memory": "out of memory",
    "died": "died",
    "failed": "failed",
}
ENOUGH_CAPTIONS = 16  # to say of how many a batch changes the text
_MAX_FACT_CHARS = 200
_MAX_FACTS = 200


def figure(value: float, digits: int = 3) -> str:
    """So many digits that count, and no fewer before the point: `61.8`, `0.0713`, `1,234`."""
    if not math.isfinite(value):
        return "unknown"
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{places}f}"


def percent(share: float) -> str:
    """A share of 0 to 1: `71 %`, `0.4 %`."""
    value = 100 * share
    return f"{value:.0f} %" if abs(value) >= 10 or value == 0 else f"{value:.1f} %"


def half_spread(row: PointResult) -> float | None:
    """Half of the way from the slowest to the fastest repeat, frames/s; None for a single one."""
    spread = row.frames_per_second_spread
    return (spread.max - spread.min) / 2 if spread is not None and spread.n > 1 else None


def batch_in_words(row: PointResult) -> str:
    """`32`, `auto (64)`, `loop`; `256 (ran 96)` where memory did not allow what was asked."""
    if row.contestant == "loop":
        return "loop"
    used = row.batch_size_used
    if row.batch_size == "auto":
        return "auto" if used is None else f"auto ({used})"
    return (
        f"{row.batch_size} (ran {used})"
        if used is not None and used < row.batch_size
        else str(row.batch_size)
    )


def agreement_in_words(row: PointResult) -> str:
    """How many captions are those of batch size 1: `15 of 16`, `3 of 3, too few`; empty where none was
    compared with another."""
    share, number = row.agreement_with_batch_1, row.num_captions_compared
    if share is None or number is None or (row.contestant == "engine" and row.batch_size == 1):
        return ""
    return f"{round(share * number)} of {number}{', too few' if number < ENOUGH_CAPTIONS else ''}"


def peak_memory(row: PointResult) -> tuple[int, str] | None:
    """The most memory that was held, and whose: the device's as its driver tells, else what the engine had
    reserved or allocated there, else that of the processes."""
    memory = row.memory
    known = (
        (memory.peak_device_bytes, "all that was in use on the device"),
        (memory.peak_reserved_bytes, "what the engine had reserved"),
        (memory.peak_allocated_bytes, "what the engine had allocated"),
        (memory.peak_host_bytes, "the processes' main memory"),
    )
    return next(((value, whose) for value, whose in known if value is not None), None)


def text_fact(document: BenchDocument, name: str) -> str | None:
    """A fact of the environment as text, safe to show; None where it is unknown."""
    value = document.environment.get(name)
    return None if value is None or value == "" else printable(str(value))


def device_in_words(document: BenchDocument) -> str:
    """The device's name, or the processor's where it is the device."""
    name = text_fact(document, "device_name")
    peaks = document.peaks or {}
    if name is None and isinstance(peaks.get("device_name"), str):
        name = printable(peaks["device_name"])
    if name is None or name == "cpu":
        name = text_fact(document, "cpu") or name
    return shortened(name or text_fact(document, "device") or "an unknown device", 80)


def subject(document: BenchDocument) -> str:
    """The model, its precision and the device: what all figures are of."""
    model = shortened(text_fact(document, "model") or "an unknown model", 80)
    precision = text_fact(document, "quantization") or text_fact(document, "dtype")
    return f"{model}{f' in {shortened(precision, 20)}' if precision else ''} on {device_in_words(document)}"


def command_line(document: BenchDocument) -> str:
    """As typed, ready to paste."""
    return " ".join(map(shell_word, document.command))


def request_in_words(document: BenchDocument) -> str | None:
    """What each request of the centre asks."""
    centre = centre_of(document)
    if centre is None:
        return None
    frames, tiles, tokens = centre
    return (
        f"{counted(frames, 'frame')} of {counted(tiles, 'tile')} a request, "
        f"at most {counted(tokens, 'output token')}"
    )


def verdict_sentence(document: BenchDocument) -> str:
    """The one sentence to take away."""
    if document.verdict is None:
        best = max(clean_curve(document), key=lambda row: row.frames_per_second or 0.0, default=None)
        so_far = f": the best so far is batch {batch_in_words(best)} with " if best else ""
        return f"No verdict yet{so_far}{f'{figure(best.frames_per_second or 0.0)} frames/s' if best else ''}."
    choice = document.verdict.recommended
    if choice is None:
        return "No batch size can be recommended: none was measured without a failure."
    row = _row_of(document, choice.batch_size)
    parts = []
    if choice.frames_per_second is not None:
        spread = row.frames_per_second_spread if row else None
        ends = f" ({figure(spread.min)}–{figure(spread.max)})" if spread and spread.n > 1 else ""
        parts.append(f"{figure(choice.frames_per_second)} frames/s{ends}")
    if choice.latency_p95_ms is not None:
        parts.append(f"a p95 latency of {figure(choice.latency_p95_ms)} ms")
    if row is not None and row.speedup_over_loop is not None:
        parts.append(f"{figure(row.speedup_over_loop)} times the loop")
    if row is not None and row.share_of_roofline is not None:
        parts.append(f"{percent(row.share_of_roofline)} of the roofline")
    return f"Set batch size {choice.batch_size}{': ' if parts else ''}{', '.join(parts)}."


def verdict_notes(document: BenchDocument) -> Iterator[str]:
    """The other choices, and what the verdict itself has to say."""
    verdict = document.verdict
    if verdict is None:
        return
    if verdict.recommended is not None:
        yield f"Why {verdict.recommended.batch_size}: {printable(verdict.recommended.reason)}."
    if verdict.within_latency is not None:
        choice = verdict.within_latency
        yield f"Batch size {choice.batch_size} where latency counts: {printable(choice.reason)}."
    elif verdict.max_latency_ms is not None:
        yield f"No batch size keeps a p95 latency of {verdict.max_latency_ms:g} ms."
    if verdict.largest_fitting is not None:
        yield f"Batch size {verdict.largest_fitting.batch_size}: {printable(verdict.largest_fitting.reason)}."


def fact_rows(table: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Names and values of a table of facts in words: tables within it laid open, unknown facts left out."""
    rows: list[tuple[str, str]] = []
    for key, value in table.items():
        name = f"{prefix}{printable(str(key)).replace('_', ' ')}"
        if isinstance(value, dict):
            rows += fact_rows(value, f"{name}: ")
        elif value is not None and value not in ("", []):
            rows.append((shortened(name, 80), _fact(str(key), value)))
    return rows[:_MAX_FACTS]


def _fact(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return shortened(", ".join(map(str, value)), _MAX_FACT_CHARS)
    if isinstance(value, int | float):
        if not math.isfinite(value):
            return "unknown"
        if key.endswith("bytes_per_second"):
            return f"{figure(value / 1e9)} GB/s"
        if key.endswith("flops_per_second"):
            return f"{figure(value / 1e12)} TFLOP/s"
        if key.endswith("_bytes"):
            return format_bytes(int(value))
        if key.endswith("_seconds") or key == "seconds":
            return format_duration(value)
        return str(value) if isinstance(value, int) else f"{value:.4g}"
    return shortened(str(value), _MAX_FACT_CHARS)


def _row_of(document: BenchDocument, batch_size: int) -> PointResult | None:
    """The measured point at the centre that the verdict speaks of."""
    return next((row for row in clean_curve(document) if size_of(row) == batch_size), None)
