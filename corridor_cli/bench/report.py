"""One page with everything in it: it loads nothing, runs nothing, and can be sent by mail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from corridor_cli.bench.document import BenchDocument, PipeResult, PointResult
from corridor_cli.bench.method import method_lines, problem_lines, reason_of
from corridor_cli.bench.page_style import STYLE
from corridor_cli.bench.pictures import Drawn, Picture, draw_pictures
from corridor_cli.bench.selection import asked, centre_of, size_of
from corridor_cli.bench.tables import TABLE_HEAD, shown_columns, table_cells, table_notes
from corridor_cli.bench.whole_way import stage_rows, whole_way_lines
from corridor_cli.bench.wording import (
    command_line,
    fact_rows,
    figure,
    percent,
    request_in_words,
    subject,
    verdict_notes,
    verdict_sentence,
)
from corridor_cli.printable import printable
from corridor_cli.telemetry import counted

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def report_html(document: BenchDocument, drawn: Drawn | None = None) -> str:
    """The report; `drawn` are its pictures, drawn here where they are not given."""
    pictures = draw_pictures(document) if drawn is None else drawn
    title = f"Throughput of {subject(document)}"
    parts = [
        f"<h1>{_text(title)}</h1>",
        f'<p class="soft">{_text(_when(document))}</p>',
        _verdict(document),
        _tiles(document),
        _section("Measured with", _command(document)),
        _section("Pictures", _pictures(pictures)),
        _section("All points", _table(document)),
        _pipe(document.pipe),
        _section("How it was measured", _list(method_lines(document))),
        _problems(document, pictures.problems),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{_text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _text(text: str) -> str:
    return escape(printable(text))


def _when(document: BenchDocument) -> str:
    parts = [document.created_at.replace("T", " "), request_in_words(document)]
    parts.append(counted(len(document.points), "point"))
    if not document.is_complete:
        parts.append("not complete")
    return " · ".join(part for part in parts if part)


def _section(title: str, body: str) -> str:
    return f"<section>\n<h2>{_text(title)}</h2>\n{body}\n</section>" if body else ""


def _list(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{_text(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _verdict(document: BenchDocument) -> str:
    is_found = document.verdict is not None and document.verdict.recommended is not None
    return (
        f'<div class="verdict{"" if is_found else " none"}"><p>{_text(verdict_sentence(document))}</p>'
        f"{_list(verdict_notes(document))}</div>"
    )


def _tiles(document: BenchDocument) -> str:
    """The recommended point's figures, large."""
    row = _recommended(document)
    if row is None or row.frames_per_second is None:
        return ""
    shown = [(figure(row.frames_per_second), "frames/s")]
    if row.latency_ms is not None:
        shown.append(
            (f"{figure(row.latency_ms.p50)} / {figure(row.latency_ms.p95)}", "latency p50 / p95, ms")
        )
    if row.output_tokens_per_second is not None:
        shown.append((figure(row.output_tokens_per_second), "output tokens/s"))
    if row.speedup_over_loop is not None:
        shown.append((f"{figure(row.speedup_over_loop)} ×", "the loop"))
    if row.share_of_roofline is not None:
        shown.append((percent(row.share_of_roofline), "of the roofline"))
    if row.joules_per_frame is not None:
        shown.append((f"{figure(row.joules_per_frame)} J", "a frame"))
    tiles = "".join(f"<div><b>{_text(value)}</b><span>{_text(name)}</span></div>" for value, name in shown)
    return f'<div class="tiles">{tiles}</div>'


def _recommended(document: BenchDocument) -> PointResult | None:
    choice = document.verdict.recommended if document.verdict else None
    return next(
        (row for row in document.points if choice and _is_choice(document, row, choice.batch_size)), None
    )


def _is_choice(document: BenchDocument, row: PointResult, batch_size: int) -> bool:
    is_ours = row.contestant == "engine" and row.status == "measured"
    return is_ours and asked(row) == centre_of(document) and size_of(row) == batch_size


def _command(document: BenchDocument) -> str:
    return (
        f"<pre>{_text(command_line(document))}</pre>\n"
        f'<div class="facts">{_facts(fact_rows(document.environment))}'
        f"{_facts(fact_rows(document.workload) + fact_rows(document.settings))}</div>"
    )


def _facts(rows: Sequence[tuple[str, str]]) -> str:
    pairs = "".join(f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in rows)
    return f"<dl>{pairs}</dl>" if pairs else ""


def _pictures(drawn: Drawn) -> str:
    figures = "\n".join(map(_picture, drawn.pictures))
    return f'<div class="pictures">\n{figures}\n</div>' if figures else ""


def _picture(picture: Picture) -> str:
    # The SVG is this program's own: text from outside was escaped when it was written.
    return (
        f'<figure>\n<h3>{_text(picture.title)}</h3>\n<div class="draw">{picture.svg}</div>\n'
        f"<figcaption>{_text(picture.sentence)}</figcaption>\n</figure>"
    )


def _table(document: BenchDocument) -> str:
    rows = [table_cells(row) for row in document.points]
    if not rows:
        return "<p>None was measured.</p>"
    places = shown_columns(rows)
    choice = _recommended(document)
    head = "".join(f'<th scope="col">{_text(TABLE_HEAD[place])}</th>' for place in places)
    lines = []
    for row, cells in zip(document.points, rows, strict=True):
        kind = "best" if row is choice else "bad" if row.status != "measured" else ""
        if row.frames_per_second is None:
            shown = "".join(f"<td>{_text(cell)}</td>" for cell in cells[:4])
            shown += f'<td class="why" colspan="{len(places) - 4}">{_text(reason_of(row))}</td>'
        else:
            shown = "".join(f"<td>{_text(cells[place])}</td>" for place in places)
        lines.append(f"<tr{f' class={chr(34)}{kind}{chr(34)}' if kind else ''}>{shown}</tr>")
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n<tbody>\n'
        + "\n".join(lines)
        + "\n</tbody></table></div>\n"
        + "".join(f'<p class="soft">{_text(note)}</p>' for note in table_notes(document))
    )


def _pipe(pipe: PipeResult | None) -> str:
    if pipe is None:
        return ""
    facts = [
        ("videos, scenes, captions", f"{pipe.num_videos:,}, {pipe.num_scenes:,}, {pipe.num_captions:,}"),
        ("exit code", str(pipe.exit_code)),
    ]
    if pipe.starved_share is not None:
        facts.append(("engine without work", percent(pipe.starved_share)))
    stages = [(words, f"{seconds} ({share} of the wall clock)") for words, seconds, share in stage_rows(pipe)]
    return _section(
        "The whole way, from files to timelines",
        f'{_list(whole_way_lines(pipe))}\n<div class="facts">{_facts(facts)}{_facts(stages)}</div>',
    )


def _problems(document: BenchDocument, more: Sequence[str]) -> str:
    lines = _list([*problem_lines(document), *more])
    return f'<section class="problems">\n<h2>What to know</h2>\n{lines}\n</section>' if lines else ""
