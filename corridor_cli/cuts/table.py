"""Cuts in CSV: what `vlmtl scenes --csv` writes, PySceneDetect's list of scenes, or one time a line.

Only where scenes start counts. So a row that is deleted joins its scene to the one before, and nobody has to
keep the ends in step.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from corridor_cli.errors import CutFileError
from corridor_cli.printable import shortened
from corridor_cli.records import CutRow

MAX_ROWS = 1_000_000

# By the header: what a column holds, the most exact first. PySceneDetect's have capitals and spaces, and its
# frames count from 1 (scenedetect 0.7.2); its times are those of frames, also where the rate varies.
_COLUMNS: Mapping[str, Literal["time", "frame", "number"]] = {
    "start": "time",
    "time": "time",
    "start time (seconds)": "time",
    "start_timecode": "time",
    "start timecode": "time",
    "start_frame": "frame",
    "frame": "frame",
    "start frame": "number",
}
_TIMECODES = ("start_timecode", "start timecode")
_DELIMITERS = (",", ";", "\t")  # spreadsheets where the decimal sign is a comma write semicolons


@dataclass(frozen=True, slots=True)
class CutTable:
    """The rows in the order of the file; `paths` has the video of each, where a column names it."""

    rows: list[CutRow]
    paths: list[str] | None


def read_table(text: str, name: str) -> CutTable:
    """The rows of a CSV file. Raises `CutFileError` with the line where it is no such table."""
    head = [line for line in islice(_lines(text), 2) if line.strip()]
    delimiter, header_at = next(
        ((d, at) for d in _DELIMITERS for at in (1, 0) if _is_header(head, at, d)), (",", None)
    )
    columns: dict[str, int] = {}
    rows: list[CutRow] = []
    paths: list[str] = []
    for number, (line, cells) in enumerate(_cells(text, name, delimiter)):
        if header_at is not None and number <= header_at:
            columns = _named(cells)
            continue
        rows.append(_row(cells, columns, line, name))
        if len(rows) > MAX_ROWS:
            raise CutFileError(
                f"{name}:{line}: has more than {MAX_ROWS:,} rows", hint="Is it the right file?"
            )
        if "path" in columns:
            paths.append(_cell(cells, columns["path"]))
            if not paths[-1]:
                raise CutFileError(f"{name}:{line}: has no path", hint="Name the video in each row.")
    if not rows:
        raise CutFileError(
            f"{name}: has a header and no row, allowed: at least one",
            hint="For a video of one scene write 0.",
        )
    return CutTable(rows, paths if "path" in columns else None)


def _lines(text: str) -> Iterator[str]:
    return (line for line in io.StringIO(text, newline=None) if line.strip())


def _is_header(head: Sequence[str], at: int, delimiter: str) -> bool:
    """Whether that line names columns. PySceneDetect may put its list of cuts above it."""
    if at >= len(head):
        return False
    try:
        names = _named(next(csv.reader([head[at]], delimiter=delimiter), []))
    except csv.Error:
        return False
    return "scene number" in names if at == 1 else any(name in names for name in _COLUMNS)


def _named(cells: Sequence[str]) -> dict[str, int]:
    return {cell.strip().lower(): place for place, cell in reversed(list(enumerate(cells)))}


def _cells(text: str, name: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that hold something, each with the number of its line."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise CutFileError(
            f"{name}:{reader.line_num}: is not CSV: {error}", hint="Is it the right file?"
        ) from error


def _cell(cells: Sequence[str], place: int) -> str:
    return cells[place].strip() if place < len(cells) else ""


def _row(cells: Sequence[str], columns: Mapping[str, int], line: int, name: str) -> CutRow:
    if not columns:
        if any(cell.strip() for cell in cells[1:]):
            raise CutFileError(
                f"{name}:{line}: got {len(cells)} columns without a header "
                f"('{shortened(','.join(cells))}'), allowed: one time a line",
                hint="Name the columns in the first line: start, or time, or frame.",
            )
        return CutRow(line, cells[0].strip())
    found = [(column, _cell(cells, columns[column])) for column in _COLUMNS if column in columns]
    given = [(column, text) for column, text in found if text]
    if not given:
        names = " or ".join(column for column, _ in found)
        raise CutFileError(f"{name}:{line}: has no {names}", hint="Delete the line, or say where the cut is.")
    column, text = given[0]
    timecode = next((other for key, other in given[1:] if key in _TIMECODES), "")
    return CutRow(line, text, _COLUMNS[column], timecode if _COLUMNS[column] == "time" else "")
