"""Who is at work in an output folder, seen without touching its lock.

Taking the lock for a moment, even to share it, would turn away a run that begins at that very moment. Linux
lists all locks in /proc/locks; where this list cannot say it, the owner's note (`lock.py`) has to.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from corridor_cli.timeline.layout import OutputLayout

_LOCKS = Path("/proc/locks")
_Place: TypeAlias = tuple[int, int, int]  # major and minor number of the device, inode


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that owns the folder, as far as it is known. Where `is_certain` is false it has left a note
    and works on another machine or in another container, if it still does."""

    pid: int | None
    host: str | None
    since: str | None
    is_certain: bool


def find_holder(layout: OutputLayout) -> Holder | None:
    """Who holds the lock of an output folder now; None when nobody does."""
    note = _note(layout.owner)
    is_here = note.host == socket.gethostname()
    place = _place(layout.lock)
    for held, pid in _flocks():
        # A stacked file system (overlay, btrfs) may list another device than `stat` tells: there the process
        # that left its note and holds some lock is the one.
        if held == place or (is_here and pid == note.pid):
            return Holder(note.pid, note.host, note.since, is_certain=True)
    # Locks of other machines, and of other containers of this one, are not in the list.
    return note if note.host is not None and not is_here else None


def _flocks() -> Iterator[tuple[_Place, int]]:
    """Every lock of the kind that `lock.py` takes: the file's place, and the process."""
    try:
        lines = _LOCKS.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        # `4: FLOCK  ADVISORY  WRITE 1234 08:02:131345 0 EOF`; one with `->` only waits.
        words = line.split()
        if len(words) >= 6 and words[1] == "FLOCK":
            major, minor, inode = words[5].split(":")
            yield (int(major, 16), int(minor, 16), int(inode)), int(words[4])


def _place(lock: Path) -> _Place | None:
    try:
        facts = lock.stat()
    except OSError:
        return None
    return os.major(facts.st_dev), os.minor(facts.st_dev), facts.st_ino


def _note(path: Path) -> Holder:
    """What the owner has written; a run that was killed leaves its note behind."""
    try:
        note: Any = json.loads(path.read_bytes())
        return Holder(int(note["pid"]), str(note["host"]), str(note["since"]), is_certain=False)
    except (OSError, ValueError, KeyError, TypeError):
        return Holder(None, None, None, is_certain=False)
