"""The index kept beside the timelines: opened, brought up to date, made anew when it is damaged.

Who only reads opens it read-only and in one transaction. Who changes it holds `.vlmtl/search.lock`: changes
are one transaction, and a new index is made under another name and renamed, so nobody ever sees half of one.
Where the folder cannot be written a copy in a temporary file is searched, which is gone afterwards.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from corridor_cli.errors import TimelineError
from corridor_cli.printable import printable
from corridor_cli.telemetry import counted
from corridor_cli.timeline.exports.document import Video
from corridor_cli.timeline.exports.find import TimelineFile
from corridor_cli.timeline.layout import TIMELINE_SUFFIX, OutputLayout
from corridor_cli.timeline.search.index import (
    add_timeline,
    create_tables,
    is_current,
    remove_timeline,
    stamps_in,
    sum_up,
)
from corridor_cli.timeline.search.stamps import NO_STAMP, Stamp, stamps_below

WAIT_SECONDS = 600.0
"""How long another search may take to read the timelines."""
TOLD_FROM = 500
"""Reading so many timelines takes seconds: it is told."""

# A damaged page may also read as a value of another type, or as none.
_WRONG = (sqlite3.DatabaseError, TypeError, ValueError, AttributeError, OverflowError)

Answer = TypeVar("Answer")
Stamps = dict[bytes, Stamp]


class _UnusableError(Exception):
    """The index is missing, damaged, or of another version: it is to be made anew."""


class SearchIndex:
    """The index of one output folder. `tell` hears what a user should know of it."""

    def __init__(self, layout: OutputLayout, tell: Callable[[str], None]) -> None:
        self._layout = layout
        self._path = layout.search
        self._tell = tell

    def ask(self, stamps: Stamps, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """The answer of an index that holds the timelines as they are; `stamps` are theirs, of just now.

        Raises `StorageError` when a folder cannot be listed.
        """
        try:
            with closing(open_to_read(self._path)) as connection:
                connection.execute("BEGIN")
                if is_current(connection) and stamps_in(connection) == stamps:
                    return question(connection)
        except _WRONG:
            pass  # missing, damaged, or left by a killed search: told below, where it can be mended
        try:
            with self._lock():
                # Whoever had the lock may have read what is newer than our stamps.
                return self._ask_updated(stamps_below(self._layout.root), question)
        # A full or read-only disk, a search that holds the lock for long, a file system that has none
        # (filelock's NotImplementedError): the question is answered all the same, and why slower is told.
        except (OSError, NotImplementedError, sqlite3.OperationalError) as error:
            self._tell(f"{printable(self._path)} cannot be written ({error}): a temporary copy is searched")
            return self._ask_temporary(stamps, question)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self._layout.state.mkdir(exist_ok=True)
        lock = FileLock(str(self._layout.search_lock))
        try:
            lock.acquire(timeout=1)
        except Timeout:
            self._tell("another search reads the timelines: waiting for it")
            lock.acquire(timeout=WAIT_SECONDS)
        with lock:
            yield

    def _ask_updated(self, stamps: Stamps, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
        if self._path.exists():
            try:
                with closing(open_to_write(self._path)) as connection:
                    self._update(connection, stamps)
                    return question(connection)
            except _UnusableError:
                pass
            except _WRONG as error:
                if not _is_damage(error):
                    raise
                self._tell(f"{printable(self._path)} is damaged ({error}): it is made anew")
        return self._ask_new(stamps, question)

    def _ask_new(self, stamps: Stamps, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
        unfinished = self._path.with_name(f"{self._path.name}.new")
        try:
            for left in (unfinished, self._path.with_name(f"{self._path.name}-journal")):
                left.unlink(missing_ok=True)
            with closing(open_to_write(unfinished)) as connection:
                # Nobody else sees it, and what a killed search leaves of it is thrown away.
                connection.execute("PRAGMA journal_mode = OFF")
                connection.execute("PRAGMA synchronous = OFF")
                create_tables(connection)
                self._refresh(connection, stamps)
                _sync(unfinished)
                unfinished.replace(self._path)
                return question(connection)
        finally:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)

    def _ask_temporary(self, stamps: Stamps, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
        try:
            with closing(_connect("")) as copy:
                with closing(open_to_read(self._path)) as saved:
                    saved.backup(copy)
                self._update(copy, stamps)
                return question(copy)
        except (*_WRONG, _UnusableError):
            with closing(_connect("")) as connection:
                create_tables(connection)
                self._refresh(connection, stamps)
                return question(connection)

    def _update(self, connection: sqlite3.Connection, stamps: Stamps) -> None:
        if not is_current(connection):
            raise _UnusableError
        self._refresh(connection, stamps)

    def _refresh(self, connection: sqlite3.Connection, stamps: Stamps) -> None:
        """Bring the tables to `stamps`, in one transaction."""
        connection.execute("BEGIN IMMEDIATE")
        known = stamps_in(connection)
        gone = [relative for relative in known if relative not in stamps]
        changed = sorted(relative for relative, stamp in stamps.items() if known.get(relative) != stamp)
        if len(changed) >= TOLD_FROM:
            self._tell(f"reading {counted(len(changed), 'timeline')} into {printable(self._path)}")
        for relative in (*gone, *(each for each in changed if each in known)):
            remove_timeline(connection, relative)
        for relative in changed:
            video = self._read(relative)
            # Whether a file can be read changes without its stamp: it is to be looked at again.
            is_out_of_reach = isinstance(video, TimelineError) and isinstance(video.__cause__, OSError)
            add_timeline(connection, relative, NO_STAMP if is_out_of_reach else stamps[relative], video)
        sum_up(connection)
        connection.execute("COMMIT")

    def _read(self, relative: bytes) -> Video | TimelineError:
        name = os.fsdecode(relative)
        try:
            return TimelineFile(self._layout.root / (name + TIMELINE_SUFFIX), name).read()[1]
        except TimelineError as error:
            return error


def open_to_read(path: Path) -> sqlite3.Connection:
    """The database at `path`, which is not made. Raises `sqlite3.DatabaseError`."""
    return _connect(f"{path.as_uri()}?mode=ro")


def open_to_write(path: Path) -> sqlite3.Connection:
    """The database at `path`, made if need be. Raises `sqlite3.DatabaseError`."""
    return _connect(path)


def _connect(place: str | Path) -> sqlite3.Connection:
    is_uri = isinstance(place, str)
    connection = sqlite3.connect(place, timeout=WAIT_SECONDS, isolation_level=None, uri=is_uri)
    try:
        connection.execute("PRAGMA trusted_schema = OFF")  # the file may be anybody's
        connection.execute("PRAGMA cache_size = -65536")
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _is_damage(error: Exception) -> bool:
    """Whether the file is at fault, not its disk or somebody who has it."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    others = (
        sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL,
    )  # fmt: skip
    return code not in others


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
