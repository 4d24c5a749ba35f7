"""Bytes put aside until they are needed, in memory while they are few and on disk without a name beyond."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Hashable

from corridor_cli.errors import StorageError

_IN_MEMORY_BYTES = 4 * 1024 * 1024


class Spool:
    """Pieces of bytes by key. Raises `StorageError` where the temporary folder is full."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - see `close`
        self._places: dict[Hashable, tuple[int, int]] = {}

    def put(self, key: Hashable, data: bytes) -> None:
        """Keep a piece; a later one under the same key takes its place."""
        try:
            place = self._file.seek(0, os.SEEK_END)
            self._file.write(data)
        except OSError as error:
            raise temporary_folder_error(error) from error
        self._places[key] = place, len(data)

    def get(self, key: Hashable) -> bytes | None:
        """The piece, or None when there is none of this key."""
        place = self._places.get(key)
        if place is None:
            return None
        self._file.seek(place[0])
        return self._file.read(place[1])

    def close(self) -> None:
        """Throw everything away."""
        self._file.close()


def temporary_folder_error(error: OSError) -> StorageError:
    """The foreign error as ours."""
    return StorageError(
        f"The temporary folder {tempfile.gettempdir()} cannot be written to: {error.strerror}.",
        hint="Free some space there, or set TMPDIR to another folder.",
    )
