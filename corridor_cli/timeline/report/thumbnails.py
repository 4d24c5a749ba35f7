"""Small pictures inside a page, as data URIs: as large as the room for all of them allows."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from corridor_cli.small_files import SmallFileError, read_small_file

MAX_PAGE_BYTES = 6 * 1024 * 1024
"""What the pictures of one page may come to: an address of 500 scenes stays easy to send and to open."""
MAX_PICTURE_BYTES = 64 * 1024 * 1024
MAX_PICTURE_PIXELS = 128 * 1024 * 1024

# Longer side in pixels and WebP quality, from what looks best to what still tells one scene from another.
_SIZES = ((288, 72), (224, 66), (160, 55), (112, 40))
_POSTER = (128, 60)
_PREFIX = "data:image/webp;base64,"
_TRIED = 12


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture as a data URI, with its size."""

    uri: str
    width_px: int
    height_px: int


def thumbnails(pictures: dict[str, bytes]) -> dict[str, Thumbnail]:
    """The JPEGs by scene id as thumbnails, in one size, at most `MAX_PAGE_BYTES` in all.

    What is no picture is left out, and the last ones where they are too many even in the smallest size.
    """
    size, quality = _SIZES[-1]
    sampled = _spread(list(pictures.values()), _TRIED)
    for size, quality in _SIZES:
        sizes = [len(made.uri) for each in sampled if (made := _thumbnail(each, size, quality))]
        # A fifth is kept in hand: the others may be richer than those that were tried.
        if sum(sizes) / max(1, len(sizes)) * len(pictures) <= 0.8 * MAX_PAGE_BYTES:
            break
    return dict(_within(pictures, size, quality))


def poster(picture: bytes) -> Thumbnail | None:
    """One picture for the library page; None where it is none."""
    return _thumbnail(picture, *_POSTER)


def read_picture(path: Path) -> bytes | None:
    """A saved picture; None where there is none that may be read. No link is followed."""
    try:
        return read_small_file(path, MAX_PICTURE_BYTES, follows_link=False)
    except SmallFileError:
        return None


def _within(pictures: dict[str, bytes], size: int, quality: int) -> Iterator[tuple[str, Thumbnail]]:
    room = MAX_PAGE_BYTES
    for name, encoded in pictures.items():
        made = _thumbnail(encoded, size, quality)
        if made is None:
            continue
        room -= len(made.uri)
        if room < 0:
            return
        yield name, made


def _spread(items: list[bytes], count: int) -> list[bytes]:
    """At most `count` of the items, from everywhere among them."""
    return items[:: max(1, -(-len(items) // count))]


def _thumbnail(encoded: bytes, size_px: int, quality: int) -> Thumbnail | None:
    try:
        with Image.open(io.BytesIO(encoded), formats=("JPEG",)) as picture:
            if picture.width * picture.height > MAX_PICTURE_PIXELS:
                return None
            # Decoded no larger than it takes, which for pictures of full size is most of the time.
            picture.draft("RGB", (size_px, size_px))
            small = picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    small.thumbnail((size_px, size_px), Image.Resampling.BICUBIC, reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=quality, method=2)
    return Thumbnail(_PREFIX + b64encode(buffer.getvalue()).decode("ascii"), small.width, small.height)
