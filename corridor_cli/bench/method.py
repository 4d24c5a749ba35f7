"""How a document's figures were measured, and what is wrong with them, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from corridor_cli.bench.document import BenchDocument, PointResult
from corridor_cli.bench.selection import loop_point, measured
from corridor_cli.bench.statistics import MAX_QUIET_SPREAD
from corridor_cli.bench.wording import (
    ENOUGH_CAPTIONS,
    STATUS_WORDS,
    agreement_in_words,
    batch_in_words,
    figure,
    percent,
)
from corridor_cli.printable import printable, shortened
from corridor_cli.telemetry import counted, format_duration

# Beyond it a CPU's figures show other work as well (docs/benchmarks/README.md).
_QUIET_LOAD = 0.5
_MAX_REASON_CHARS = 300
_MAX_OTHER_SHARE = 0.1


def method_lines(document: BenchDocument) -> Iterator[str]:
    """How it was measured, as far as the document tells."""
    yield from _effort_lines(document)
    yield (
        "Throughput is the median over the repeats, each from its first request to its last caption; the "
        "spread, the bars in pictures, goes from the slowest repeat to the fastest."
    )
    counts = [row.latency_ms.n for row in document.points if row.latency_ms is not None]
    if counts:
        among = f"{min(counts):,} to {max(counts):,}" if min(counts) < max(counts) else f"{counts[0]:,}"
        yield (
            "Latencies are of all requests of all repeats together, from entering the batch to the caption: "
            f"n is {among} a point. p99 is given from 100 requests on."
        )
    yield (
        "Noisy (~) is a point whose slowest and fastest repeats lie more than "
        f"{percent(MAX_QUIET_SPREAD)} of the median apart."
    )
    if loop_point(document) is not None:
        yield "The loop is transformers' own generate on the same requests, one at a time."
    if any(row.share_of_roofline is not None for row in document.points):
        yield (
            "The roofline is what the device could do at best by counting products and bytes, with the peaks "
            "that were measured on it; nothing overlaps in it."
        )
    if document.peaks is not None:
        yield from _peak_lines(document.peaks)
    shares = [row.hardware.sampler_cpu_share for row in document.points]
    known = [share for share in shares if share is not None]
    if known:
        yield f"Looking at the hardware meanwhile took at most {percent(max(known))} of one core."


def _effort_lines(document: BenchDocument) -> Iterator[str]:
    effort = document.settings.get("effort")
    effort = effort if isinstance(effort, dict) else {}
    repeats = {len(row.samples) for row in document.points if row.samples}
    if repeats:
        often = str(max(repeats)) if len(repeats) == 1 else f"{min(repeats)} to {max(repeats)}"
        least, noun = effort.get("seconds"), "repeat" if repeats == {1} else "repeats"
        long = f" of about {least:g} s or more" if isinstance(least, int | float) else ""
        yield f"Each point is of {often} {noun}{long}."
    warm_ups = [row.warm_up_seconds for row in document.points if row.warm_up_seconds is not None]
    if warm_ups:
        low, high = format_duration(min(warm_ups)), format_duration(max(warm_ups))
        took = low if low == high else f"{low} to {high}"
        yield f"Starting the engine and a warm-up before the repeats ({took}) are in no figure."
    seed = document.settings.get("seed")
    if seed is not None:
        yield f"The points ran in random order (seed {shortened(str(seed), 20)}); tables sort them."


def _peak_lines(peaks: dict[str, Any]) -> Iterator[str]:
    flops, reading = peaks.get("flops_per_second"), peaks.get("read_bytes_per_second")
    if isinstance(flops, int | float):
        yield f"Peak of arithmetic: {figure(flops / 1e12)} TFLOP/s ({_told(peaks, 'flops_how')})."
    if isinstance(reading, int | float):
        yield f"Peak of reading: {figure(reading / 1e9)} GB/s ({_told(peaks, 'read_how')})."


def _told(peaks: dict[str, Any], name: str) -> str:
    return shortened(str(peaks.get(name) or "how is not told"), 120)


def name_of(row: PointResult) -> str:
    """The point in words."""
    what = "loop" if row.contestant == "loop" else f"batch {batch_in_words(row)}"
    tokens = counted(row.output_tokens, "token")
    return f"{what}, {counted(row.frames, 'frame')} of {counted(row.tiles, 'tile')}, {tokens}"


def failures(document: BenchDocument) -> list[PointResult]:
    """The points that did not end well."""
    return [row for row in document.points if row.status != "measured"]


def reason_of(row: PointResult) -> str:
    """How a point failed and why."""
    why = shortened(row.error, _MAX_REASON_CHARS) if row.error else "no reason is known"
    return f"{STATUS_WORDS[row.status]}: {why}"


def problem_lines(document: BenchDocument) -> Iterator[str]:
    """What to know before a figure is quoted."""
    if not document.is_complete:
        yield "The sweep is not complete: points are missing."
    failed = failures(document)
    for row in failed:
        yield f"{name_of(row)}: {reason_of(row)}."
    for row in (row for row in document.points if row.is_noisy):
        spread = row.frames_per_second_spread
        apart = f": its repeats lie {percent(spread.relative)} apart" if spread else ""
        yield f"{name_of(row)} is noisy{apart}. Measure it again on a quieter machine."
    told = {row.error for row in failed if row.error}
    for note in document.verdict.notes if document.verdict else []:
        if not any(error in note for error in told):
            yield f"{shortened(note, _MAX_REASON_CHARS)}."
    yield from _machine_problems(document)
    yield from agreement_lines(document)


def _machine_problems(document: BenchDocument) -> Iterator[str]:
    load = document.environment.get("load_average")
    if isinstance(load, int | float) and load > _QUIET_LOAD:
        yield f"The load average was {load:g} when it began: other work ran on the processors."
    peaks = document.peaks or {}
    if peaks.get("problem"):
        yield f"Peaks: {shortened(str(peaks['problem']), _MAX_REASON_CHARS)}."
    other = peaks.get("other_work_share")
    if peaks.get("device") == "cpu" and isinstance(other, int | float) and other > _MAX_OTHER_SHARE:
        yield f"Other work took {percent(other)} of the processors while peaks were measured: too low."
    slowed = {reason for row in document.points for reason in row.hardware.throttle_reasons}
    slowed |= set(document.long_run.throttle_reasons) if document.long_run else set()
    if slowed:
        yield f"The device slowed itself down: {', '.join(printable(each) for each in sorted(slowed))}."


def agreement_lines(document: BenchDocument) -> Iterator[str]:
    """Where captions are not those of batch size 1, and where too few were compared to say so."""
    rows = [row for row in measured(document.points) if agreement_in_words(row)]
    worst = min(rows, key=lambda row: row.agreement_with_batch_1 or 0.0, default=None)
    if worst is not None and worst.agreement_with_batch_1 != 1:
        yield (
            f"Of the captions compared {agreement_in_words(worst).removesuffix(', too few')} are those of "
            f"batch size 1 at {name_of(worst)}, where the fewest are: in 16 bits rounding depends on the "
            "batch."
        )
    few = [row for row in rows if (row.num_captions_compared or 0) < ENOUGH_CAPTIONS]
    if few:
        least = min(few, key=lambda row: row.num_captions_compared or 0)
        yield (
            f"Fewer than {ENOUGH_CAPTIONS} captions were compared with those of batch size 1 at "
            f"{counted(len(few), 'point')}, {least.num_captions_compared} at {name_of(least)}: too few to "
            "tell whether batches change them."
        )
