"""Cuts that were given."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple


class CutRow(NamedTuple):
    """A cut as its file has it, not understood yet, and the line it stands on (from 1).

    `unit` says what `text` is: a time, a frame counted from 0, or its number counted from 1. `timecode` is
    the same time in other words, where the line has both.
    """

    line: int
    text: str
    unit: Literal["time", "frame", "number"] = "time"
    timecode: str = ""


@dataclass(frozen=True, slots=True)
class CutSource:
    """Where the cuts of one video stand: the file, and a hash of what it says of this video.

    `rows` are its own where the file is about several videos; None where the file is about it alone.
    """

    path: str
    mark: str
    rows: tuple[CutRow, ...] | None = None


class Cut(NamedTuple):
    """Where a scene shall begin: a time, or else a frame. `place` says where in its file it stands."""

    place: str
    time: Fraction | None
    frame_index: int | None = None


@dataclass(frozen=True, slots=True)
class GivenCuts:
    """The cuts of one video as they were given, in any order, with the name of their file; `notes` is what
    its reader should be told."""

    name: str
    cuts: tuple[Cut, ...]
    notes: tuple[str, ...] = ()
