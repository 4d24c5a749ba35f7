"""What is found in a video: scenes, transitions, picks, scores."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple

from corridor_cli.records.common import Role

Boundary = Literal["start", "cut", "transition", "split", "file"]


@dataclass(frozen=True, slots=True)
class Transition:
    """A gradual change between scenes, or into and out of black."""

    kind: Literal["fade", "dissolve"]
    start: Fraction
    end: Fraction


@dataclass(frozen=True, slots=True)
class Scene:
    """The run of frames between two boundaries; `boundary` says what opened it."""

    index: int
    start: Fraction
    end: Fraction
    start_frame: int
    end_frame: int
    boundary: Boundary


@dataclass(frozen=True, slots=True)
class Pick:
    """A frame chosen to stand for its scene.

    `duplicate_of` names the role of the same scene whose caption this pick shares. `rgb_crc32` is the
    checksum of its full-size RGB bytes: another decoder's picture is used only when it has the same one.
    """

    role: Role
    frame_index: int
    time: Fraction
    selection_reason: str
    duplicate_of: Role | None
    rgb_crc32: int


class FrameScore(NamedTuple):
    """What was measured for one frame: the detector's score and what it had to reach to be a cut, both in the
    detector's own unit; `score` is None for the first frame.

    `transition` says how far the frames up to this one are from being a blend of two pictures (0 is one);
    None where nothing changes gradually, or where nobody looked.
    """

    frame_index: int
    time: Fraction
    score: float | None
    threshold: float
    transition: float | None
