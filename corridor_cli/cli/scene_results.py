"""The scenes of videos as they come: a table for people, JSON or CSV for programs.

Each form takes listings one by one and keeps its text aside, for the bars on stderr have the terminal until
the run is over.
"""

from __future__ import annotations

import json
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from corridor_cli.cli.results import reason_of, show_file
from corridor_cli.cli.tables import open_console, plain_table
from corridor_cli.printable import printable
from corridor_cli.telemetry import counted
from corridor_cli.timeline.commit import write_atomically
from corridor_cli.timeline.listing import (
    CSV_COLUMNS,
    SceneListing,
    csv_line,
    csv_rows,
    listing_as_json,
    transitions_of,
)
from corridor_cli.timeline.timecode import timecode

if TYPE_CHECKING:
    from rich.table import Table

_SPOOL_BYTES = 4 * 1024 * 1024
_MARK = "*"
_MAX_WARNINGS = 5


class Form(Protocol):
    """One form of the results. `show` writes it, once all listings were taken."""

    def take(self, listing: SceneListing) -> None: ...

    def show(self) -> None: ...

    def close(self) -> None: ...


def _spool() -> tempfile.SpooledTemporaryFile[str]:
    return tempfile.SpooledTemporaryFile(_SPOOL_BYTES, "w+", encoding="utf-8", newline="")


class JsonForm:
    """`{"videos": [...]}` on stdout."""

    def __init__(self) -> None:
        self._text = _spool()
        self._text.write('{\n  "videos": [')
        self._is_first = True

    def take(self, listing: SceneListing) -> None:
        document = textwrap.indent(json.dumps(listing_as_json(listing), indent=2), "    ")
        self._text.write(f"{'' if self._is_first else ','}\n{document}")
        self._is_first = False

    def show(self) -> None:
        self._text.write("]\n}\n" if self._is_first else "\n  ]\n}\n")
        show_file(self._text)

    def close(self) -> None:
        self._text.close()


class CsvForm:
    """A row a scene, in a file or on stdout (`target` None); with `has_paths` its video's path first."""

    def __init__(self, target: Path | None, *, has_paths: bool, fsync: bool) -> None:
        self._target = target
        self._has_paths = has_paths
        self._fsync = fsync
        self._text = _spool()
        self._text.write(csv_line(*(("path",) if has_paths else ()), *CSV_COLUMNS))

    def take(self, listing: SceneListing) -> None:
        path = (listing.facts.path,) if self._has_paths else ()
        for row in csv_rows(listing):
            self._text.write(csv_line(*path, *row))

    def show(self) -> None:
        if self._target is None:
            show_file(self._text)
        else:
            self._text.seek(0)
            write_atomically(self._target, self._text.read().encode("utf-8"), fsync=self._fsync)

    def close(self) -> None:
        self._text.close()


class TableForm:
    """A table a video on stdout: within the width of a terminal, and without any decoration in a pipe."""

    def __init__(self) -> None:
        self._text = _spool()
        self._console = open_console(self._text)
        self._is_first = True

    def take(self, listing: SceneListing) -> None:
        if not self._is_first:
            self._text.write("\n")
        self._is_first = False
        with self._console.capture() as captured:
            for line in _head(listing):
                self._console.print(line, style="bold")
            if listing.record is not None:
                self._console.print(_table(listing))
            for line in _remarks(listing):
                self._console.print(line)
        # rich fills every line up to the width of its table.
        self._text.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())

    def show(self) -> None:
        show_file(self._text)

    def close(self) -> None:
        self._text.close()


def _head(listing: SceneListing) -> Iterator[str]:
    name, record = printable(listing.relative), listing.record
    if record is None:
        yield f"{name}: {'not finished' if listing.status == 'pending' else f'failed: {_why(listing)}'}"
        return
    info = record.info
    facts = [counted(len(record.scenes), "scene"), timecode(record.duration)]
    facts.append(f"{info.video_codec} {info.width_px}×{info.height_px}")
    if info.frame_rate:
        facts.append(f"{float(info.frame_rate):.4g} fps")
    if record.is_variable_frame_rate:
        facts.append("variable frame rate")
    # What is not as it should be is told below the table, which may be long: here is a mark of it.
    mark = f" {_MARK}" if any(_remarks(listing)) else ""
    yield f"{name}: {', '.join(facts)}{mark}"


def _remarks(listing: SceneListing) -> Iterator[str]:
    """What the mark stands for: why the pictures end early, and what was said while they were read."""
    record = listing.record
    if record is None:
        return
    if listing.error is not None:
        yield f"{_MARK} partial: {_why(listing)}"
    warnings = list(dict.fromkeys((*record.info.warnings, *record.warnings)))
    for warning in warnings[:_MAX_WARNINGS]:
        yield f"{_MARK} {printable(warning)}"
    if len(warnings) > _MAX_WARNINGS:
        yield f"{_MARK} and {len(warnings) - _MAX_WARNINGS} more, which --json lists"


def _why(listing: SceneListing) -> str:
    error = listing.error
    return reason_of(error, listing.relative) if error else "unknown"


def _table(listing: SceneListing) -> Table:
    assert listing.record is not None, "a listing without scenes has no table"
    table = plain_table()
    table.add_column("index", justify="right", no_wrap=True)
    table.add_column("start", no_wrap=True)
    table.add_column("end", no_wrap=True)
    table.add_column("duration", justify="right", no_wrap=True)
    table.add_column("boundary", no_wrap=True)
    table.add_column("transitions")
    changes_of = transitions_of(listing.record)
    for scene in listing.record.scenes:
        changes = (f"{each.kind} of {float(each.end - each.start):.2f} s" for each in changes_of[scene.index])
        table.add_row(
            str(scene.index),
            timecode(scene.start),
            timecode(scene.end),
            f"{float(scene.end - scene.start):.3f} s",
            scene.boundary,
            ", ".join(changes),
        )
    return table
