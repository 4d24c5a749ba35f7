"""The export of one timeline: read it, write what lies beside it, make its rows of the tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from corridor_cli.errors import TimelineError
from corridor_cli.printable import printable
from corridor_cli.settings import ExportFormat
from corridor_cli.timeline.exports.beside import export_beside, export_path
from corridor_cli.timeline.exports.columns import Row, scene_rows
from corridor_cli.timeline.exports.document import text_of
from corridor_cli.timeline.exports.find import TimelineFile
from corridor_cli.timeline.exports.keep import Fate
from corridor_cli.timeline.exports.registry import FORMATS, beside
from corridor_cli.timeline.layout import TIMELINE_SUFFIX, OutputLayout


@dataclass(frozen=True, slots=True)
class ExportJob:
    """What is to be made of every timeline below `root`; rows only where a table wants them."""

    root: Path
    formats: tuple[ExportFormat, ...]
    has_tables: bool
    force: bool


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one timeline. `fates` has for each file beside it its format, its path below OUTPUT and
    what was done; `problems` says what is wrong. Without scenes it could not be read."""

    file: str
    problems: tuple[str, ...] = ()
    num_scenes: int = 0
    num_without_caption: int = 0
    fates: tuple[tuple[ExportFormat, str, Fate], ...] = ()
    rows: Sequence[Row] = ()


def export_file(job: ExportJob, file: TimelineFile) -> FileResult:
    """Export one timeline. Only the holder of the lock, or a child of it, may call this.

    Doing it again does no harm. Raises `StorageError`.
    """
    layout = OutputLayout(job.root)
    shown = printable(file.relative + TIMELINE_SUFFIX)
    try:
        data, video = file.read()
    except TimelineError as error:
        return FileResult(shown, (printable(error.message),))
    problems: list[str] = []
    fates: list[tuple[ExportFormat, str, Fate]] = []
    formats = beside(FORMATS[name] for name in job.formats)
    for result in export_beside(layout, file.relative, data, video, formats, force=job.force):
        if result.fate is None:
            problems.append(printable(f"{result.problem}: no {result.export.name}"))
        else:
            path = export_path(layout, file.relative, result.export)
            fates.append((result.export.name, printable(path.relative_to(job.root)), result.fate))
    return FileResult(
        shown,
        tuple(problems),
        len(video.scenes),
        sum(text_of(scene["caption"]) is None for scene in video.scenes),
        tuple(fates),
        tuple(scene_rows(video)) if job.has_tables else (),
    )
