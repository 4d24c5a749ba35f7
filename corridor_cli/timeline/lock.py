"""One run at a time in an output folder, and the order it makes when it comes in."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from corridor_cli.errors import OutputLockedError, StorageError
from corridor_cli.printable import printable
from corridor_cli.timeline.commit import (
    is_foreign,
    is_leftover,
    make_folder,
    remove_file,
    storage_error,
    write_atomically,
)
from corridor_cli.timeline.layout import FAILED_SUFFIX, TIMELINE_SUFFIX, OutputLayout

OWNER_WAIT_SECONDS = 0.5


class OutputLock:
    """Owns an output folder from `acquire` to `release`, or within `with`.

    The kernel's lock on `.vlmtl/lock` decides and ends with its process; `.vlmtl/owner.json` only tells who
    it is. It is a file of its own: some versions of filelock empty the lock's file when they try it.
    """

    def __init__(self, layout: OutputLayout) -> None:
        self._layout = layout
        self._lock = FileLock(str(layout.lock), thread_local=False)
        self._taken: os.stat_result | None = None

    def acquire(self) -> None:
        """Take the folder, making it if need be, and clear away what a killed run left there.

        Raises `OutputLockedError` when another run has it and `StorageError` when it cannot be used.
        """
        make_folder(self._layout.state, fsync=False)
        try:
            self._lock.acquire(timeout=0)
            self._taken = self._layout.lock.stat()  # while it is open its inode goes to no other file
        except Timeout:
            raise self._locked() from None
        except NotImplementedError as error:  # filelock's word for a file system without flock
            raise StorageError(
                f"{printable(self._layout.root)} lies on a file system that cannot lock files.",
                hint="Choose another output folder.",
            ) from error
        except OSError as error:
            self._lock.release()
            raise storage_error(error, "lock", self._layout.lock) from error
        try:
            owner = {"pid": os.getpid(), "host": socket.gethostname(), "since": _now()}
            write_atomically(self._layout.owner, json.dumps(owner).encode("utf-8"), fsync=False)
            remove_leftovers(self._layout.root)
        except BaseException:
            self.release()
            raise

    def check(self) -> None:
        """Raise `StorageError` when the folder is no longer the one that was taken: removed, or another."""
        assert self._taken is not None, "the lock is not held"
        try:
            is_ours = os.path.samestat(self._layout.lock.stat(), self._taken)
        except FileNotFoundError:
            is_ours = False
        except OSError as error:
            raise storage_error(error, "read", self._layout.lock) from error
        if not is_ours:
            raise StorageError(
                f"{printable(str(self._layout.root))} was removed or replaced while the run was going on.",
                hint="Run the same command again.",
            )

    def release(self) -> None:
        """Give the folder back. Safe to call twice."""
        if self._lock.is_locked:
            with contextlib.suppress(OSError):  # a stale name does no harm: it is that of a dead process
                self._layout.owner.unlink()
            self._lock.release()

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _locked(self) -> OutputLockedError:
        where = printable(self._layout.root)
        owner = _read_owner(self._layout.owner)
        if owner is None:
            return OutputLockedError(f"Another run owns {where}.", hint="Wait for it to end, or stop it.")
        return OutputLockedError(
            f"Another run owns {where}: process {owner['pid']} on {owner['host']}, since {owner['since']}.",
            hint=f"Wait for it to end, stop it there with `kill -INT {owner['pid']}`, "
            "or choose another output folder.",
        )


def _read_owner(path: Path) -> dict[str, object] | None:
    """Who holds the lock. Its name is written just after it won: a missing or dead one is read again."""
    deadline = time.monotonic() + OWNER_WAIT_SECONDS
    while True:
        try:
            owner = json.loads(path.read_bytes())
        except (OSError, ValueError):
            owner = None
        if isinstance(owner, dict) and {"pid", "host", "since"} <= owner.keys() and not _is_gone(owner):
            return owner
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.02)


def _is_gone(owner: dict[str, object]) -> bool:
    pid = owner["pid"]
    return (
        owner["host"] == socket.gethostname() and isinstance(pid, int) and not Path(f"/proc/{pid}").exists()
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def remove_leftovers(root: Path) -> None:
    """Remove unfinished writes, and of a timeline and a failure of the same source the older one.

    Both come from a run killed at that very moment. Only the holder of the lock may call this.
    Raises `StorageError`.
    """
    for folder, _, names in os.walk(root):
        present = set(names)
        for name in names:
            if is_leftover(name):
                remove_file(Path(folder, name))
            elif name.endswith(FAILED_SUFFIX):
                twin = name.removesuffix(FAILED_SUFFIX) + TIMELINE_SUFFIX
                if twin in present:
                    _remove_older(Path(folder, name), Path(folder, twin))


def _remove_older(failed: Path, timeline: Path) -> None:
    try:
        if is_foreign(failed.read_bytes()) or is_foreign(timeline.read_bytes()):
            return
        is_failed_newer = failed.stat().st_mtime_ns > timeline.stat().st_mtime_ns
    except OSError as error:
        raise storage_error(error, "read", failed) from error
    remove_file(timeline if is_failed_newer else failed)
