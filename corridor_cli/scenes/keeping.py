"""Which pictures a scan keeps for picks that may be taken of them; of all others the planes are enough.

A decoder writes each picture into memory that another one has left. As long as that is the one just before,
it lies in the processor's caches; with each picture that is held it is longer ago. So most are let go at
once, before the next one but one is decoded.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

from corridor_cli.scenes.gaps import is_closer

if TYPE_CHECKING:
    from corridor_cli.records import ScanFrame

# A pick lies at most so far from where it is wanted. The first one of a scene lies there exactly where the
# encoder saw the scene begin. Less than half of what a scene lasts, which then has a picture, and than a
# detector waits to tell a cut from a flash: a picture behind a cut is there when it is told.
KEEP_SECONDS = Fraction(12, 100)


class Keeper(Protocol):
    """Is asked about each frame, in order, as soon as the next one is decoded; not about the last."""

    def keeps(self, frame: ScanFrame, until: Fraction) -> bool:
        """Whether the frame's picture is still needed once its planes are made. It is shown `until` then."""
        ...


class AllPictures:
    """Keeps them all: for detectors that look at pictures, and scenes that may be of a single frame."""

    def keeps(self, frame: ScanFrame, until: Fraction) -> bool:
        """See `Keeper.keeps`."""
        return True


class SparsePictures:
    """Keeps one every `KEEP_SECONDS`, and each that is shown as long; where an encoder set an intra picture,
    as where a scene begins, that one, and the one that is `inset` behind it."""

    def __init__(self, inset: Fraction) -> None:
        self._inset = inset
        self._kept: Fraction | None = None
        self._was_intra = False
        self._wanted_from: deque[Fraction] = deque()

    def keeps(self, frame: ScanFrame, until: Fraction) -> bool:
        """See `Keeper.keeps`."""
        time, is_intra = frame.time, frame.is_intra
        # In a file of nothing but intra pictures they tell nothing.
        may_begin = is_intra and not self._was_intra
        self._was_intra = is_intra
        if may_begin or self._kept is None:
            self._wanted_from.append(time + self._inset)
        is_due = self._kept is None or not is_closer(self._kept, time, KEEP_SECONDS)
        is_kept = may_begin or is_due or not is_closer(time, until, KEEP_SECONDS)
        while self._wanted_from and self._wanted_from[0] <= time:
            self._wanted_from.popleft()
            is_kept = True
        if is_kept:
            self._kept = time
        return is_kept
