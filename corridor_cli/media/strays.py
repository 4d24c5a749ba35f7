"""Timestamps that stand far from those around them: told from gaps and new beginnings by what follows.

A stray stamp taken as it stands would move all frames behind it, for time never goes back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import islice
from typing import Protocol, TypeVar

from corridor_cli.errors import MediaError
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
    for frame in source:
        if clock.leaps(frame.pts):
            window = deque([frame])
            del frame  # its picture is let go with the window's
            yield from _placed_together(window, source, clock)
        else:
            yield frame, clock.place(frame.pts, frame.duration)


def _placed_together(
    window: deque[StampedT], source: Iterator[StampedT], clock: Clock
) -> Iterator[tuple[StampedT, Fraction]]:
    """The frames of the window, the first of which leaps, and as many behind them as it takes to tell why."""
    problem: MediaError | None = None
    while window:
        if clock.leaps(window[0].pts) and problem is None:
            problem = _fill(window, source)
            strays, following = _strays([frame.pts for frame in window], clock)
            for time in clock.place_strays(strays, following) if strays else ():
                yield window.popleft(), time
        frame = window.popleft()
        yield frame, clock.place(frame.pts, frame.duration)
    if problem is not None:
        raise problem


def _fill(window: deque[StampedT], source: Iterator[StampedT]) -> MediaError | None:
    """Take as many frames as it needs. Returns the error that ends them, for some are still held."""
    try:
        window.extend(islice(source, max(MAX_STRAYS + 1 - len(window), 0)))
    except MediaError as error:
        return error
    return None


def _strays(stamps: Sequence[int | None], clock: Clock) -> tuple[Sequence[int | None], int]:
    """Those at the front that are astray, and the first one that is not."""
    for num_strays, pts in enumerate(stamps):
        if num_strays and pts is not None and clock.goes_on(pts, stamps[:num_strays]):
            return stamps[:num_strays], pts
    return (), 0
