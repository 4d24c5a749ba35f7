"""Where a sweep keeps its points while it runs: a line each, on disk as soon as it is measured.

`DIR/points.jsonl`: the first line says what is swept and with what, so that a resumed sweep adds to the same
thing and to nothing else.
"""

from __future__ import annotations

import errno
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from corridor_cli.bench.document import SCHEMA, LongRun, PipeResult, PointResult
from corridor_cli.errors import StorageError, UsageError
from corridor_cli.printable import printable
from corridor_cli.records import EngineInfo
from corridor_cli.telemetry import counted
from corridor_cli.timeline.commit import write_atomically

FILE = "points.jsonl"
_ENGINE, _PIPE, _LONG_RUN = "engine", "pipe", "long_run"
_FULL = (errno.ENOSPC, errno.EDQUOT)


class PointStore:
    """The points of the sweep `setup` in `folder`, and the longer runs that came after them.

    Raises `UsageError` where the folder holds another sweep, or this one without `is_resumed`, and
    `StorageError` where nothing can be written.
    """

    def __init__(self, folder: Path, setup: dict[str, Any], *, is_resumed: bool) -> None:
        self._path = folder / FILE
        self._head = {"schema": SCHEMA, "setup": json.loads(json.dumps(setup))}
        self.results: list[PointResult] = []
        self.info: EngineInfo | None = None
        self.pipe: PipeResult | None = None
        self.long_run: LongRun | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if self._holds_a_sweep():
                self._read(is_resumed=is_resumed)
            else:
                self._path.unlink(missing_ok=True)
                self._append(json.dumps(self._head))
            self._path.open("ab").close()  # told now, and not when the first point is measured
        except OSError as error:
            raise self._refused(folder, error, is_resumed=is_resumed) from error

    def add(self, result: PointResult, info: EngineInfo | None) -> None:
        """Write a point down, with the engine that ran it if there was none before; both are kept whatever
        happens next. Raises `StorageError`; the point is lost then, and those before it are not."""
        if self.info is None and info is not None:
            self._keep(json.dumps({_ENGINE: asdict(info)}))
            self.info = info
        self._keep(result.model_dump_json())
        self.results.append(result)

    def add_long_run(self, found: LongRun) -> None:
        """Keep the long run: half an hour is not to be spent twice. Raises `StorageError`."""
        self.long_run = found
        self._keep(json.dumps({_LONG_RUN: found.model_dump(mode="json")}))

    def add_pipe(self, found: PipeResult) -> None:
        """Keep the whole way. Raises `StorageError`."""
        self.pipe = found
        self._keep(json.dumps({_PIPE: found.model_dump(mode="json")}))

    def _keep(self, line: str) -> None:
        try:
            self._append(line)
        except OSError as error:
            raise StorageError(
                f"{printable(self._path)} cannot be written: {error.strerror}.",
                hint="Free some space there." if error.errno in _FULL else "Put that right.",
            ) from error

    def _refused(self, folder: Path, error: OSError, *, is_resumed: bool) -> StorageError:
        """Nothing can be written from the beginning on. Another folder helps only who begins."""
        message = f"Results cannot be kept in {printable(folder)}: {error.strerror}."
        is_full = error.errno in _FULL
        if is_resumed:
            kept = f" Its {counted(len(self.results), 'point')} are kept." if self.results else ""
            right = "Free some space there" if is_full else "Make it one that can be written to"
            return StorageError(message + kept, hint=f"{right}, then run the same command again.")
        room = "Free some space there, or give" if is_full else "Give"
        return StorageError(message, hint=f"{room} another folder with --out.")

    def _holds_a_sweep(self) -> bool:
        """False where there is nothing, or a first line that was cut off: it found no room."""
        if not self._path.exists():
            return False
        with self._path.open("rb") as file:
            first = file.readline()
        return first.endswith(b"\n") or not json.dumps(self._head).encode().startswith(first)

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
        found = self._path.read_bytes()
        head, *lines = found.decode("utf-8", errors="replace").split("\n")
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
                elif _LONG_RUN in table:
                    self.long_run = LongRun.model_validate(table[_LONG_RUN])
                elif _PIPE in table:
                    self.pipe = PipeResult.model_validate(table[_PIPE])
                else:
                    self.results.append(PointResult.model_validate(table))
        except (ValidationError, TypeError) as error:
            raise UsageError(
                f"{where} cannot be read: {printable(str(error).splitlines()[0])}",
                hint="Give a new folder with --out to begin again.",
            ) from error
        # A line that was being written when the machine stopped, or the disk was full, is measured again.
        kept = "".join(f"{line}\n" for line in [head, *whole]).encode("utf-8")
        if kept != found:
            self._mend(kept)

    def _mend(self, kept: bytes) -> None:
        try:
            write_atomically(self._path, kept, fsync=True)
        except StorageError as error:
            raise StorageError(
                f"{error.message.removesuffix('.')}; its {counted(len(self.results), 'point')} are kept.",
                hint="Put that right, then run the same command again.",
            ) from error


def _table(line: str) -> dict[str, Any] | None:
    try:
        table = json.loads(line)
    except ValueError:
        return None
    return table if isinstance(table, dict) else None
