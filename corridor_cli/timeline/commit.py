"""How files come to OUTPUT: whole or not at all.

A file is written under a temporary name in its own folder, synced, renamed, and its folder synced. What a
killed run left half written is recognised by its name and removed by the next holder of the lock (`lock.py`).
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import re
from pathlib import Path

from corridor_cli.errors import StorageError
from corridor_cli.printable import printable
from corridor_cli.timeline.layout import OutputLayout

FAMILY = "vlmtl.timeline/"

_LEFTOVER = re.compile(r"\.~vlmtl-\d+-\d+\.tmp\Z")
_PICTURE = re.compile(r"s\d{4,}-(first|representative|last)\.jpg\Z")
_counter = itertools.count()

_HINTS = {
    errno.ENOSPC: "The disk is full: free some space, then run the same command again.",
    errno.EDQUOT: "The disk quota is used up: free some space, then run the same command again.",
    errno.EFBIG: "The file is larger than the limit allows (see `ulimit -f`), or the disk's format does.",
    errno.EROFS: "The disk is mounted read-only: choose another output folder.",
    errno.EIO: "The disk reports a hardware or network error: check it, then run the same command again.",
    errno.EACCES: "Permission denied: make the folder writable, or choose another output folder.",
    errno.EPERM: "Permission denied: make the folder writable, or choose another output folder.",
}


def storage_error(error: OSError, doing: str, path: Path) -> StorageError:
    """The foreign error as one of ours: what was tried, on which path, what the system said, what to do."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    name = errno.errorcode.get(error.errno or 0, "OSError")
    hint = _HINTS.get(error.errno or 0, "Put it right, then run the same command again.")
    return StorageError(f"Cannot {doing} {printable(path)}: {reason} ({name}).", hint=hint)


def is_leftover(name: str) -> bool:
    """Whether a file of this name is the unfinished write of some run."""
    return _LEFTOVER.match(name) is not None


def is_foreign(data: bytes) -> bool:
    """Whether this is sound JSON of somebody else. Unsound JSON under our name counts as ours."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return False
    name = document.get("schema") if isinstance(document, dict) else None
    return not (isinstance(name, str) and name.startswith(FAMILY))


def write_atomically(path: Path, data: bytes, *, fsync: bool) -> None:
    """Put `data` at `path`, whole or not at all; its folder is made if need be.

    With `fsync` the file outlives a power cut once this returns. Raises `StorageError`; what was at `path`
    is then still there.
    """
    make_folder(path.parent, fsync=fsync)
    temporary = unfinished_beside(path)
    try:
        try:
            _write_file(temporary, data, fsync=fsync)
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        if fsync:
            sync_folder(path.parent)
    except OSError as error:
        raise storage_error(error, "write", path) from error


def unfinished_beside(path: Path) -> Path:
    """A name under which `path` may be written before it is renamed: `is_leftover` knows it."""
    return path.parent / f".~vlmtl-{os.getpid()}-{next(_counter)}.tmp"


def make_folder(folder: Path, *, fsync: bool) -> None:
    """Make a folder and its parents, each synced into its own parent. Raises `StorageError`."""
    if folder.is_dir():
        return
    try:
        missing = [folder, *itertools.takewhile(lambda parent: not parent.is_dir(), folder.parents)]
        for each in reversed(missing):
            with contextlib.suppress(FileExistsError):
                each.mkdir()
            if fsync:
                sync_folder(each.parent)
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    except OSError as error:
        raise storage_error(error, "make the folder", folder) from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder outlive a power cut. Raises `OSError`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`; a short write (a disk that fills up) goes on until it ends or raises `OSError`."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _write_file(path: Path, data: bytes, *, fsync: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        write_all(descriptor, data)
        if fsync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def commit_timeline(layout: OutputLayout, relative: str, data: bytes, *, fsync: bool) -> None:
    """Commit a complete or partial document; a failed one goes. Raises `StorageError`."""
    write_atomically(layout.timeline(relative), data, fsync=fsync)
    remove_file(layout.failed(relative))


def commit_failed(layout: OutputLayout, relative: str, data: bytes, *, fsync: bool) -> None:
    """Commit a failed document; a timeline of the same source goes. Raises `StorageError`."""
    write_atomically(layout.failed(relative), data, fsync=fsync)
    remove_file(layout.timeline(relative))


def pictures_in(folder: Path) -> list[Path]:
    """The saved pictures in a folder of picks, which need not be there. Raises `StorageError`."""
    try:
        return [path for path in folder.iterdir() if _PICTURE.match(path.name)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise storage_error(error, "list", folder) from error


def remove_file(path: Path) -> None:
    """Remove a file, which need not be there. Raises `StorageError`."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(error, "remove", path) from error
