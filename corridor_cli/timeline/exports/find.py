"""Finds the timelines below OUTPUT, in an order that is always the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from corridor_cli.errors import TimelineError
from corridor_cli.printable import encodable
from corridor_cli.timeline.commit import storage_error
from corridor_cli.timeline.exports.document import Video, read_video
from corridor_cli.timeline.layout import FAILED_SUFFIX, FRAMES_SUFFIX, STATE_FOLDER, TIMELINE_SUFFIX

MAX_DOCUMENT_BYTES = 1024**3
"""A timeline of a day of video is some tens of megabytes."""


@dataclass(frozen=True, slots=True)
class TimelineFile:
    """A timeline below OUTPUT; `relative` is its path there, without the suffix."""

    path: Path
    relative: str

    def read(self) -> tuple[bytes, Video]:
        """Its bytes and what they say. Raises `TimelineError`."""
        try:
            if self.path.stat().st_size > MAX_DOCUMENT_BYTES:
                raise TimelineError(f"is larger than {MAX_DOCUMENT_BYTES >> 20:,} MiB")
            data = self.path.read_bytes()
        except OSError as error:
            raise TimelineError(f"cannot be read: {error.strerror}") from error
        return data, read_video(data, encodable(self.relative))


@dataclass(slots=True)
class Found:
    """What lies below OUTPUT; `failed` documents tell of videos without any scene."""

    timelines: list[TimelineFile] = field(default_factory=list)
    failed: list[TimelineFile] = field(default_factory=list)

    @property
    def num_failed(self) -> int:
        return len(self.failed)


def find_timelines(root: Path) -> Found:
    """Every timeline below `root`, sorted by path; saved pictures and the run's state are not looked at.

    Raises `StorageError` when a folder cannot be listed.
    """
    found = Found()
    for folder, name in files_below(root):
        for suffix, files in ((TIMELINE_SUFFIX, found.timelines), (FAILED_SUFFIX, found.failed)):
            if name.endswith(suffix):
                path = Path(folder, name)
                files.append(TimelineFile(path, str(path.relative_to(root))[: -len(suffix)]))
    for files in (found.timelines, found.failed):
        files.sort(key=lambda each: each.relative.split("/"))
    return found


def files_below(root: Path) -> Iterator[tuple[str, str]]:
    """Folder and name of every file below `root`, but for saved pictures and the run's state.

    Raises `StorageError` when a folder cannot be listed.
    """
    for folder, folders, names in os.walk(root, onerror=_cannot_list):
        folders[:] = [each for each in folders if each != STATE_FOLDER and not each.endswith(FRAMES_SUFFIX)]
        for name in names:
            yield folder, name


def _cannot_list(error: OSError) -> NoReturn:
    raise storage_error(error, "list", Path(error.filename)) from error
