"""The points of a document as CSV, as a page of Markdown and as a table for a terminal or a pipe."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence

from corridor_cli.bench.columns import COLUMNS, Cell
from corridor_cli.bench.document import BenchDocument, PipeResult, PointResult
from corridor_cli.bench.method import (
    agreement_lines,
    failures,
    method_lines,
    name_of,
    problem_lines,
    reason_of,
)
from corridor_cli.bench.statistics import MAX_QUIET_SPREAD
from corridor_cli.bench.whole_way import STAGE_HEAD, stage_rows, stages_sentence, whole_way_lines
from corridor_cli.bench.wording import (
    STATUS_WORDS,
    agreement_in_words,
    batch_in_words,
    command_line,
    fact_rows,
    figure,
    half_spread,
    peak_memory,
    percent,
    request_in_words,
    subject,
    verdict_notes,
    verdict_sentence,
)
from corridor_cli.printable import printable
from corridor_cli.telemetry import format_bytes
from corridor_cli.timeline.listing import csv_line

TABLE_HEAD = (
    "batch", "frames", "tiles", "tokens", "frames/s", "± half spread", "p50 ms", "p95 ms", "p99 ms",
    "first token p50 ms", "tokens/s", "peak memory", "× loop", "of roofline", "busy", "J/frame",
    "as at batch 1",
)  # fmt: skip
# A program that opens a CSV takes a cell that begins so for a formula, and runs it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_MARKDOWN = re.compile(r"([\\`*_\[\]|~#])")
_NARROWEST, _WIDE_COLUMNS, _WIDEST = 40, 100, 400
_STATUS_SHORT = STATUS_WORDS | {"out_of_memory": "no memory"}


def points_csv(document: BenchDocument) -> str:
    """A line a point, in the order of the document; the columns are `COLUMNS`, unknown cells empty."""
    lines = [csv_line(*(column.name for column in COLUMNS))]
    lines += [csv_line(*(_csv_cell(column.value(row)) for column in COLUMNS)) for row in document.points]
    return "".join(lines)


def _csv_cell(value: Cell) -> Cell:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, str):
        text = printable(value)
        return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
    return value


def table_cells(row: PointResult) -> tuple[str, ...]:
    """The point under `TABLE_HEAD`; an unknown figure is empty, a failure stands where the speed would."""
    latency, first, memory = row.latency_ms, row.ttft_ms, peak_memory(row)
    half, roofline = half_spread(row), row.share_of_roofline
    return (
        batch_in_words(row), str(row.frames), str(row.tiles), str(row.output_tokens), _speed(row),
        "" if half is None else figure(half, 2),
        figure(latency.p50) if latency else "",
        figure(latency.p95) if latency else "",
        figure(latency.p99) if latency and latency.p99 is not None else "",
        figure(first.p50) if first else "",
        _known(row.output_tokens_per_second),
        format_bytes(memory[0]) if memory else "",
        _known(row.speedup_over_loop),
        "" if roofline is None else percent(roofline),
        "" if row.busy_share is None else percent(row.busy_share),
        _known(row.joules_per_frame),
        agreement_in_words(row),
    )  # fmt: skip


def _speed(row: PointResult) -> str:
    noisy = " ~" if row.is_noisy else ""
    if row.frames_per_second is None:
        return STATUS_WORDS[row.status]
    return f"{figure(row.frames_per_second)}{noisy}{'' if row.status == 'measured' else ' !'}"


def _known(value: float | None) -> str:
    return "" if value is None else figure(value)


def table_notes(document: BenchDocument) -> Iterator[str]:
    """What a reader of the table must know."""
    points = document.points
    whose = sorted({memory[1] for memory in map(peak_memory, points) if memory is not None})
    if whose:
        yield f"Peak memory is {' or '.join(whose)}."
    if any(row.is_noisy for row in points):
        yield f"~ marks noisy points: repeats lie more than {percent(MAX_QUIET_SPREAD)} apart."
    if any(row.status != "measured" and row.frames_per_second is not None for row in points):
        yield "! marks points that ran with fewer requests together than asked."


def shown_columns(rows: Sequence[Sequence[str]]) -> list[int]:
    """Places of the columns that any row has something in."""
    return [place for place in range(len(TABLE_HEAD)) if any(row[place] for row in rows)]


def points_markdown(document: BenchDocument) -> str:
    """A page that can stand alone: the verdict, the machine, the command, the table, what to know of it."""
    lines = [f"# Throughput of {_md(subject(document))}", "", f"**{_md(verdict_sentence(document))}**", ""]
    lines += _bullets(verdict_notes(document))
    lines += ["## Measured with", "", *_fence(command_line(document)), ""]
    lines += [f"{_md(document.created_at)}. {_md(request_in_words(document) or '')}".strip(), ""]
    lines += _fact_table(document)
    lines += ["## Points", "", *_md_table(document.points), ""]
    lines += [f"{_md(each)}\n" for each in table_notes(document)]
    lines += _md_whole_way(document.pipe)
    problems = list(problem_lines(document))
    if problems:
        lines += ["## What to know", "", *_bullets(problems)]
    lines += ["## How it was measured", "", *_bullets(method_lines(document))]
    return "\n".join(lines).rstrip() + "\n"


def _bullets(texts: Iterator[str] | list[str]) -> list[str]:
    found = [f"* {_md(text)}" for text in texts]
    return [*found, ""] if found else []


def _fact_table(document: BenchDocument) -> list[str]:
    facts = fact_rows(document.environment) + fact_rows(document.workload) + fact_rows(document.settings)
    if not facts:
        return []
    return [
        "| fact | value |",
        "|---|---|",
        *(f"| {_md(name)} | {_md(value)} |" for name, value in facts),
        "",
    ]


def _md_table(points: Sequence[PointResult]) -> list[str]:
    rows = [table_cells(row) for row in points]
    if not rows:
        return ["None was measured."]
    places = shown_columns(rows)
    lines = [TABLE_HEAD, ["---:"] * len(TABLE_HEAD), *([_md(cell) for cell in row] for row in rows)]
    return [f"| {' | '.join(line[place] for place in places)} |" for line in lines]


def _md_whole_way(pipe: PipeResult | None) -> list[str]:
    if pipe is None:
        return []
    rows = [STAGE_HEAD, ("---", "---:", "---:"), *stage_rows(pipe)]
    table = [f"| {' | '.join(cell if row is rows[1] else _md(cell) for cell in row)} |" for row in rows]
    return ["## The whole way", "", *_bullets(whole_way_lines(pipe)), *table, ""]


def _md(text: str) -> str:
    """Text that Markdown shows as it is."""
    escaped = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\1", escaped)


def _fence(text: str) -> list[str]:
    """The text as code, whatever backticks it has."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [fence, printable(text), fence]


