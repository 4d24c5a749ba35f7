"""The exports that lie beside a timeline: written, found missing, removed with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from corridor_cli.errors import TimelineError
from corridor_cli.timeline.commit import remove_file, storage_error, write_atomically
from corridor_cli.timeline.exports.document import Video, read_video
from corridor_cli.timeline.exports.keep import Fate, Notes, digest, file_digest
from corridor_cli.timeline.exports.registry import FORMATS, Format, renderer
from corridor_cli.timeline.layout import REPORT_SUFFIX, TIMELINE_SUFFIX, OutputLayout


@dataclass(frozen=True, slots=True)
class FormatResult:
    """What became of one export; `problem` says why the format cannot hold this timeline."""

    export: Format
    fate: Fate | None
    problem: str = ""


def export_beside(
    layout: OutputLayout,
    name: str,
    data: bytes,
    video: Video,
    formats: Sequence[Format],
    *,
    force: bool = False,
) -> list[FormatResult]:
    """Write exports of a timeline whose bytes are `data`; `name` is its path below OUTPUT without suffix.

    Only the holder of the lock may call this. Raises `StorageError`.
    """
    if not formats:
        return []
    notes = Notes.of_timeline(layout, name)
    made_from = digest(data)
    results: list[FormatResult] = []
    to_write: list[tuple[Path, bytes]] = []
    for each in formats:
        try:
            content = renderer(each)(video)
        except TimelineError as error:
            results.append(FormatResult(each, None, error.message))
            continue
        path = export_path(layout, name, each)
        there, new = file_digest(path), digest(content)
        fate = notes.fate(each.name, there, new, force=force)
        if fate != "kept":
            notes.take(each.name, made_from, new, there)
        if fate == "written":
            to_write.append((path, content))
        results.append(FormatResult(each, fate))
    notes.save()
    for path, content in to_write:
        write_atomically(path, content, fsync=False)
    return results


def export_committed(layout: OutputLayout, name: str, formats: Sequence[Format]) -> list[FormatResult]:
    """The same from the timeline on disk. Raises `TimelineError` where it cannot be read."""
    data = _read(layout, name)
    if data is None:
        return []
    return export_beside(layout, name, data, read_video(data, name), formats)


def missing_beside(layout: OutputLayout, name: str, formats: Sequence[Format]) -> list[Format]:
    """Those that are not there, or were made from an earlier timeline. Raises `StorageError`."""
    data = _read(layout, name) if formats else None
    if data is None:
        return []
    notes, made_from = Notes.of_timeline(layout, name), digest(data)
    missing = []
    for each in formats:
        there = file_digest(export_path(layout, name, each))
        if there is None or not notes.is_current(each.name, there, made_from):
            missing.append(each)
    return missing


def remove_beside(layout: OutputLayout, name: str) -> None:
    """Remove the exports and the page of a timeline that is no more, but for those that somebody has changed.

    Raises `StorageError`.
    """
    notes = Notes.of_timeline(layout, name)
    if not notes:
        return
    paths = {REPORT_SUFFIX: layout.root / (name + REPORT_SUFFIX)}
    paths |= {each.name: export_path(layout, name, each) for each in FORMATS.values() if not each.is_table}
    for key, path in paths.items():
        there = file_digest(path)
        if there is not None and notes.is_ours(key, there):
            remove_file(path)
    remove_file(layout.exports_made(name))


def export_path(layout: OutputLayout, name: str, each: Format) -> Path:
    """Where an export lies: beside its timeline, or at its place below OUTPUT."""
    return layout.root / (each.place if each.is_table else name + each.place)


def _read(layout: OutputLayout, name: str) -> bytes | None:
    path = layout.root / (name + TIMELINE_SUFFIX)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_error(error, "read", path) from error
