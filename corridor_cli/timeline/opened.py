"""One document, found by what a user calls it and read with all its rules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from corridor_cli.errors import StorageError, TimelineError, UsageError
from corridor_cli.printable import printable
from corridor_cli.timeline.commit import is_foreign
from corridor_cli.timeline.exports.find import MAX_DOCUMENT_BYTES, find_timelines
from corridor_cli.timeline.layout import FAILED_SUFFIX, TIMELINE_SUFFIX
from corridor_cli.timeline.schema import SCHEMA_NAME, Timeline, read_timeline
from corridor_cli.timeline.validate import explain

_MAX_NAMED = 5


@dataclass(frozen=True, slots=True)
class OpenedTimeline:
    """A document, the bytes it was read from, and where they are."""

    path: Path
    data: bytes
    timeline: Timeline


def document_path(named: Path) -> Path:
    """The file that a user means: itself, or a video's name below OUTPUT. Raises `UsageError`."""
    ours = (TIMELINE_SUFFIX, FAILED_SUFFIX)
    if named.name.endswith(ours) and named.exists():
        return named
    for suffix in ours:
        beside = named.with_name(named.name + suffix) if named.name else named
        if beside.is_file():
            return beside
    allowed = "a timeline, or a video as it is called in OUTPUT (out/holiday/beach.mp4)"
    if named.is_dir():
        raise UsageError(
            f"{printable(named)} is a folder, allowed: {allowed}", hint=_those_in(named) or "It has none."
        )
    if named.exists():
        raise UsageError(
            f"{printable(named)} is no timeline, and none lies beside it, allowed: {allowed}",
            hint=f"A timeline's name ends in {TIMELINE_SUFFIX} or {FAILED_SUFFIX}.",
        )
    hint = _those_in(named.parent) if named.parent.is_dir() else ""
    raise UsageError(f"there is no timeline for {printable(named)}, allowed: {allowed}", hint=hint)


def open_timeline(path: Path) -> OpenedTimeline:
    """Read a document. Raises `TimelineError`, which begins with the file's name."""
    shown = printable(path)
    try:
        if path.stat().st_size > MAX_DOCUMENT_BYTES:
            raise TimelineError(f"{shown} is larger than {MAX_DOCUMENT_BYTES >> 20:,} MiB")
        data = path.read_bytes()
    except OSError as error:
        raise TimelineError(f"{shown} cannot be read: {error.strerror}") from error
    if is_foreign(data):
        raise TimelineError(f"{shown} is no timeline of ours: its schema is not {SCHEMA_NAME}")
    try:
        return OpenedTimeline(path, data, read_timeline(data))
    except ValidationError as error:
        first, *others = explain(error)
        more = f" (and {len(others):,} more)" if others else ""
        where = f"{first.where}: " if first.where else ""
        raise TimelineError(
            f"{shown} is damaged: {printable(where + first.what)}{more}",
            hint="`vlmtl validate` tells all of it, `vlmtl run --force` writes documents anew.",
        ) from error


def _those_in(folder: Path) -> str:
    try:
        found = find_timelines(folder).timelines
    except StorageError:
        return ""
    names = [printable(folder / each.relative) for each in found[:_MAX_NAMED]]
    more = f" and {len(found) - _MAX_NAMED:,} more" if len(found) > _MAX_NAMED else ""
    return f"There are: {', '.join(names)}{more}." if names else ""
