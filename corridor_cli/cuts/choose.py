"""Which file of cuts belongs to which video: one file for one or for many, or a folder with one for each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path, PurePosixPath

from corridor_cli.cuts import otio_file
from corridor_cli.cuts.files import SUFFIXES, as_text, format_of, mark_of, read_bytes
from corridor_cli.cuts.table import CutTable, read_table
from corridor_cli.errors import ConfigError, CutFileError
from corridor_cli.printable import encodable, printable
from corridor_cli.records import CutRow, CutSource

_MAX_NAMED = 3


@dataclass(frozen=True, slots=True)
class VideoNames:
    """The names of a video: where it is, where its results go, and how they are called there."""

    path: Path
    relative: str
    output: str


class CutFiles:
    """The files of cuts that `scenes.cuts` names, for the videos of a run.

    Raises `ConfigError` for what can be right for no video, before any work.
    """

    def __init__(self, cuts: Path, videos: Sequence[VideoNames]) -> None:
        self._found: dict[Path, Path | CutSource | CutFileError] = {}
        if os.path.isdir(cuts):  # noqa: PTH112  a Path raises for a folder that may not be looked into
            self._choose_in_folder(cuts, videos)
        else:
            self._take_file(cuts, videos)
        files = (found for found in self._found.values() if isinstance(found, Path))
        if any(format_of(path) == ".otio" for path in files) and not otio_file.has_library():
            raise ConfigError(f"scenes.cuts: {otio_file.MISSING}", hint=otio_file.MISSING_HINT)

    def of(self, video: Path) -> CutSource:
        """Where the cuts of a video stand. Raises `CutFileError` where there are none, or too many."""
        found = self._found[video]
        if isinstance(found, CutFileError):
            raise found
        return (
            found
            if isinstance(found, CutSource)
            else CutSource(str(found), mark_of(found, read_bytes(found)))
        )

    # --- a folder ---

    def _choose_in_folder(self, folder: Path, videos: Sequence[VideoNames]) -> None:
        chosen: dict[Path, list[VideoNames]] = {}
        listing = _Listing(folder)
        for video in videos:
            names = _names_in_folder(video)
            found = listing.files(names, len(PurePosixPath(video.relative).stem))
            self._found[video.path] = found[0] if len(found) == 1 else _not_one(folder, names, found)
            for path in found:
                chosen.setdefault(path, []).append(video)
        for path, claimants in chosen.items():
            if len(claimants) > 1:
                listed = _listed([video.relative for video in claimants])
                for video in claimants:
                    if self._found[video.path] != path:
                        continue  # it has another one as well, which is told
                    name = f"{printable(video.relative)}{path.suffix}"
                    self._found[video.path] = CutFileError(
                        f"{printable(path)}: could be about any of {listed}",
                        hint=f"Name it with the extension of its video: {name}.",
                    )

    # --- one file ---

    def _take_file(self, path: Path, videos: Sequence[VideoNames]) -> None:
        if not os.path.lexists(path):
            raise ConfigError(
                f"scenes.cuts is {printable(path)}, which does not exist, allowed: a file or folder of cuts",
                hint="`vlmtl scenes INPUT --csv FOLDER` writes such a folder.",
            )
        table = _table_of_many(path)
        if table is not None:
            self._share_out(path, table, videos)
        elif len(videos) > 1:
            raise ConfigError(
                f"scenes.cuts is {printable(path)}, which says nothing of which video it is about, and there "
                f"are {len(videos)} videos, allowed: a folder, or a CSV file with the column path",
                hint="`vlmtl scenes INPUT --csv FOLDER` writes such a folder, --csv FILE.csv such a file.",
            )
        else:
            self._found = {video.path: path for video in videos}

    def _share_out(self, path: Path, table: CutTable, videos: Sequence[VideoNames]) -> None:
        rows_of: dict[str, list[CutRow]] = {}
        assert table.paths is not None, "rows of several videos name them"
        for video_path, row in zip(table.paths, table.rows, strict=True):
            rows_of.setdefault(video_path, []).append(row)
        spellings: dict[str, set[str]] = {}
        for text in rows_of:
            for form in (text, os.path.normpath(text), encodable(os.path.abspath(text))):  # noqa: PTH100
                spellings.setdefault(form, set()).add(text)
        for video in videos:
            own = spellings.get(encodable(str(video.path)), set()) | spellings.get(
                encodable(video.relative), set()
            )
            if len(own) == 1:
                rows = tuple(rows_of[own.pop()])
                self._found[video.path] = CutSource(str(path), _mark_of_rows(rows), rows)
            else:
                problem = f"names it as {_listed(sorted(own))}" if own else "has no row about this video"
                self._found[video.path] = CutFileError(
                    f"{printable(path)}: {problem}", hint=f"Its path is {printable(video.path)}."
                )


class _Listing:
    """The files below a folder, found by names whose endings may be in capitals: `A.MP4.CSV`, `a.EDL`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, dict[str, list[str]]] = {}

    def files(self, names: Sequence[str], num_exact: int) -> list[Path]:
        """The files called like one of the names, which are relative, in their order, then by letters.

        The first `num_exact` letters must be as they are written: `a.mp4` and `A.mp4` are two videos.
        """
        found: list[Path] = []
        for name in names:
            parent, _, last = name.rpartition("/")
            for there in self._spellings(parent).get(last.lower(), [last]):
                path = self._root / parent / there
                if there[:num_exact] == last[:num_exact] and os.path.isfile(path):  # noqa: PTH113
                    found.append(path)
        return list(dict.fromkeys(found))

    def _spellings(self, parent: str) -> dict[str, list[str]]:
        """The names in a folder by their small letters; nothing where it cannot be listed."""
        if parent not in self._known:
            known: dict[str, list[str]] = {}
            try:
                for name in sorted(os.listdir(self._root / parent)):  # noqa: PTH208
                    known.setdefault(name.lower(), []).append(name)
            except OSError:  # not there, or it may be looked into and not listed
                known = {}
            self._known[parent] = known
        return self._known[parent]


