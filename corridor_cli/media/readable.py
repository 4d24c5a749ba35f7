"""Can this file be read at all? Asked before any decoder sees it, without ever blocking."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from corridor_cli.errors import UnreadableError
from corridor_cli.printable import printable

# What a path may be besides a regular file; opening a FIFO would block until someone writes to it.
KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
)


def kind_of(mode: int) -> str:
    """What a thing that is no regular file is called."""
    return next((name for test, name in KINDS if test(mode)), "a special file")


def unreadable(path: str | Path, error: OSError) -> UnreadableError:
    """The operating system's answer as our error."""
    reason = (error.strerror or type(error).__name__).lower()
    if isinstance(error, FileNotFoundError):
        return UnreadableError(f"{printable(path)}: does not exist", hint="Check the path.")
    if isinstance(error, PermissionError):
        return UnreadableError(
            f"{printable(path)}: may not be read ({reason})", hint="Check its permissions."
        )
    return UnreadableError(
        f"{printable(path)}: cannot be read ({reason})", hint="Check the disk, then run again."
    )


def open_readable(path: Path) -> tuple[int, os.stat_result]:
    """A file descriptor on a regular, non-empty file and what the system says of it.

    Raises `UnreadableError`. O_NONBLOCK keeps a FIFO swapped in at the last moment from blocking.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise unreadable(path, error) from error
    facts = os.fstat(descriptor)
    problem = ""
    if not stat.S_ISREG(facts.st_mode):
        problem = f"is {kind_of(facts.st_mode)}, not a regular file"
    elif facts.st_size == 0:
        problem = "is empty (0 bytes)"
    if problem:
        os.close(descriptor)
        raise UnreadableError(f"{printable(path)}: {problem}", hint="Name a video file.")
    return descriptor, facts


def disk_problem(path: Path, num_bytes: int = 64 * 1024 * 1024) -> UnreadableError | None:
    """What goes wrong when the first so many bytes are read, or None when they can be."""
    try:
        descriptor, _ = open_readable(path)
    except UnreadableError as error:
        return error
    try:
        while num_bytes > 0 and (read := len(os.read(descriptor, 1024 * 1024))):
            num_bytes -= read
    except OSError as error:
        return unreadable(path, error)
    finally:
        os.close(descriptor)
    return None


def read_head(path: Path, num_bytes: int = 64) -> bytes:
    """The first bytes of the file. Raises `UnreadableError`."""
    descriptor, _ = open_readable(path)
    try:
        return os.read(descriptor, num_bytes)
    except OSError as error:
        raise unreadable(path, error) from error
    finally:
        os.close(descriptor)
