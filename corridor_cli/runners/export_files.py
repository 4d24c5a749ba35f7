"""Many timelines exported by several processes, the results in the order of the files.

A child gets two batches for each one of main, which also writes the tables. One that dies costs nothing:
main does its batches itself, for an export may be done twice.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from itertools import cycle

from corridor_cli.errors import StorageError
from corridor_cli.hardware import num_usable_cpus
from corridor_cli.hosts.channel import ChannelClosedError
from corridor_cli.hosts.process import ChildProcess
from corridor_cli.timeline.exports.find import TimelineFile
from corridor_cli.timeline.exports.one_file import ExportJob, FileResult, export_file

BATCH = 50
MIN_FILES = 1000
"""A child takes about half a second to start, in which main exports as many as this or more."""
MAX_CHILDREN = 3
"""More would wait for main, which takes a quarter of a child's time for each timeline of a table."""

_BATCHES_AHEAD = 4


def num_children(num_files: int) -> int:
    """How many children are worth starting: one fewer than the cores that may be used."""
    if num_files < MIN_FILES:
        return 0
    return min(num_usable_cpus() - 1, MAX_CHILDREN)


def export_files(job: ExportJob, files: Sequence[TimelineFile]) -> Generator[FileResult]:
    """Export the files, one result each, in their order. Raises `StorageError`."""
    children = [_Child(job) for _ in range(num_children(len(files)))]
    try:
        yield from _share(job, files, children) if children else (export_file(job, file) for file in files)
    finally:
        for child in children:
            child.close()


def _share(job: ExportJob, files: Sequence[TimelineFile], children: list[_Child]) -> Iterator[FileResult]:
    batches = [list(files[at : at + BATCH]) for at in range(0, len(files), BATCH)]
    owners = cycle([*children, *children, None])
    shared = deque(zip(batches, owners, strict=False))
    given: deque[tuple[list[TimelineFile], _Child | None]] = deque()
    while shared or given:
        while shared and len(given) < _BATCHES_AHEAD * len(children):
            batch, owner = shared.popleft()
            if owner is not None:
                owner.give(batch)
            given.append((batch, owner))
        batch, owner = given.popleft()
        found = owner.take() if owner is not None else None
        yield from found if found is not None else (export_file(job, file) for file in batch)


class _Child:
    def __init__(self, job: ExportJob) -> None:
        nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)  # where others have their pixels
        try:
            self._process = ChildProcess("corridor_cli.hosts.export_worker", nothing, {})
        finally:
            os.close(nothing)
        self._is_gone = False
        self._send(job)

    def give(self, files: list[TimelineFile]) -> None:
        self._send(files)

    def take(self) -> list[FileResult] | None:
        """What became of the oldest batch it was given; None where it cannot tell. Raises `StorageError`."""
        if self._is_gone:
            return None
        try:
            found: list[FileResult] | StorageError = self._process.channel.receive()
        except ChannelClosedError:
            self._is_gone = True
            return None
        if isinstance(found, StorageError):
            raise found
        return found

    def close(self) -> None:
        self._process.kill()

    def _send(self, record: object) -> None:
        try:
            if not self._is_gone:
                self._process.channel.send(record)
        except ChannelClosedError:
            self._is_gone = True
