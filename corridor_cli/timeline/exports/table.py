"""What all tables have in common: videos go in one by one, a file comes out, and memory stays bounded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from corridor_cli.timeline.exports.columns import Row


class TableWriter(Protocol):
    """Writes one table to a stream that was opened for it."""

    def add(self, rows: Sequence[Row]) -> None:
        """Add the scenes of a video. Raises `OSError` when the disk cannot take them."""
        ...

    def close(self) -> None:
        """Write what is left. The stream stays open."""
        ...


class OpensTable(Protocol):
    """Makes the writer of a format; `root` is OUTPUT, where the saved pictures lie."""

    def __call__(self, stream: BinaryIO, root: Path) -> TableWriter: ...
