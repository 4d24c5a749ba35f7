"""CSV and TSV, for spreadsheets and for programs that read text line by line.

A spreadsheet runs a cell that begins with = + - @ as a formula, also behind a tab or a carriage return, so an
apostrophe is put before such text. Numbers are never negative here.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from corridor_cli.timeline.exports.columns import COLUMNS, Row, Value
from corridor_cli.timeline.exports.plain import one_line, text_lines

# The full-width forms count as well where a spreadsheet is set to Chinese, Japanese or Korean.
_FORMULA = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
LIST_SEPARATOR = "; "


def safe_cell(text: str) -> str:
    """The text so that no spreadsheet takes it for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


class CsvTable:
    """Lines of RFC 4180 with a header; a caption's own line ends stay, in quotes."""

    delimiter = ","
    clean: Callable[[str], str] = staticmethod(lambda text: "\n".join(text_lines(text)))

    def __init__(self, stream: BinaryIO, root: Path) -> None:
        self._stream = stream
        self._put([column.name for column in COLUMNS])

    def add(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._put([self._cell(value) for value in row])

    def close(self) -> None:
        """Nothing is held back."""

    def _cell(self, value: Value) -> str | int | float | None:
        if isinstance(value, list):
            value = LIST_SEPARATOR.join(map(one_line, value))
        return safe_cell(self.clean(value)) if isinstance(value, str) else value

    def _put(self, cells: list[str | int | float | None] | list[str]) -> None:
        line = io.StringIO()
        csv.writer(line, delimiter=self.delimiter, lineterminator="\n").writerow(cells)
        self._stream.write(line.getvalue().encode("utf-8", "replace"))


class TsvTable(CsvTable):
    """One line a row: many programs that read TSV know no quotes, so text holds no tab and no line end."""

    delimiter = "\t"
    clean: Callable[[str], str] = staticmethod(one_line)
