"""Where a file keeps its lengths, its picture sizes and its times: the bytes worth lying in.

Found by walking MP4 boxes, EBML elements, RIFF chunks, FLV tags, PES and TS packets; nothing here needs the
file to be good, for a mutant may be mutated again.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from torture.originals import HEIGHT_PX, WIDTH_PX


class Field(NamedTuple):
    """A number of `size` bytes at `offset`. `is_vint`: EBML's coding, whose first bits say how long it is."""

    offset: int
    size: int
    is_big_endian: bool = True
    is_vint: bool = False


_BOXES_OF_BOXES = frozenset(
    (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf", b"dinf", b"udta", b"mvex")
)
# (box, bytes behind its name, bytes of the field): counts and offsets in tables, sizes, times.
_BOX_TIMES = (
    (b"mvhd", (16, 20), 4), (b"mdhd", (16, 20), 4), (b"tkhd", (24,), 4), (b"elst", (8, 12, 16), 4),
    (b"stts", (4, 8, 12), 4), (b"ctts", (4, 8, 12, 20), 4), (b"tfdt", (4, 8), 4), (b"trun", (4, 8, 12), 4),
    (b"tfhd", (4, 8, 12), 4), (b"sidx", (8, 12), 4),
)  # fmt: skip
_BOX_COUNTS = ((b"stsz", (4, 8, 12), 4), (b"stsc", (4, 8, 12), 4), (b"stco", (4, 8), 4), (b"stss", (4, 8), 4),
               (b"stsd", (4, 8), 4), (b"trun", (4,), 4))  # fmt: skip
_MASTERS = frozenset(
    (0x1A45DFA3, 0x18538067, 0x1F43B675, 0x1654AE6B, 0x1549A966, 0x1254C367, 0x1C53BB6B, 0x114D9B74, 0xAE)
) | {0xE0, 0xE1, 0xBB, 0xB7, 0x4DBB, 0xA0, 0x7373, 0x67C8}
_EBML_TIMES = frozenset((0xE7, 0x2AD7B1, 0x4489, 0x23E383, 0x9B, 0xB3))
_EBML_SIZES = frozenset((0xB0, 0xBA, 0x54B0, 0x54BA, 0x54AA, 0x54BB))
_PES = re.compile(rb"\x00\x00\x01[\xbd\xc0-\xef]")


def length_fields(data: bytes) -> list[Field]:
    """Lengths of boxes, elements, chunks, tags and packets, and the counts in MP4 sample tables."""
    found = [*_boxes(data), *(field for _, field, _ in _elements(data)), *_chunks(data), *_tags(data)]
    found += _fields_behind(data, _BOX_COUNTS)
    found += [Field(match.end(), 2) for match in _PES.finditer(data)]
    if data[:1] == b"\x47":
        found += [Field(at + 4, 1) for at in range(0, len(data) - 8, 188)]
    return [field for field in found if field.offset + field.size <= len(data)]


def picture_size_fields(data: bytes) -> list[Field]:
    """Every place that holds the drawn width or height in one of the codings headers use."""
    found = [
        Field(start, size) for id_, _, (start, size) in _elements(data) if id_ in _EBML_SIZES and size <= 8
    ]
    for number in (WIDTH_PX, HEIGHT_PX):
        for coding in (">H", "<H", ">I", "<I", ">d"):
            pattern = re.escape(struct.pack(coding, number))
            size, is_big = struct.calcsize(coding), coding[0] == ">"
            found += [Field(match.start(), size, is_big) for match in re.finditer(pattern, data)]
    # MPEG-2's sequence header: twelve bits each. VP8's and VP9's frame headers hold them as <H or in bits.
    sequence = re.compile(rb"\x00\x00\x01\xb3")
    found += [Field(match.end(), 3) for match in sequence.finditer(data)]
    # H.264 and HEVC parameter sets, behind a start code or the length before them.
    sets = re.compile(rb"\x00[\x67\x27\x42]")
    found += [Field(match.end() + 2, 4) for match in sets.finditer(data)]
    return [field for field in found if field.offset + field.size <= len(data)]


def time_fields(data: bytes) -> list[Field]:
    """Timestamps, durations, rates and time bases."""
    found = _fields_behind(data, _BOX_TIMES)
    found += [
        Field(start, size) for id_, _, (start, size) in _elements(data) if id_ in _EBML_TIMES and size <= 8
    ]
    # (Simple)Blocks: their time, 16 bits behind the track number.
    found += [Field(start + 1, 2) for id_, _, (start, _) in _elements(data) if id_ in (0xA3, 0xA1)]
    found += [Field(match.start() + 9, 5) for match in _PES.finditer(data)]
    if data[:4] == b"RIFF":
        for name in (b"avih", b"strh"):
            start = data.find(name)
            found += [Field(start + 8 + skip, 4, False) for skip in (0, 16, 20, 24, 28, 32) if start >= 0]
    found += [Field(field.offset + 3, 4) for field in _tags(data)]
    return [field for field in found if field.offset + field.size <= len(data)]


def _boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Field]:
    """The length of every MP4 box."""
    end = len(data) if end is None else min(end, len(data))
    while start + 8 <= end and data[start + 4 : start + 8].isalnum():
        length, name = int.from_bytes(data[start : start + 4], "big"), data[start + 4 : start + 8]
        yield Field(start, 4)
        if name in _BOXES_OF_BOXES:
            yield from _boxes(data, start + 8, start + length)
        if length < 8:
            return
        start += length


def _fields_behind(data: bytes, boxes: tuple[tuple[bytes, tuple[int, ...], int], ...]) -> list[Field]:
    return [
        Field(match.end() + skip, size)
        for name, skips, size in boxes
        for match in re.finditer(name, data)
        for skip in skips
    ]


def _elements(
    data: bytes, start: int = 0, end: int | None = None
) -> Iterator[tuple[int, Field, tuple[int, int]]]:
    """(id, its length's field, (offset, size) of its content) of every EBML element."""
    if start == 0 and data[:4] != b"\x1a\x45\xdf\xa3":
        return
    end = len(data) if end is None else min(end, len(data))
    while start < end and data[start]:
        id_size = 9 - data[start].bit_length()
        at = start + id_size
        if id_size > 4 or at >= end or not data[at]:
            return
        length_size = 9 - data[at].bit_length()
        length = int.from_bytes(data[at : at + length_size], "big") & ((1 << 7 * length_size) - 1)
        is_open = length == (1 << 7 * length_size) - 1
        id_, content = int.from_bytes(data[start:at], "big"), at + length_size
        length = end - content if is_open else length
        yield id_, Field(at, length_size, is_vint=True), (content, min(length, max(0, end - content)))
        if id_ in _MASTERS:
            yield from _elements(data, content, content + length)
        start = content + length


def _chunks(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Field]:
    """The length of every RIFF chunk."""
    if start == 0 and data[:4] != b"RIFF":
        return
    end = len(data) if end is None else min(end, len(data))
    while start + 8 <= end:
        length = int.from_bytes(data[start + 4 : start + 8], "little")
        yield Field(start + 4, 4, is_big_endian=False)
        if data[start : start + 4] in (b"RIFF", b"LIST"):
            yield from _chunks(data, start + 12, start + 8 + length)
        start += 8 + length + length % 2


def _tags(data: bytes) -> list[Field]:
    """The length of every FLV tag."""
    found, start = [], 13
    while data[:3] == b"FLV" and start + 11 <= len(data):
        found.append(Field(start + 1, 3))
        start += 15 + int.from_bytes(data[start + 1 : start + 4], "big")
    return found
