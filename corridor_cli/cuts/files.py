"""A file of cuts as bytes and as text, whoever made it: bounded, never blocking, and no surprise in it."""

from __future__ import annotations

import codecs
from hashlib import blake2b
from pathlib import Path

from corridor_cli.errors import CutFileError
from corridor_cli.printable import printable
from corridor_cli.small_files import SmallFileError, read_small_file

SUFFIXES = (".csv", ".edl", ".otio")
"""Of files of cuts. One that ends in none of them is read as CSV."""

MAX_BYTES = 64 * 1024 * 1024
MAX_CUTS = 100_000
"""Of one video: a worker that understands a million of them says nothing for so long that it looks stuck."""

_HINT = "Save it as plain UTF-8 text."


def read_bytes(path: Path) -> bytes:
    """All of a regular file of 1 byte to 64 MiB. Raises `CutFileError`."""
    name = printable(path)
    try:
        data = read_small_file(path, MAX_BYTES)
    except SmallFileError as error:
        raise CutFileError(f"{name}: {error}", hint=error.hint) from error
    if not data.strip():
        raise CutFileError(
            f"{name}: is empty, allowed: at least one cut", hint="For a video of one scene write 0."
        )
    return data


def format_of(path: Path) -> str:
    """What the file is read as, by its name: one of `SUFFIXES`."""
    suffix = path.suffix.lower()
    return suffix if suffix in SUFFIXES else ".csv"


def mark_of(path: Path, data: bytes) -> str:
    """What tells one content from another: 32 hex digits. The same bytes say something else in another
    format: a list that failed under the wrong name is another one under the right name."""
    told_apart = b"" if format_of(path) == ".csv" else format_of(path).encode("ascii")
    return blake2b(data, digest_size=16, person=told_apart).hexdigest()


def as_text(data: bytes, name: str) -> str:
    """The bytes as UTF-8 text, without a byte order mark. Raises `CutFileError`."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise CutFileError(f"{name}: is UTF-16, allowed: UTF-8", hint=_HINT)
    data = data.removeprefix(codecs.BOM_UTF8)
    at = data.find(b"\0")
    if at >= 0:
        raise CutFileError(f"{name}:{_line(data, at)}: holds a zero byte, so it is no text", hint=_HINT)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CutFileError(f"{name}:{_line(data, error.start)}: is not UTF-8 text", hint=_HINT) from None


def _line(data: bytes, at: int) -> int:
    return data.count(b"\n", 0, at) + 1
