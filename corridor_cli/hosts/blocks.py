"""Frames taken several at once: what is done for each of them then costs half (see `scenes.looks`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from corridor_cli.errors import MediaError
from corridor_cli.records import ScanFrame

T = TypeVar("T")

# Of small pictures sixteen cost a little less than eight: decoding was 0.69 of a scan at 720p, against 0.67.
# Each holds a decoded picture, and of larger ones four do as well as six.
MAX_TOGETHER = 16
TOGETHER_BYTES = 18 * 2**20
LARGE_BYTES, LARGE_TOGETHER_BYTES = 2 * 2**20, 13 * 2**20


def num_together(width_px: int, height_px: int) -> int:
    """How many decoded pictures of this size may be held at once, at 1.5 bytes a pixel."""
    picture_bytes = max(1, 3 * width_px * height_px // 2)
    room = TOGETHER_BYTES if picture_bytes <= LARGE_BYTES else LARGE_TOGETHER_BYTES
    return max(1, min(MAX_TOGETHER, room // picture_bytes))


def in_blocks(items: Iterator[T], size: int) -> Iterator[list[T]]:
    """The same items in lists of `size`, the last one shorter. A `MediaError` of `items` comes after what
    there was before it."""
    block: list[T] = []
    problem: MediaError | None = None
    try:
        for item in items:
            block.append(item)
            if len(block) == size:
                yield block
                block = []
    except MediaError as error:
        problem = error
    if block:
        yield block
    if problem is not None:
        raise problem


def converted(blocks: Iterator[list[ScanFrame]]) -> Iterator[list[ScanFrame]]:
    """The same blocks with the planes of all frames made. A picture that cannot be converted does not cost
    those before it: they come as a shorter block, then the `MediaError`."""
    for block in blocks:
        for number, frame in enumerate(block):
            try:
                _ = frame.planes
            except MediaError as error:
                if number:
                    yield block[:number]
                error.at = frame.time
                raise
        yield block