def _names_in_folder(video: VideoNames) -> list[str]:
    """Ours, the video's own name, with and without its extension, and what PySceneDetect calls its list."""
    stem = str(PurePosixPath(video.relative).with_suffix(""))
    plain = [f"{name}{suffix}" for name in (video.relative, stem) for suffix in SUFFIXES]
    return list(dict.fromkeys([f"{video.output}.scenes.csv", *plain, f"{stem}-Scenes.csv"]))


def _not_one(folder: Path, names: Sequence[str], found: Sequence[Path]) -> CutFileError:
    if found:
        return CutFileError(
            f"{printable(folder)}: has several files of cuts for it: "
            f"{_listed([path.name for path in found])}",
            hint="Keep one.",
        )
    return CutFileError(
        f"{printable(folder)}: has no file of cuts for it, allowed: {printable(names[0])} or "
        f"{printable(names[1])}, .edl or .otio",
        hint="`vlmtl scenes INPUT --csv FOLDER` writes them.",
    )


def _table_of_many(path: Path) -> CutTable | None:
    """The table of a CSV file that names its videos; None where the file is about one."""
    if format_of(path) != ".csv":
        return None
    try:
        table = read_table(as_text(read_bytes(path), printable(path)), printable(path))
    except CutFileError as error:
        raise ConfigError(f"scenes.cuts: {error.message}", hint=error.hint) from error
    return None if table.paths is None else table


def _mark_of_rows(rows: Sequence[CutRow]) -> str:
    """A hash of what they say; not of their lines, which move with the rows of other videos."""
    told = "\n".join(f"{row.unit}\t{row.text}\t{row.timecode}" for row in rows)
    return blake2b(told.encode("utf-8"), digest_size=16).hexdigest()


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(printable(name) for name in names[:_MAX_NAMED])
    return f"{shown} and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else shown
