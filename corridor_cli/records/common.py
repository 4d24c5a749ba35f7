"""What all records share: roles, errors as data, pixels."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]


class Role(StrEnum):
    """Why a pick was taken, in the order the timeline lists them."""

    FIRST = "first"
    REPRESENTATIVE = "representative"
    LAST = "last"


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """An error as data: where it arose, its name in `errors.py` (or the foreign type), and what it says."""

    stage: str
    type: str
    message: str


class Planes(NamedTuple):
    """Y, U and V of a small picture, in limited range; the colours at half the size, rounded up.

    uint8 `y` (h, w), `u` and `v` ((h + 1) // 2, (w + 1) // 2).
    """

    y: Pixels
    u: Pixels
    v: Pixels


class FrameRef(NamedTuple):
    """Where a picture lies in shared memory: uint8 RGB, height × width × 3, from the start of its slot."""

    slot: int
    width_px: int
    height_px: int
