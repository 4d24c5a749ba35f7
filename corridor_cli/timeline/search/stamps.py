"""Which timelines lie below OUTPUT, and by what a change of one is seen. Every search begins with it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from corridor_cli.timeline.commit import storage_error
from corridor_cli.timeline.layout import FRAMES_SUFFIX, STATE_FOLDER, TIMELINE_SUFFIX

Stamp = tuple[int, int]
"""Bytes, and the time of change in ns."""
NO_STAMP: Stamp = (-2, -2)
"""Of a timeline that could not be read: no file ever has it."""

_SUFFIX, _FRAMES, _STATE = map(os.fsencode, (TIMELINE_SUFFIX, FRAMES_SUFFIX, STATE_FOLDER))


def stamps_below(root: Path) -> dict[bytes, Stamp]:
    """The stamp of each timeline below `root`, by its path there without the suffix, as bytes.

    Folders are not followed through links. Raises `StorageError` when a folder cannot be listed.
    """
    stamps: dict[bytes, Stamp] = {}
    top = os.fsencode(root)
    waiting = [b""]
    while waiting:
        below = waiting.pop()
        try:
            with os.scandir(top + b"/" + below) as entries:
                waiting += _look_at(entries, below, stamps)
        except OSError as error:
            raise storage_error(error, "list", root / os.fsdecode(below)) from error
    return stamps


def _look_at(entries: Iterable[os.DirEntry[bytes]], below: bytes, stamps: dict[bytes, Stamp]) -> list[bytes]:
    """Note the timelines of a folder; its folders that may hold more."""
    folders: list[bytes] = []
    for entry in entries:
        name = entry.name
        if entry.is_dir(follow_symlinks=False):
            if name != _STATE and not name.endswith(_FRAMES):
                folders.append(below + name + b"/")
        elif name.endswith(_SUFFIX):
            stamps[below + name[: -len(_SUFFIX)]] = _stamp(entry)
    return folders


def _stamp(entry: os.DirEntry[bytes]) -> Stamp:
    try:
        found = entry.stat()
    except OSError:  # a link to nowhere, or gone by now: reading it will say so
        return -1, -1
    return found.st_size, found.st_mtime_ns
