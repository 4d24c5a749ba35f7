"""A page written beside its document, or the library page in OUTPUT: kept where somebody has changed it."""

from __future__ import annotations

from pathlib import Path

from corridor_cli.timeline.commit import write_atomically
from corridor_cli.timeline.exports.keep import Fate, Notes, digest, file_digest
from corridor_cli.timeline.layout import LIBRARY_NAME, REPORT_SUFFIX, OutputLayout


def write_video_page(layout: OutputLayout, name: str, content: bytes, *, force: bool) -> Fate:
    """Write the page of the document at `name` (its path below OUTPUT, without suffix).

    Only the holder of the lock may call this. Raises `StorageError`.
    """
    path = layout.root / (name + REPORT_SUFFIX)
    return _write(path, Notes.of_timeline(layout, name), REPORT_SUFFIX, content, force=force)


def write_library_page(layout: OutputLayout, content: bytes, *, force: bool) -> Fate:
    """Write the page of the whole folder; as above."""
    return _write(layout.root / LIBRARY_NAME, Notes.of_tables(layout), LIBRARY_NAME, content, force=force)


def _write(path: Path, notes: Notes, key: str, content: bytes, *, force: bool) -> Fate:
    there, new = file_digest(path), digest(content)
    fate = notes.fate(key, there, new, force=force)
    if fate != "kept":
        notes.take(key, "", new, there)
        notes.save()
    if fate == "written":
        write_atomically(path, content, fsync=False)
    return fate
