"""JSON Lines: an object for each scene, every column always there, text exactly as in the timeline."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from corridor_cli.timeline.exports.columns import COLUMNS, Row
from corridor_cli.timeline.schema import escape_unseen


class JsonlTable:
    """UTF-8; control and direction characters are escapes, as in the timeline itself."""

    def __init__(self, stream: BinaryIO, root: Path) -> None:
        self._stream = stream
        self._names = [column.name for column in COLUMNS]

    def add(self, rows: Sequence[Row]) -> None:
        for row in rows:
            line = json.dumps(dict(zip(self._names, row, strict=True)), ensure_ascii=False)
            self._stream.write(f"{escape_unseen(line)}\n".encode("utf-8", "replace"))

    def close(self) -> None:
        """Nothing is held back."""
