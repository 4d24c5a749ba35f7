"""Inputs given by the user → the list of source files, in natural order, each with its place under OUTPUT.

Looks at names and `stat` only: no file is opened, so FIFOs and sick disks cannot block it.
"""

# Plain strings, since a Path for each entry would dominate the time of a walk:
# ruff: noqa: PTH100, PTH112, PTH116, PTH119, PTH122

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from corridor_cli.media.patterns import has_magic, is_excluded, is_included, matches_path, split_pattern
from corridor_cli.media.readable import kind_of, unreadable
from corridor_cli.media.walk import Found, Walk, is_below
from corridor_cli.printable import printable
from corridor_cli.records import ErrorInfo
from corridor_cli.settings import InputSettings


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


def discover(inputs: Sequence[str | Path], settings: InputSettings, output: Path | None) -> Discovery:
    """Files, folders and globs → sources.

    One folder: paths relative to it. Several inputs: each folder's tree lies under its own name, files lie
    at the top; equal names get `~2`, `~3` … in the order given. Folder walks take `settings.extensions`; a
    file named itself is taken whatever it is called.
    """
    search = _Search(settings, None if output is None else os.path.realpath(output))
    has_several = len(inputs) > 1
    taken: set[str] = set()
    sources: list[SourceFile] = []
    for text in [os.fspath(one) for one in inputs]:
        label, found = search.resolve(text)
        kept = [file for file in found if search.is_new(file)]
        top: tuple[str, ...] = ()
        if kept and (has_several or label is None):
            top = (_free_name(_safe_name(label or kept[0].inner[-1]), taken, has_suffix=label is None),)
            taken.update(top)
        for file in kept:
            assert file.facts is not None
            relative = PurePosixPath(*top, *(file.inner if label is not None else ()))
            sources.append(SourceFile(Path(file.path), relative, file.facts.st_size, file.facts.st_mtime_ns))
    return Discovery(tuple(sources[: settings.limit]), tuple(search.problems))


@dataclass(slots=True)
class _Search:
    """What one call of `discover` has met so far. Real paths tell apart files reached in two ways."""

    settings: InputSettings
    output_real: str | None
    problems: list[InputProblem] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def resolve(self, text: str) -> tuple[str | None, Iterable[Found]]:
        """The input's own name (None for a single file) and the files it holds."""
        path = os.path.abspath(text)
        if not text:
            return self._refuse(text, "an empty path was given")
        if has_magic(text) and not os.path.lexists(path):
            root, pattern = split_pattern(path)
            return os.path.basename(root) or "root", self._expand(text, root, pattern)
        try:
            facts = os.stat(path)
        except OSError as error:
            return self._refuse(text, unreadable(text, error).message)
        real = os.path.realpath(path)
        if is_below(real, self.output_real):
            return self._refuse(text, f"{printable(text)}: lies in the output folder, which is left out")
        if stat.S_ISDIR(facts.st_mode):
            files = (f for f in self._walk(path) if self._wants_extension(f.inner[-1]))
            return os.path.basename(path) or "root", filter(self._passes, files)
        if not stat.S_ISREG(facts.st_mode):
            return self._refuse(text, f"{printable(text)}: is {kind_of(facts.st_mode)}, not a regular file")
        return None, filter(self._passes, [Found(path, real, (os.path.basename(path),), facts)])

    def is_new(self, file: Found) -> bool:
        """Whether this file can be taken and was not met before; what cannot be taken is reported."""
        if file.facts is None:
            self._report(file.path, file.problem)
            return False
        if file.real in self._seen:
            return False
        self._seen.add(file.real)
        return True

    def _expand(self, text: str, root: str, pattern: tuple[str, ...]) -> Iterator[Found]:
        """The files a glob matches, or that lie in folders it matches.

        The extension filter stays on unless the pattern itself ends in an extension.
        """
        suffix = os.path.splitext(pattern[-1])[1]
        names_extension = len(suffix) > 1 and not has_magic(suffix)
        num_matches = 0
        for file in self._walk(root) if os.path.isdir(root) else ():
            inner = file.inner
            is_match = matches_path(inner, pattern)
            if not is_match and not any(matches_path(inner[:n], pattern) for n in range(1, len(inner))):
                continue
            if not (is_match and names_extension) and not self._wants_extension(inner[-1]):
                continue
            num_matches += 1
            if self._passes(file):
                yield file
        if not num_matches:
            self._report(text, f"{printable(text)}: matches no file")

    def _walk(self, root: str) -> list[Found]:
        walk = Walk(self.output_real)
        files = walk.files(root)
        for path, message in walk.problems:
            self._report(path, message)
        return files

    def _wants_extension(self, name: str) -> bool:
        extension = os.path.splitext(name)[1][1:].lower()
        return any(extension == e.lower().lstrip(".") for e in self.settings.extensions)

    def _passes(self, file: Found) -> bool:
        settings = self.settings
        return is_included(file.inner, settings.include) and not is_excluded(file.inner, settings.exclude)

    def _refuse(self, text: str, message: str) -> tuple[None, tuple[Found, ...]]:
        self._report(text, message)
        return None, ()

    def _report(self, path: str, message: str) -> None:
        self.problems.append(InputProblem(path, ErrorInfo("discover", "UnreadableError", message)))


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
