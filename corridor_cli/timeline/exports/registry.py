"""The formats: what each is called, where it lies, what writes it, and which extra that needs.

A format's module is imported when it is used, so nobody waits for the library of a format not asked for.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from corridor_cli.errors import UsageError
from corridor_cli.printable import shortened
from corridor_cli.settings import ExportFormat
from corridor_cli.timeline.exports.document import Video
from corridor_cli.timeline.exports.table import OpensTable

Render = Callable[[Video], bytes]


@dataclass(frozen=True, slots=True)
class Format:
    """An export. `place` is the suffix of a file beside each timeline, or of a table its path below OUTPUT.

    `writer` is what writes it, as `module:name`; `needs` are packages of the extra `extra`.
    """

    name: ExportFormat
    place: str
    writer: str
    is_table: bool = False
    needs: tuple[str, ...] = ()
    extra: str = ""

    def load(self) -> Any:
        module, _, name = self.writer.partition(":")
        return getattr(import_module(f"corridor_cli.timeline.exports.{module}"), name)


_OTIO = ("opentimelineio",)
FORMATS = {
    each.name: each
    for each in (
        Format("srt", ".srt", "subtitles:render_srt"),
        Format("vtt", ".vtt", "subtitles:render_vtt"),
        Format("txt", ".txt", "txt:render_txt"),
        Format("markdown", ".md", "markdown:render_markdown"),
        Format("ffmetadata", ".ffmetadata", "ffmetadata:render_ffmetadata"),
        Format("edl", ".edl", "edl:render_edl", needs=(*_OTIO, "otio_cmx3600_adapter"), extra="otio"),
        Format("otio", ".otio", "otio_file:render_otio", needs=_OTIO, extra="otio"),
        Format("csv", "scenes.csv", "csv_table:CsvTable", is_table=True),
        Format("tsv", "scenes.tsv", "csv_table:TsvTable", is_table=True),
        Format("jsonl", "scenes.jsonl", "jsonl:JsonlTable", is_table=True),
        Format("parquet", "scenes.parquet", "parquet:ParquetTable", True, ("pyarrow",), "export"),
        Format("hf", "hf/data/scenes.parquet", "hf:DatasetTable", True, ("pyarrow",), "export"),
    )
}
CARD_PLACE = "hf/README.md"


def choose_formats(names: Iterable[str]) -> list[Format]:
    """The formats of these names, once each. Raises `UsageError` for one there is not, or whose extra is not
    installed."""
    chosen: dict[str, Format] = {}
    for name in names:
        found = FORMATS.get(name)  # type: ignore[call-overload]
        if found is None:
            raise UsageError(
                f"got the format '{shortened(name)}', allowed: {', '.join(FORMATS)}", hint=_meant(name)
            )
        chosen[name] = found
    for each in chosen.values():
        missing = [package for package in each.needs if find_spec(package) is None]
        if missing:
            raise UsageError(
                f"{missing[0]} is not installed, which the export {each.name} needs",
                hint=f"Install it: pip install 'vlmtl[{each.extra}]'.",
            )
    return list(chosen.values())


def beside(formats: Iterable[Format]) -> list[Format]:
    """Those that lie beside each timeline."""
    return [each for each in formats if not each.is_table]


def tables(formats: Iterable[Format]) -> list[Format]:
    """Those with one table for all of OUTPUT."""
    return [each for each in formats if each.is_table]


def open_table(table: Format) -> OpensTable:
    """What makes the writer of a table."""
    found: OpensTable = table.load()
    return found


def renderer(each: Format) -> Render:
    """What renders one timeline."""
    found: Render = each.load()
    return found


def _meant(name: str) -> str:
    also = {"md": "markdown", "text": "txt", "chapters": "ffmetadata", "json": "jsonl", "datasets": "hf"}
    close = difflib.get_close_matches(name[:40].lower(), FORMATS, n=1)
    meant = also.get(name.lower()) or (close[0] if close else "")
    return f"Did you mean {meant}?" if meant else ""
