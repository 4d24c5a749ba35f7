"""What a detector is: frames in presentation order go in, boundaries come out a few frames later."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from corridor_cli.records import Boundary, ScanFrame
    from corridor_cli.scenes.thumbs import Thumb


@dataclass(frozen=True, slots=True)
class SceneStart:
    """The first frame of a scene, and what opened it."""

    frame_index: int
    time: Fraction
    boundary: Boundary


class Look(NamedTuple):
    """One frame as the detectors see it: how much it differs from the frame before it in this scan, in
    levels (see `looks.change_scores`), and the thumb of its planes: the very array of the frame before
    where its picture is repeated.

    `frame` has the whole picture, None where that has been let go; converting it is the dear part of a scan,
    so only few detectors do. A tuple, as one is made of every frame: a frozen dataclass takes three times as
    long.
    """

    frame_index: int
    time: Fraction
    change: float
    thumb: Thumb
    frame: ScanFrame | None


class Detector(Protocol):
    """Finds boundaries in one pass; keeps a bounded number of frames' thumbs."""

    @property
    def settled(self) -> int:
        """Frames before this index will not be reported any more."""
        ...

    def push(self, look: Look) -> list[SceneStart]:
        """The boundaries which this frame decides, ascending; most lie a few frames back."""
        ...

    def finish(self) -> list[SceneStart]:
        """The boundaries still open when the frames end."""
        ...


def exact_seconds(seconds: float) -> Fraction:
    """A setting as the decimal its user wrote: 0.1 is 1/10."""
    return Fraction(str(seconds))
