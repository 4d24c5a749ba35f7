"""Walk folders for files: links followed, loops cut, one folder left out, nothing opened.

Paths are plain strings: a `Path` for each entry would dominate the time of a walk.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from dataclasses import dataclass, field

from natsort import natsort_keygen, ns

from corridor_cli.media.readable import unreadable

natural_key = natsort_keygen(alg=ns.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """A file met in a walk: where, its path inside its input, its `stat` or why there is none."""

    path: str
    real: str
    inner: tuple[str, ...]
    facts: os.stat_result | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Folder:
    path: str
    real: str
    inner: tuple[str, ...]


@dataclass(slots=True)
class Walk:
    """One walk. `problems` are folders that cannot be listed: (path, message)."""

    left_out_real: str | None
    problems: list[tuple[str, str]] = field(default_factory=list)
    _folders: deque[_Folder] = field(default_factory=deque)
    _linked_folders: deque[_Folder] = field(default_factory=deque)
    _files: list[Found] = field(default_factory=list)
    _linked_files: list[Found] = field(default_factory=list)

    def files(self, root: str) -> list[Found]:
        """Every file under `root` that is not hidden, once, in natural order.

        Links are followed after everything else, so that a file keeps the place it really has however many
        links lead to it; a folder is entered once, which cuts loops.
        """
        self._folders.append(_Folder(root, os.path.realpath(root), ()))
        entered: set[str] = set()
        while self._folders or self._linked_folders:
            folder = (self._folders or self._linked_folders).popleft()
            if folder.real in entered or is_below(folder.real, self.left_out_real):
                continue
            entered.add(folder.real)
            self._list(folder)
        unique: dict[str, Found] = {}
        for file in (*self._files, *self._linked_files):
            unique.setdefault(file.real if file.facts else file.path, file)
        return sorted(unique.values(), key=lambda f: [(natural_key(part), part) for part in f.inner])

    def _list(self, folder: _Folder) -> None:
        """Sort one folder's entries into what is to be walked and what was found."""
        try:
            with os.scandir(folder.path) as listing:
                entries = [e for e in listing if e.name[0] != "."]
        except OSError as error:
            self.problems.append((folder.path, unreadable(folder.path, error).message))
            return
        for entry in entries:
            inner, is_link = (*folder.inner, entry.name), entry.is_symlink()
            real = os.path.realpath(entry.path) if is_link else f"{folder.real.rstrip('/')}/{entry.name}"
            files = self._linked_files if is_link else self._files
            try:
                facts = entry.stat()
            except OSError as error:
                files.append(Found(entry.path, real, inner, None, unreadable(entry.path, error).message))
                continue
            if stat.S_ISDIR(facts.st_mode):
                folders = self._linked_folders if is_link else self._folders
                folders.append(_Folder(entry.path, real, inner))
            elif stat.S_ISREG(facts.st_mode) and not is_below(real, self.left_out_real):
                files.append(Found(entry.path, real, inner, facts))


def is_below(real: str, folder_real: str | None) -> bool:
    """Whether a real path is the folder or lies in it; nothing lies in None."""
    if folder_real is None:
        return False
    return real == folder_real or real.startswith(folder_real.rstrip("/") + "/")
