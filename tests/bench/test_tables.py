"""Tables of a document: what stands in them, what a pipe gets, and what text from outside cannot do."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

from corridor_cli.bench.columns import COLUMNS
from corridor_cli.bench.document import BenchDocument
from corridor_cli.bench.selection import batch_curve, centre_of, clean_curve, is_dominated, size_of
from corridor_cli.bench.tables import points_csv, points_markdown, terminal_table
from corridor_cli.bench.wording import figure, percent, verdict_sentence
from tests.bench.bench_samples import (
    HOSTILE,
    failed_point,
    full_document,
    hostile_document,
    minimal_document,
)

FULL, MINIMAL, ROUGH = full_document(), minimal_document(), hostile_document()
DOCS = Path(__file__).parents[2] / "docs"


def csv_rows(document: BenchDocument) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(points_csv(document))))


@pytest.mark.parametrize("document", [FULL, MINIMAL], ids=["full", "minimal"])
def test_csv_holds_the_figures_of_every_point(document: BenchDocument) -> None:
    rows = csv_rows(document)
    assert len(rows) == len(document.points)
    for row, point in zip(rows, document.points, strict=True):
        assert row["batch_size"] == str(point.batch_size)
        assert row["status"] == point.status
        shown = row["frames_per_second"]
        if point.frames_per_second is None:
            assert shown == ""
        else:
            assert float(shown) == pytest.approx(point.frames_per_second, rel=1e-5)
        p95 = f"{point.latency_ms.p95:.6g}" if point.latency_ms else ""
        assert row["latency_p95_ms"] == (str(float(p95)) if p95 else "")
        assert row["peak_host_bytes"] == ("" if not point.samples else str(point.memory.peak_host_bytes))


def test_a_cell_from_outside_is_no_formula() -> None:
    beginnings = ("=1+1", "+1", "-1", "@sum(a1)", "\t=1", "\r=1", " =1+1", "plain =1")
    points = [failed_point(size, "failed", text) for size, text in enumerate(beginnings, start=1)]
    cells = [row["error"] for row in csv_rows(FULL.model_copy(update={"points": points}))]
    assert cells == ["'=1+1", "'+1", "'-1", "'@sum(a1)", "\\t=1", "\\r=1", "' =1+1", "plain =1"]
    assert len(points_csv(ROUGH).splitlines()) == len(ROUGH.points) + 1


def test_every_column_is_described_and_in_the_docs() -> None:
    text = (DOCS / "bench-results.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `(\w+)` \| (.+) \|$", text.split("## Columns")[1], re.MULTILINE)
    assert told == [(column.name, column.meaning) for column in COLUMNS]
    assert len({column.name for column in COLUMNS}) == len(COLUMNS)


def test_the_page_begins_with_the_verdict_and_names_the_machine_and_the_command() -> None:
    page = points_markdown(FULL)
    head = page.splitlines()
    assert "NVIDIA H100" in head[0]
    assert head[2] == f"**{verdict_sentence(FULL)}**"
    assert head[2].startswith("**Set batch size 48: 143 frames/s (")
    assert "--batch-sizes 1,2,4,8,16,32,64,128,256,512,auto\n```" in page
    assert page.count("\n| ---: |") == 1


def table_of(page: str) -> list[list[str]]:
    """The rows of the last table of the page."""
    body = page.split("## Points")[1].split("## ")[0]
    return [
        [cell.strip() for cell in line[1:-1].split("|")] for line in body.splitlines() if line.startswith("|")
    ]


def test_failures_and_noise_are_rows_of_the_page() -> None:
    rows = table_of(points_markdown(FULL))
    assert len(rows) == 2 + len(FULL.points)
    of_size = {row[0]: row for row in rows if row[1:4] == ["1", "1", "64"]}
    assert of_size["256"][4] == "out of memory"
    assert of_size["512"][4] == "died"
    assert of_size["8"][4].endswith(r"\~")
    assert of_size["128 (ran 96)"][4].endswith("!")
    assert of_size["auto (48)"][4] == figure(143.0)
    page = points_markdown(FULL)
    assert "batch 512, 1 frame of 1 tile, 64 tokens: died: the engine ended with signal 9" in page
    assert "is noisy: its repeats lie 28 % apart" in page


def test_columns_nobody_knows_are_left_out() -> None:
    head = table_of(points_markdown(MINIMAL))[0]
    assert "× loop" not in head
    assert "of roofline" not in head
    assert "p99 ms" not in head
    assert "p95 ms" in head


def test_markdown_shows_text_from_outside_as_text() -> None:
    page = points_markdown(ROUGH)
    fence = re.search(r"^(`{3,})\n(.*)\n\1$", page, re.MULTILINE)
    assert fence is not None
    assert len(fence[1]) == 4, "longer than the run of backticks in the command"
    outside = page.replace(fence[0], "")
    assert "<script" not in outside
    assert "<img" not in outside
    assert "**bold**" not in outside
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\ud800-\udfff]", page)
    assert {line.count("|") for line in page.split("\n## ")[2].splitlines() if line[:1] == "|"} == {18}


def test_a_pipe_of_80_columns_gets_whole_rows() -> None:
    for document in (FULL, MINIMAL):
        lines = terminal_table(document, 80).splitlines()
        assert max(map(len, lines)) <= 80
        assert lines[0].split() == [
            "batch", "frames", "tiles", "tokens", "frames/s", "p50/p95", "ms", "tok/s", "peak", "GiB",
            "×", "loop", "roof",
        ]  # fmt: skip
        rows = [line for line in lines if re.match(r" *(loop|a:\d+|\d+!?)( +\d+){3} ", line)]
        assert len(rows) == len(document.points)
        assert not any("…" in line or "\x1b" in line for line in lines)


def test_the_terminal_says_why_a_point_failed() -> None:
    text = terminal_table(FULL, 80)
    assert re.search(r"^ +512 +1 +1 +64 +died$", text, re.MULTILINE)
    assert "batch 512, 1 frame of 1 tile, 64 tokens: died: the engine ended with signal 9\n(killed)" in text
    assert "57.9 ±8.1~" in text
    assert "\x1b[2m" in terminal_table(FULL, 120, is_terminal=True)
    assert "\x1b" not in terminal_table(ROUGH, 80)
    assert f"failed: =cmd|' /C calc'!A0 {HOSTILE}" in terminal_table(ROUGH, 300)


def test_a_slow_machine_loses_no_digit() -> None:
    slow = [
        point.model_copy(
            update={
                "latency_ms": point.latency_ms.model_copy(update={"p50": 1234567.0, "p95": 2345678.0})
                if point.latency_ms
                else None
            }
        )
        for point in FULL.points
    ]
    assert "1234567/2345678" in terminal_table(FULL.model_copy(update={"points": slow}), 80)


def test_the_centre_is_what_most_batch_sizes_were_measured_with() -> None:
    assert centre_of(FULL) == (1, 1, 64)
    assert centre_of(FULL.model_copy(update={"points": []})) is None
    backwards = FULL.model_copy(update={"points": list(reversed(FULL.points))})
    assert centre_of(backwards) == (1, 1, 64)
    assert [size_of(row) for row in clean_curve(backwards)] == [1, 2, 4, 8, 16, 32, 48, 64]
    assert [size_of(row) for row in batch_curve(FULL)][-3:] == [128, 256, 512]


def test_one_batch_size_along_the_axes_has_its_centre_where_they_cross() -> None:
    points = [row for row in FULL.points if row.batch_size == 8 or row.contestant == "loop"]
    alone = [row for row in points if row.contestant == "engine"]
    assert centre_of(FULL.model_copy(update={"points": points})) == (1, 1, 64)
    assert centre_of(FULL.model_copy(update={"points": list(reversed(alone))})) == (1, 1, 64)


def test_dominated_are_those_another_size_beats() -> None:
    rows = clean_curve(FULL)
    assert [size_of(row) for row in rows if is_dominated(row, rows)] == [1, 2]


def test_without_a_verdict_the_page_says_so() -> None:
    assert verdict_sentence(MINIMAL) == "No verdict yet: the best so far is batch 4 with 0.431 frames/s."
    assert "* The sweep is not complete: points are missing." in points_markdown(MINIMAL)
    nothing = MINIMAL.model_copy(update={"points": []})
    assert verdict_sentence(nothing) == "No verdict yet."
    assert "None was measured." in points_markdown(nothing)
    assert csv_rows(nothing) == []
    assert terminal_table(nothing, 80).startswith("batch")


def test_figures_have_three_digits() -> None:
    given = (61.84, 0.07134, 1234.4, 999.6, 0.0, 6.0, float("nan"))
    assert [figure(value) for value in given] == [
        "61.8", "0.0713", "1,234", "1,000", "0", "6.00", "unknown",
    ]  # fmt: skip
    assert [percent(share) for share in (0.714, 0.0042, 0, 1.2)] == ["71 %", "0.4 %", "0 %", "120 %"]
