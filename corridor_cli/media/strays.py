"""Timestamps that stand far from those around them: told from gaps and new beginnings by what follows.

A stray stamp taken as it stands would move all frames behind it, for time never goes back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import islice
from typing import Protocol, TypeVar

from corridor_cli.media.clock import Clock

# So many frames in a row may have stray timestamps. They are held, as pictures, until the next one is there.
MAX_STRAYS = 3


class Stamped(Protocol):
    """A decoded frame: its timestamp, or None, and how long it is shown, in ticks."""

    @property
    def pts(self) -> int | None: ...

    @property
    def duration(self) -> int: ...


StampedT = TypeVar("StampedT", bound=Stamped)


def placed(frames: Iterable[StampedT], clock: Clock) -> Iterator[tuple[StampedT, Fraction]]:
    """Each frame, in the order decoded, with its time.

    One that leaps ahead or back is kept until those after it show whether time goes on from there. Where it
    goes on from the frame before, the stamps between are left out of account, their frames placed evenly.
    """
    source = iter(frames)
    window = deque(islice(source, 1))
    while window:
        if clock.leaps(window[0].pts):
            window.extend(islice(source, MAX_STRAYS + 1 - len(window)))
            strays, following = _strays([frame.pts for frame in window], clock)
            for time in clock.place_strays(strays, following) if strays else ():
                yield window.popleft(), time
            if not strays and len(window) == 1:
                clock.doubt_end(window[0].pts)
        frame = window.popleft()
        yield frame, clock.place(frame.pts, frame.duration)
        if not window:
            window.extend(islice(source, 1))


def _strays(stamps: Sequence[int | None], clock: Clock) -> tuple[Sequence[int | None], int]:
    """Those at the front that are astray, and the first one that is not."""
    for num_strays, pts in enumerate(stamps):
        if num_strays and pts is not None and clock.goes_on(pts, num_strays):
            return stamps[:num_strays], pts
    return (), 0