def terminal_table(document: BenchDocument, width: int, *, is_terminal: bool = False) -> str:
    """The points in few columns for `width` characters, failures below; styled only for a terminal.

    Ends without a newline. No figure is cut: slow
    machines' rows may be wider than 80.
    """
    from rich.console import Console
    from rich.table import Table

    is_wide = width >= _WIDE_COLUMNS
    table = Table(box=None, pad_edge=False, padding=(0, 2 if is_wide else 1, 0, 0), header_style="dim")
    heads = (
        "batch",
        "frames",
        "tiles",
        "tokens",
        "frames/s",
        "p50/p95 ms",
        "tok/s",
        "peak GiB",
        "× loop",
        "roof",
    )
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    for row in document.points:
        table.add_row(*_terminal_cells(row))
    text = io.StringIO()
    console = Console(
        file=text, width=_WIDEST, force_terminal=is_terminal, color_system="auto" if is_terminal else None,
        markup=False, emoji=False, highlight=False, legacy_windows=False,
    )  # fmt: skip
    console.print(table)
    for note in _terminal_notes(document):
        console.print(note, width=max(_NARROWEST, width))
    # rich fills every line up to the width of its table.
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def _terminal_cells(row: PointResult) -> tuple[str, ...]:
    half, latency, memory = half_spread(row), row.latency_ms, peak_memory(row)
    speed = _STATUS_SHORT[row.status]
    if row.frames_per_second is not None:
        apart = "" if half is None else f" ±{figure(half, 2)}"
        speed = f"{figure(row.frames_per_second)}{apart}{'~' if row.is_noisy else ''}"
    size = "loop" if row.contestant == "loop" else _short_size(row)
    return (
        size, str(row.frames), str(row.tiles), str(row.output_tokens), speed,
        f"{latency.p50:.0f}/{latency.p95:.0f}" if latency else "",
        _known(row.output_tokens_per_second),
        figure(memory[0] / 1024**3) if memory else "",
        _known(row.speedup_over_loop),
        "" if row.share_of_roofline is None else percent(row.share_of_roofline),
    )  # fmt: skip


def _short_size(row: PointResult) -> str:
    used = row.batch_size_used
    if row.batch_size == "auto":
        return "auto" if used is None else f"a:{used}"
    return f"{row.batch_size}!" if used is not None and used < row.batch_size else str(row.batch_size)


def _terminal_notes(document: BenchDocument) -> Iterator[str]:
    points = document.points
    if any(row.is_noisy for row in points):
        yield f"~ noisy: repeats lie more than {percent(MAX_QUIET_SPREAD)} apart"
    if any(row.batch_size == "auto" and row.batch_size_used is not None for row in points):
        yield "a:N auto, which came to N"
    if any(batch_in_words(row).endswith(")") and row.batch_size != "auto" for row in points):
        yield "! ran with fewer requests together than asked"
    if document.pipe is not None and document.pipe.seconds_by_stage:
        yield stages_sentence(document.pipe)
    yield from agreement_lines(document)
    for row in failures(document):
        yield f"{name_of(row)}: {reason_of(row)}"
