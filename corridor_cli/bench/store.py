"""Where a sweep keeps its points while it runs: a line each, on disk as soon as it is measured.

`DIR/points.jsonl`: the first line says what is swept and with what, so that a resumed sweep adds to the same
thing and to nothing else.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from corridor_cli.bench.document import SCHEMA, PointResult
from corridor_cli.errors import StorageError, UsageError
from corridor_cli.printable import printable
from corridor_cli.records import EngineInfo
from corridor_cli.timeline.commit import write_atomically

_FILE = "points.jsonl"
_ENGINE = "engine"


class PointStore:
    """The points of the sweep `setup` in `folder`.

    Raises `UsageError` where the folder holds another sweep, or this one without `is_resumed`, and
    `StorageError` where nothing can be written.
    """

    def __init__(self, folder: Path, setup: dict[str, Any], *, is_resumed: bool) -> None:
        self._path = folder / _FILE
        self._head = {"schema": SCHEMA, "setup": json.loads(json.dumps(setup))}
        self.results: list[PointResult] = []
        self.info: EngineInfo | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if self._path.exists() and self._path.stat().st_size:  # empty: not even the first line found room
                self._read(is_resumed=is_resumed)
            else:
                self._append(json.dumps(self._head))
        except OSError as error:
            raise StorageError(
                f"Results cannot be kept in {printable(folder)}: {error.strerror}.",
                hint="Give another folder with --out.",
            ) from error

    def add(self, result: PointResult, info: EngineInfo | None) -> None:
        """Write a point down, with the engine that ran it if there was none before; both are kept whatever
        happens next. Raises `StorageError`."""
        self.results.append(result)
        try:
            if self.info is None and info is not None:
                self.info = info
                self._append(json.dumps({_ENGINE: asdict(info)}))
            self._append(result.model_dump_json())
        except OSError as error:
            raise StorageError(
                f"{printable(self._path)} cannot be written: {error.strerror}.",
                hint="Make room; the same command with --resume goes on from the points before it.",
            ) from error

    def _append(self, line: str) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _read(self, *, is_resumed: bool) -> None:
        where = printable(self._path)
        if not is_resumed:
            raise UsageError(
                f"{where} holds the points of a sweep, allowed: a new folder, or --resume",
                hint="--resume keeps its points and measures those that are missing.",
            )
        # At line feeds only: a message may hold what else Python would split at.
        head, *lines = self._path.read_text(encoding="utf-8", errors="replace").split("\n")
        if _table(head) != self._head:
            raise UsageError(
                f"{where} belongs to another sweep (other axes, model, settings or version), allowed with "
                "--resume: the command that began it",
                hint="Give a new folder with --out to begin another sweep.",
            )
        whole = [line for line in lines if _table(line) is not None]
        try:
            for table in filter(None, map(_table, whole)):
                if _ENGINE in table:
                    self.info = EngineInfo(**table[_ENGINE])
                else:
                    self.results.append(PointResult.model_validate(table))
        except (ValidationError, TypeError) as error:
            raise UsageError(
                f"{where} cannot be read: {printable(str(error).splitlines()[0])}",
                hint="Give a new folder with --out to begin again.",
            ) from error
        # A line that was being written when the machine stopped is measured again.
        kept = "".join(f"{line}\n" for line in [head, *whole])
        write_atomically(self._path, kept.encode("utf-8"), fsync=True)


def _table(line: str) -> dict[str, Any] | None:
    try:
        table = json.loads(line)
    except ValueError:
        return None
    return table if isinstance(table, dict) else None
