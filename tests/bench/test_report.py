"""The report and the folder: whole, alone, and safe whatever the document holds."""

from __future__ import annotations

import csv
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from corridor_cli.bench.document import read_document
from corridor_cli.bench.files import write_results
from corridor_cli.bench.pictures import NAMES, Drawn
from corridor_cli.bench.report import POLICY, report_html
from tests.bench.bench_samples import HOSTILE
from tests.bench.drawn_samples import FULL, MINIMAL, ROUGH, SAMPLES, drawn_of, page_of

VOID = {"meta", "img", "br", "link"}


class Page(HTMLParser):
    """The elements of a page, its texts, and the table's cells; raises where tags are not nested."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if "tr" in self.open and self.rows[-1]:
            self.rows[-1][-1] += data


def attributes(page: Page) -> list[tuple[str, str, str]]:
    return [(tag, key, value or "") for tag, attrs in page.tags for key, value in attrs.items()]


@pytest.mark.parametrize("name", SAMPLES)
def test_the_page_loads_and_runs_nothing(name: str) -> None:
    text = page_of(name)
    page = Page(text)
    policies = [attrs.get("content") for _, attrs in page.tags if attrs.get("http-equiv")]
    assert policies == [POLICY]
    assert POLICY == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert not {tag for tag, _ in page.tags} & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "base",
        "form",
        "a",
    }
    for _, key, value in attributes(page):
        assert not key.startswith("on")
        assert key not in ("src", "action", "formaction", "srcset", "background")
        assert key != "href" or value.startswith("#")
        assert key == "xmlns" or "://" not in value
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    assert "@import" not in style[1]
    assert "url(" not in style[1]
    assert "prefers-color-scheme:dark" in style[1]
    assert "@media print" in style[1]


def test_ids_are_unique_in_the_page() -> None:
    ids = [value for _, key, value in attributes(Page(page_of("full"))) if key == "id"]
    assert len(ids) == len(set(ids))


def test_the_verdict_comes_first() -> None:
    text = page_of("full")
    order = [text.index(part) for part in (
        "Set batch size 48", "Measured with", "Pictures</h2>", "All points",
        "from files to timelines</h2>", "How it was measured", "What to know",
    )]  # fmt: skip
    assert order == sorted(order)
    page = Page(text)
    assert sum(tag == "svg" for tag, _ in page.tags) == len(NAMES)
    assert sum(tag == "figcaption" for tag, _ in page.tags) == len(NAMES)


def test_every_point_is_a_row_and_failures_give_their_reason() -> None:
    page = Page(page_of("full"))
    rows = page.rows
    assert len(rows) == 1 + len(FULL.points)
    by_size = {row[0]: row for row in rows[1:] if row[1:4] == ["1", "1", "64"]}
    assert by_size["256"][4] == "out of memory: OutOfMemoryError: 61.3 GiB asked for, 12.1 GiB free"
    assert by_size["512"][4].startswith("died: the engine ended with signal 9")
    assert by_size["8"][4] == "57.9 ~"
    assert by_size["auto (48)"][4] == "143"
    width = len(rows[0])
    assert {len(row) for row in rows[1:] if len(row) != 5} == {width}
    assert sum("best" in (attrs.get("class") or "") for tag, attrs in page.tags) == 1


def test_the_page_tells_how_it_was_measured() -> None:
    text = " ".join(Page(page_of("full")).texts)
    for part in (
        "Each point is of 3 repeats of about 2 s or more.",
        "a warm-up before the repeats (1.9 s) are in no figure",
        "random order (seed 0)",
        "n is 120 to 768 a point",
        "Peak of reading: 3,020 GB/s",
        "at most 0.6 % of one core",
    ):
        assert part in text, part


def test_hostile_text_is_shown_and_nothing_else() -> None:
    page = Page(page_of("hostile"))
    assert any(HOSTILE in text for text in page.texts)
    assert not [text for text in page.texts if re.search("[\x00-\x09\x0b-\x1f\u202e\ud800-\udfff]", text)]
    assert max(map(len, page.texts)) < 20_000
    title = page.texts[[tag for tag, _ in page.tags].index("title")]
    assert len(title) < 300


def test_a_page_draws_its_pictures_where_none_are_given() -> None:
    assert report_html(MINIMAL) == page_of("minimal")


def test_a_page_without_points_still_is_one() -> None:
    empty = MINIMAL.model_copy(update={"points": [], "environment": {}})
    page = Page(report_html(empty, Drawn((), ("no pictures: reasons",))))
    text = " ".join(page.texts)
    assert "No verdict yet." in text
    assert "an unknown model on an unknown device" in text
    assert "no pictures: reasons" in text


def test_a_folder_holds_all_forms(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "results"
    done = write_results(folder, FULL)
    assert done.problems == ()
    expected = {"bench.json", "points.csv", "points.md", "report.html", *(f"pictures/{n}.svg" for n in NAMES)}
    assert {str(path.relative_to(folder)) for path in done.paths} == expected
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert there == expected, "nothing temporary is left"
    assert read_document(folder / "bench.json") == FULL
    first = drawn_of("full").pictures[0]
    assert (folder / "pictures" / "throughput.svg").read_text(encoding="utf-8") == first.svg


def test_hostile_documents_can_be_written_and_read(tmp_path: Path) -> None:
    done = write_results(tmp_path, ROUGH)
    assert done.problems == ()
    again = read_document(tmp_path / "bench.json")
    assert again.command[-1] == "bad\\xffname\u202e", "what UTF-8 cannot hold is escaped, the rest is kept"
    assert again.points[9].error == ROUGH.points[9].error
    with (tmp_path / "points.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.reader(file))) == 1 + len(ROUGH.points)


def test_pictures_of_an_earlier_document_go(tmp_path: Path) -> None:
    write_results(tmp_path, FULL)
    own = tmp_path / "pictures" / "mine.svg"
    own.write_text("<svg/>")
    write_results(tmp_path, MINIMAL)
    left = {path.stem for path in (tmp_path / "pictures").iterdir()}
    assert left == {"throughput", "latency", "pareto", "memory", "mine"}


def test_what_cannot_be_written_is_told_and_the_rest_is_there(tmp_path: Path) -> None:
    (tmp_path / "points.csv").mkdir()
    (tmp_path / "pictures").write_text("a file where the folder should be")
    done = write_results(tmp_path, MINIMAL)
    assert {path.name for path in done.paths} == {"bench.json", "points.md", "report.html"}
    assert any("points.csv" in problem for problem in done.problems)
    assert any("pictures" in problem for problem in done.problems)
    assert all("\n" not in problem for problem in done.problems)
