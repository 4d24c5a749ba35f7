"""Files that somebody else wrote, read whole: of a bounded size, and never waited for."""

from __future__ import annotations

import os
import stat
from pathlib import Path


class SmallFileError(Exception):
    """Why a file cannot be had, to be told behind its name, and what to do. Caught by whoever asked."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def read_small_file(path: Path, max_bytes: int, *, follows_link: bool = True) -> bytes:
    """All of a regular file of at most `max_bytes`. Raises `SmallFileError`."""
    link = 0 if follows_link else os.O_NOFOLLOW
    try:
        # O_NONBLOCK: opening a FIFO would wait until somebody writes to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | link)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise SmallFileError("is no regular file", "Name a file.")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                data = file.read(max_bytes + 1)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:  # a ValueError is a NUL in the name
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise SmallFileError(f"cannot be read ({reason})", "Check the path.") from error
    if len(data) > max_bytes:
        raise SmallFileError(f"is larger than {_size(max_bytes)}", "Is it the right file?")
    return data


def _size(num_bytes: int) -> str:
    return f"{num_bytes // 2**20} MiB" if num_bytes >= 2**20 else f"{num_bytes // 2**10} KiB"
