"""Inputs given by the user → the list of source files, in natural order, each with its place under OUTPUT.

Looks at names and `stat` only: no file is opened, so FIFOs and sick disks cannot block it.
"""

# Plain strings, since a Path for each entry would dominate the time of a walk:
# ruff: noqa: PTH100, PTH112, PTH116, PTH119, PTH122

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from natsort import natsort_keygen, ns

from corridor_cli.media.patterns import has_magic, is_excluded, is_included, matches_path, split_pattern
from corridor_cli.media.readable import kind_of, shown, unreadable
from corridor_cli.records import ErrorInfo
from corridor_cli.settings import InputSettings

natural_key = natsort_keygen(alg=ns.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to work on. `relative` is its place under OUTPUT and never leads out of it."""

    path: Path
    relative: PurePosixPath
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class InputProblem:
    """An input, or something inside it, that cannot be taken: the path as given or found, and why."""

    path: str
    error: ErrorInfo


@dataclass(frozen=True, slots=True)
class Discovery:
    """What the inputs hold. Nothing that was named is lost: it is a source or a problem."""

    sources: tuple[SourceFile, ...]
    problems: tuple[InputProblem, ...]


@dataclass(slots=True)
class _Search:
    """What one call of `discover` has met so far. Real paths tell apart files reached in two ways."""

    settings: InputSettings
    output_real: str
    seen_files: set[str] = field(default_factory=set)
    problems: list[InputProblem] = field(default_factory=list)

    def report(self, path: str, message: str) -> None:
        info = ErrorInfo("discover", "UnreadableError", message)
        self.problems.append(InputProblem(path, info))

    def is_in_output(self, real: str) -> bool:
        return real == self.output_real or real.startswith(self.output_real.rstrip("/") + "/")

    def wants_extension(self, name: str) -> bool:
        return os.path.splitext(name)[1][1:].lower() in {
            e.lower().lstrip(".") for e in self.settings.extensions
        }


@dataclass(frozen=True, slots=True)
class _Found:
    """A file met in a search: where, its path inside its input, and its `stat`."""

    path: str
    real: str
    inner: tuple[str, ...]
    facts: os.stat_result


_Item = (
    _Found | tuple[str, str, tuple[str, ...]]
)  # a file, or a folder: path, real path, parts below the root


def discover(inputs: Sequence[str | Path], settings: InputSettings, output: Path) -> Discovery:
    """Files, folders and globs → sources.

    One folder: paths relative to it. Several inputs: each folder's tree lies under its own name, files lie
    at the top; equal names get `~2`, `~3` … in the order given. Folder walks take `settings.extensions`; a
    file named itself is taken whatever it is called.
    """
    search = _Search(settings, os.path.realpath(output))
    given = [os.fspath(i) for i in inputs]
    sources: list[SourceFile] = []
    taken: set[str] = set()
    for text in given:
        label, found = _resolve(text, search)
        kept = [f for f in found if _is_new(f, search)]
        if not kept:
            continue
        is_file = label is None
        if is_file or len(given) > 1:
            top = _free_name(_safe_name(label or kept[0].inner[-1]), taken, has_suffix=is_file)
            taken.add(top)
        for one in kept:
            parts = (top,) if is_file else (top, *one.inner) if len(given) > 1 else one.inner
            facts = one.facts
            sources.append(
                SourceFile(Path(one.path), PurePosixPath(*parts), facts.st_size, facts.st_mtime_ns)
            )
            if settings.limit is not None and len(sources) >= settings.limit:
                return Discovery(tuple(sources), tuple(search.problems))
    return Discovery(tuple(sources), tuple(search.problems))


def _resolve(text: str, search: _Search) -> tuple[str | None, Iterator[_Found]]:
    """The input's own name (None for a single file) and the files it holds."""
    path = os.path.abspath(text)
    if not text:
        search.report(text, "an empty path was given")
        return None, iter(())
    if not os.path.lexists(path) and has_magic(text):
        root, pattern = split_pattern(path)
        return os.path.basename(root) or "root", _expand(text, root, pattern, search)
    try:
        facts = os.stat(path)
    except OSError as error:
        search.report(text, unreadable(text, error).message)
        return None, iter(())
    real = os.path.realpath(path)
    if search.is_in_output(real):
        search.report(text, f"{shown(text)}: lies in the output folder, which is left out")
        return None, iter(())
    if stat.S_ISDIR(facts.st_mode):
        return os.path.basename(path) or "root", _filtered(_walk(path, search), search)
    if not stat.S_ISREG(facts.st_mode):
        search.report(text, f"{shown(text)}: is {kind_of(facts.st_mode)}, not a regular file")
        return None, iter(())
    one = _Found(path, real, (os.path.basename(path),), facts)
    return None, (f for f in (one,) if _passes(f.inner, search.settings))


def _expand(text: str, root: str, pattern: tuple[str, ...], search: _Search) -> Iterator[_Found]:
    """The files a glob matches, or that lie in folders it matches.

    The extension filter stays on unless the pattern itself ends in an extension.
    """
    suffix = os.path.splitext(pattern[-1])[1]
    names_extension = len(suffix) > 1 and not has_magic(suffix)
    num_matches = 0
    for found in _walk(root, search) if os.path.isdir(root) else ():
        is_match = matches_path(found.inner, pattern)
        if not is_match and not any(
            matches_path(found.inner[:n], pattern) for n in range(1, len(found.inner))
        ):
            continue
        if not (is_match and names_extension) and not search.wants_extension(found.inner[-1]):
            continue
        num_matches += 1
        if _passes(found.inner, search.settings):
            yield found
    if not num_matches:
        search.report(text, f"{shown(text)}: matches no file")


def _filtered(walk: Iterator[_Found], search: _Search) -> Iterator[_Found]:
    return (f for f in walk if search.wants_extension(f.inner[-1]) and _passes(f.inner, search.settings))


def _passes(inner: tuple[str, ...], settings: InputSettings) -> bool:
    return is_included(inner, settings.include) and not is_excluded(inner, settings.exclude)


def _walk(root: str, search: _Search) -> Iterator[_Found]:
    """Every regular file under `root` that is not hidden, in natural order, links followed, loops cut."""
    seen_folders: set[str] = set()
    pending: list[_Item] = [(root, os.path.realpath(root), ())]
    while pending:
        item = pending.pop()
        if isinstance(item, _Found):
            yield item
            continue
        folder, real, inner = item
        if real in seen_folders or search.is_in_output(real):
            continue
        seen_folders.add(real)
        pending.extend(reversed(_list_folder(folder, real, inner, search)))


def _list_folder(folder: str, real: str, inner: tuple[str, ...], search: _Search) -> list[_Item]:
    """One folder's files and subfolders in natural order; what cannot be looked at becomes a problem."""
    try:
        with os.scandir(folder) as entries:
            visible = sorted(
                (e for e in entries if e.name[0] != "."), key=lambda e: (natural_key(e.name), e.name)
            )
    except OSError as error:
        search.report(folder, unreadable(folder, error).message)
        return []
    items: list[_Item] = []
    for entry in visible:
        below = (*inner, entry.name)
        try:
            facts = entry.stat()
            entry_real = (
                os.path.realpath(entry.path) if entry.is_symlink() else f"{real.rstrip('/')}/{entry.name}"
            )
        except OSError as error:
            if search.wants_extension(entry.name):
                search.report(entry.path, unreadable(entry.path, error).message)
            continue
        if stat.S_ISDIR(facts.st_mode):
            items.append((entry.path, entry_real, below))
        elif stat.S_ISREG(facts.st_mode) and not search.is_in_output(entry_real):
            items.append(_Found(entry.path, entry_real, below, facts))
    return items


def _is_new(found: _Found, search: _Search) -> bool:
    if found.real in search.seen_files:
        return False
    search.seen_files.add(found.real)
    return True


def _safe_name(name: str) -> str:
    """A first part under OUTPUT: never hidden, since OUTPUT keeps its own state in a hidden folder."""
    return name.lstrip(".") or "input"


def _free_name(name: str, taken: set[str], *, has_suffix: bool) -> str:
    """`name`, or `name~2`, `name~3` … when it is taken; a file keeps its extension at the end."""
    stem, suffix = os.path.splitext(name) if has_suffix else (name, "")
    candidate, count = name, 1
    while candidate in taken:
        count += 1
        candidate = f"{stem}~{count}{suffix}"
    return candidate
