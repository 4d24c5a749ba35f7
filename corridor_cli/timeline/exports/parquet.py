"""Parquet by pyarrow: typed columns, compressed, in row groups, so neither side holds the whole table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from corridor_cli.timeline.exports.columns import CAPTION, COLUMNS, Row, Value

GROUP_ROWS = 20_000
GROUP_CHARS = 32 * 1024 * 1024
"""A row group ends after so many rows, or so much caption text: what is held in memory."""

_TYPES = {
    "text": pa.string(),
    "whole": pa.int64(),
    "number": pa.float64(),
    "texts": pa.list_(pa.string()),
}
SCHEMA = pa.schema([(column.name, _TYPES[column.kind]) for column in COLUMNS])


class ParquetTable:
    """One file, Zstandard, with `COLUMNS` as its schema."""

    def __init__(self, stream: BinaryIO, root: Path) -> None:
        self._writer = pq.ParquetWriter(stream, SCHEMA, compression="zstd")
        self._rows: list[Row] = []
        self._num_chars = 0

    def add(self, rows: Sequence[Row]) -> None:
        self._rows += rows
        for row in rows:
            caption = row[CAPTION]
            self._num_chars += len(caption) if isinstance(caption, str) else 0
        if len(self._rows) >= GROUP_ROWS or self._num_chars >= GROUP_CHARS:
            self._end_group()

    def close(self) -> None:
        if self._rows:
            self._end_group()
        self._writer.close()

    def _end_group(self) -> None:
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns_of(self._rows), schema=SCHEMA))
        self._rows.clear()
        self._num_chars = 0


def columns_of(rows: list[Row]) -> list[Any]:
    """The rows as one pyarrow array a column."""
    columns = zip(*rows, strict=True)
    return [_array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]


def _array(values: tuple[Value, ...], kind: Any) -> Any:
    return pa.array(values, kind)
