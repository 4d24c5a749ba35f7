"""Many timelines exported by several processes, the results in the order of the files.

Children and main take batches as they get on; main, which also writes the tables, does one whenever the next
result is not there yet. A child that dies costs nothing: main does its batches, for an export may be done
twice.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterator, Sequence

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

_BATCHES_OF_A_CHILD = 2
"""One it works on, and the next."""
_BATCHES_AHEAD = 20
"""How far whoever is quick may be ahead of the result that is due: what is held in memory."""


def num_children(num_files: int) -> int:
    """How many children are worth starting: one fewer than the cores that may be used."""
    if num_files < MIN_FILES:
        return 0
    return min(num_usable_cpus() - 1, MAX_CHILDREN)


def export_files(job: ExportJob, files: Sequence[TimelineFile]) -> Generator[FileResult]:
    """Export the files, one result each, in their order. Raises `StorageError`."""
    children = [_Child(job) for _ in range(num_children(len(files)))]
    try:
        yield from _Shared(job, files, children).results()
    finally:
        for child in children:
            child.close()


class _Shared:
    """The batches of one export: which are done, and who does the others."""

    def __init__(self, job: ExportJob, files: Sequence[TimelineFile], children: list[_Child]) -> None:
        self._job = job
        self._batches = [files[at : at + BATCH] for at in range(0, len(files), BATCH)]
        self._children = children
        self._next = 0
        self._done: dict[int, list[FileResult]] = {}

    def results(self) -> Iterator[FileResult]:
        for due in range(len(self._batches)):
            while due not in self._done:
                self._hand_out(due)
                self._collect()
                if due not in self._done:
                    self._work(due)
            yield from self._done.pop(due)

    def _hand_out(self, due: int) -> None:
        for child in self._children:
            while len(child.given) < _BATCHES_OF_A_CHILD and (number := self._take(due)) is not None:
                child.give(number, self._batches[number])

    def _collect(self) -> None:
        for child in self._children:
            while child.given and child.has_answer():
                self._done |= child.answer()

    def _work(self, due: int) -> None:
        """Do a batch here; where all are given away, wait for the one that is due, or do a dead child's."""
        number = self._take(due)
        owner = next((child for child in self._children if due in child.given), None)
        if number is None and owner is not None and not owner.is_gone:
            self._done |= owner.answer()
            return
        number = due if number is None else number
        self._done[number] = [export_file(self._job, file) for file in self._batches[number]]

    def _take(self, due: int) -> int | None:
        """The next batch that nobody has; None where there is none, or all that may be done ahead are."""
        if self._next >= min(len(self._batches), due + _BATCHES_AHEAD):
            return None
        self._next += 1
        return self._next - 1


class _Child:
    def __init__(self, job: ExportJob) -> None:
        nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)  # where others have their pixels
        try:
            self._process = ChildProcess("corridor_cli.hosts.export_worker", nothing, {})
        finally:
            os.close(nothing)
        self.is_gone = False
        self.given: deque[int] = deque()
        self._send(job)

    def give(self, number: int, files: Sequence[TimelineFile]) -> None:
        self.given.append(number)
        self._send(files)

    def has_answer(self) -> bool:
        return not self.is_gone and self._process.channel.has_record()

    def answer(self) -> dict[int, list[FileResult]]:
        """What became of the oldest batch it has; waits for it. Nothing from one that has died, whose batches
        stay its own until main does them. Raises `StorageError`."""
        try:
            found: list[FileResult] | StorageError = self._process.channel.receive()
        except ChannelClosedError:
            self.is_gone = True
            return {}
        if isinstance(found, StorageError):
            raise found
        return {self.given.popleft(): found}

    def close(self) -> None:
        self._process.kill()

    def _send(self, record: object) -> None:
        try:
            if not self.is_gone:
                self._process.channel.send(record)
        except ChannelClosedError:
            self.is_gone = True
