"""The log of batches: size, time and memory of each, for whoever asks afterwards how the device was used.

`OUTPUT/.vlmtl/batches.jsonl`, a JSON line for each batch of the latest run that captioned something.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TextIO

from corridor_cli.pipeline.writer import Writer
from corridor_cli.records import BatchStats
from corridor_cli.timeline.commit import storage_error


class BatchLog:
    """Written by the writer thread. The file of the run before is replaced at the first batch."""

    def __init__(self, path: Path, writer: Writer) -> None:
        self._path = path
        self._writer = writer
        self._file: TextIO | None = None

    def batch_done(self, stats: BatchStats) -> None:
        """Hand one batch over to be written."""
        entry = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **asdict(stats)}
        self._writer.submit(partial(self._write, json.dumps(entry) + "\n"))

    def close(self) -> None:
        """To be called when the last batch is done."""
        self._writer.submit(self._close)

    def _write(self, line: str) -> None:
        try:
            if self._file is None:
                self._file = self._path.open("w", encoding="utf-8")
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            raise storage_error(error, "write", self._path) from error

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
