"""The tables of one export: written side by side, so that every timeline is read once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from corridor_cli.timeline.commit import (
    make_folder,
    storage_error,
    sync_folder,
    unfinished_beside,
    write_atomically,
)
from corridor_cli.timeline.exports.columns import Row
from corridor_cli.timeline.exports.keep import Fate, Notes, digest, file_digest
from corridor_cli.timeline.exports.registry import CARD_PLACE, Format, open_table
from corridor_cli.timeline.layout import OutputLayout


class TableSet:
    """Open tables under temporary names. `commit` puts them in their places; without it nothing stays."""

    def __init__(self, layout: OutputLayout, formats: Sequence[Format], *, force: bool, fsync: bool) -> None:
        self._layout = layout
        self._notes = Notes.of_tables(layout)
        self._force = force
        self._fsync = fsync
        self._tables: list[_Table] = []
        try:
            for each in formats:
                self._tables.append(_Table(layout.root, each))
        except BaseException:
            self.close()
            raise

    def add(self, rows: Sequence[Row]) -> None:
        """Add the scenes of a video to every table. Raises `StorageError`."""
        for table in self._tables:
            table.add(rows)

    def commit(self) -> list[tuple[Format, Path, Fate]]:
        """Finish the tables and put them where they belong. Raises `StorageError`."""
        found = []
        for table in self._tables:
            table.finish(fsync=self._fsync)
            new = file_digest(table.temporary)
            assert new is not None, "a table has a header at least"
            there = file_digest(table.path)
            fate = self._settle(table.export.place, there, new)
            if fate == "written":
                table.replace(fsync=self._fsync)
            found.append((table.export, table.path, fate))
            if table.export.name == "hf":
                self._write_card()
        return found

    def _settle(self, place: str, there: str | None, new: str) -> Fate:
        fate = self._notes.fate(place, there, new, force=self._force)
        if fate != "kept":
            self._notes.take(place, "", new, there)
            self._notes.save()
        return fate

    def _write_card(self) -> None:
        """The card is for people to complete: one they have changed stays, and nobody needs to be told."""
        from corridor_cli.timeline.exports.hf import render_card

        path, card = self._layout.root / CARD_PLACE, render_card()
        if self._settle(CARD_PLACE, file_digest(path), digest(card)) == "written":
            write_atomically(path, card, fsync=self._fsync)

    def close(self) -> None:
        """Remove what was not committed."""
        for table in self._tables:
            table.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Table:
    def __init__(self, root: Path, export: Format) -> None:
        self.export = export
        self.path = root / export.place
        make_folder(self.path.parent, fsync=False)
        self.temporary = unfinished_beside(self.path)
        self._stream: BinaryIO | None = None
        try:
            self._stream = self.temporary.open("xb")
            self._writer = open_table(export)(self._stream, root)
        except OSError as error:
            self.close()
            raise storage_error(error, "write", self.path) from error

    def add(self, rows: Sequence[Row]) -> None:
        try:
            self._writer.add(rows)
        except OSError as error:
            raise storage_error(error, "write", self.path) from error

    def finish(self, *, fsync: bool) -> None:
        assert self._stream is not None
        try:
            self._writer.close()
            self._stream.flush()
            if fsync:
                os.fsync(self._stream.fileno())
            self._stream.close()
        except OSError as error:
            raise storage_error(error, "write", self.path) from error

    def replace(self, *, fsync: bool) -> None:
        try:
            self.temporary.replace(self.path)
            if fsync:
                sync_folder(self.path.parent)
        except OSError as error:
            raise storage_error(error, "write", self.path) from error

    def close(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.close()
        with contextlib.suppress(OSError):
            self.temporary.unlink()
