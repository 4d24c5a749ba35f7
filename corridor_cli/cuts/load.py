"""The cuts of one video, understood: read in the process that decodes it, where its frame rate is known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from corridor_cli.cuts.edl import read_edl
from corridor_cli.cuts.files import MAX_CUTS, as_text, format_of, mark_of, read_bytes
from corridor_cli.cuts.otio_file import read_otio
from corridor_cli.cuts.table import read_table
from corridor_cli.cuts.times import ALLOWED, read_time
from corridor_cli.errors import CutFileError
from corridor_cli.printable import printable, shortened
from corridor_cli.records import Cut, CutRow, CutSource, GivenCuts

_FRAME = re.compile(r"[0-9]{1,12}")
# Both are rounded: a timecode to a millisecond, seconds as somebody may have typed them.
_SAME_SECONDS = Fraction(2, 1000)


def load_cuts(source: CutSource, rate: Fraction | None) -> GivenCuts:
    """The cuts of a video of `rate` frames/s (None: unknown). Raises `CutFileError`."""
    name = printable(source.path)
    if source.rows is not None:
        return _understood(source.rows, name, rate)
    data = read_bytes(Path(source.path))
    if mark_of(Path(source.path), data) != source.mark:
        raise CutFileError(f"{name}: was changed while this ran", hint="Run again.")
    text = as_text(data, name)
    kind = format_of(Path(source.path))
    if kind == ".edl":
        return _checked(read_edl(text, name, rate))
    if kind == ".otio":
        return _checked(read_otio(text, name))
    table = read_table(text, name)
    if table.paths is not None and len(set(table.paths)) > 1:
        raise CutFileError(
            f"{name}: has rows of {len(set(table.paths))} videos, allowed: those of one",
            hint="Give it as the one file, as in --cuts FILE.csv.",
        )
    return _understood(table.rows, name, rate)


def _understood(rows: Sequence[CutRow], name: str, rate: Fraction | None) -> GivenCuts:
    if len(rows) > MAX_CUTS:
        raise CutFileError(
            f"{name}: has {len(rows):,} cuts of one video, allowed: at most {MAX_CUTS:,}",
            hint="Is it the right file?",
        )
    cuts: list[Cut] = []
    contradicted: list[int] = []
    for row in rows:
        place = f"line {row.line}"
        if row.unit != "time":
            cuts.append(Cut(place, None, _frame_index(row, name)))
            continue
        try:
            time = read_time(row.text, rate)
            cuts.append(Cut(place, time))
            if row.timecode and abs(read_time(row.timecode, rate) - time) > _SAME_SECONDS:
                contradicted.append(row.line)
        except ValueError as error:
            raise _wrong(name, row.line, row.text, str(error), ALLOWED) from None
    note = f"{name}: start and start_timecode differ in {len(contradicted)} rows, and start counts"
    notes = (f"{note}; the first is line {contradicted[0]}",) if contradicted else ()
    return GivenCuts(name, tuple(cuts), notes)


def _frame_index(row: CutRow, name: str) -> int:
    least = 1 if row.unit == "number" else 0
    number = int(row.text) if _FRAME.fullmatch(row.text) else -1
    if number < least:
        raise _wrong(name, row.line, row.text, "", f"a frame, counted from {least}")
    return number - least


def _checked(given: GivenCuts) -> GivenCuts:
    for cut in given.cuts:
        if cut.time is not None and cut.time < 0:
            raise CutFileError(
                f"{given.name}: {cut.place} begins {float(-cut.time):.3f} s before the media does",
                hint="Export it with times that count from the start of the video.",
            )
    return given


def _wrong(name: str, line: int, text: str, why: str, allowed: str) -> CutFileError:
    got = f"'{shortened(text)}'" + (f" ({why})" if why else "")
    return CutFileError(f"{name}:{line}: got {got}, allowed: {allowed}", hint="Mend the line.")
