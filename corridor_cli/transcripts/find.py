"""Which file says what is said in which video.

`film.srt`, `film.vtt` or `film.json` belongs to `film.mp4`, and so does `film.en.srt`. `film.mp4.srt` is what
`vlmtl export` calls the captions of `film.mp4`: it is never taken for what somebody said.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path, PurePosixPath

from corridor_cli.errors import ConfigError, TranscriptError
from corridor_cli.printable import printable
from corridor_cli.settings import VIDEO_EXTENSIONS

SUFFIXES = (".srt", ".vtt", ".json")
BESIDE = "beside"
MAX_BYTES = 64 * 1024 * 1024

# `film.mov.srt` is the export of `film.mov`: what videos end in is no language.
_OF_VIDEOS = frozenset(f".{extension}" for extension in VIDEO_EXTENSIONS)
_LANGUAGE = re.compile(r"\.[a-z]{2,3}([-_][a-z0-9]{2,8})*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TranscriptSource:
    """Where a transcript stands. `mark` tells one content from another."""

    path: Path
    mark: str


class TranscriptFiles:
    """The transcripts that `caption.transcripts` names: beside the videos, or in a folder.

    Raises `ConfigError` where that is no folder.
    """

    def __init__(self, where: str) -> None:
        self._folder = None if where == BESIDE else Path(where)
        self._names: dict[Path, list[str]] = {}
        if self._folder is not None and not self._folder.is_dir():
            raise ConfigError(
                f"caption.transcripts: got {printable(where)}, which is no folder, allowed: beside, or a "
                "folder with transcripts",
                hint="beside takes film.srt, film.en.vtt or film.json next to film.mp4.",
            )

    def of(self, video: Path, relative: str) -> TranscriptSource | None:
        """The transcript of a video, None where it has none. Raises `TranscriptError` for one that cannot be
        read.

        A plain name goes before one with a language, and of several languages the first by the alphabet is
        taken. In a folder it stands at the video's place under the input, or at the top.
        """
        stem = PurePosixPath(relative).stem
        folders = [video.parent]
        if self._folder is not None:
            folders = list(dict.fromkeys([self._folder / PurePosixPath(relative).parent, self._folder]))
        for folder in folders:
            if found := self._choose(folder, video.stem if self._folder is None else stem):
                path = folder / found
                return TranscriptSource(path, mark_of(read_bytes(path)))
        return None

    def _choose(self, folder: Path, stem: str) -> str | None:
        found: list[tuple[bool, str, int, str]] = []
        for name in self._listed(folder):
            root, suffix = os.path.splitext(name)  # noqa: PTH122  a Path for each name of a folder is slow
            language = root[len(stem) :]
            if suffix.lower() in SUFFIXES and root.startswith(stem):
                if language and (language.lower() in _OF_VIDEOS or not _LANGUAGE.fullmatch(language)):
                    continue
                rank = (bool(language), language.lower(), SUFFIXES.index(suffix.lower()))
                found.append((*rank, name))
        return min(found)[-1] if found else None

    def _listed(self, folder: Path) -> list[str]:
        """The names in a folder that may be transcripts, read once; none where it cannot be listed."""
        if folder not in self._names:
            try:
                names = sorted(os.listdir(folder))  # noqa: PTH208
            except OSError:
                names = []
            self._names[folder] = [name for name in names if name.lower().endswith(SUFFIXES)]
        return self._names[folder]


def mark_of(data: bytes) -> str:
    """What tells one content from another: 32 hex digits."""
    return blake2b(data, digest_size=16).hexdigest()


def read_bytes(path: Path) -> bytes:
    """All of a regular file of up to 64 MiB. Raises `TranscriptError`."""
    name = printable(path)
    try:
        # O_NONBLOCK: opening a FIFO would wait until somebody writes to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise TranscriptError(
                    f"{name}: is no regular file", hint="Remove it, or name another folder."
                )
            # closefd: given a folder, fdopen would raise and leave the descriptor open.
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                data = file.read(MAX_BYTES + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise TranscriptError(f"{name}: cannot be read ({reason})", hint="Check the path.") from error
    if len(data) > MAX_BYTES:
        raise TranscriptError(
            f"{name}: is larger than {MAX_BYTES // 2**20} MiB", hint="Is it the right file?"
        )
    return data
