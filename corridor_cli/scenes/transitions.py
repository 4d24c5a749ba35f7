"""Fades and dissolves: runs of frames in which one picture turns into another by blending.

Over windows of 12, 20 and 28 thumbs, the inner thumbs are projected on the line between the end thumbs. In a
blend the weights only grow, and little is left beside the line (0.01 to 0.03 of its length on real dissolves,
0.04 to 0.12 on light changes and titles, more on pans, zooms and wipes). Windows that agree are joined; what
they span counts when the pictures at its ends are really two: a new light on the same picture does not.

Which transitions open a scene is not decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from corridor_cli.scenes.blend_kinds import Direction, classify
from corridor_cli.scenes.blend_windows import LONGEST, BlendMeter
from corridor_cli.scenes.detectors.base import Look
from corridor_cli.scenes.gaps import is_closer
from corridor_cli.scenes.scores import ScoreLog
from corridor_cli.scenes.thumb_rows import Instant, ThumbRows

CLOSE_AFTER = 4
# As slow as this it is a change of light (a sunset, an iris), not an edit.
MAX_SECONDS = Fraction(6)


@dataclass(frozen=True, slots=True)
class Blend:
    """A finished transition: from the last frame of the old picture to the first of the new one.

    `direction` says where the flat colour is: a fade `in` begins with it, a fade `out` ends in it; `across`
    is a dissolve between two pictures.
    """

    start: Instant
    end: Instant
    direction: Direction


class TransitionFinder:
    """Finds blends in one pass over `rows`, which its owner fills before each push; keeps the thumbs of 28 of
    them, or those of the open blend, up to `MAX_SECONDS`.
    """

    def __init__(self, rows: ThumbRows, scores: ScoreLog | None = None) -> None:
        self._scores = scores
        self._rows = rows
        self._meter = BlendMeter(rows)
        self._instants: list[Instant] = []
        self._open: tuple[Instant, Instant] | None = None
        self._closed_at = 0

    @property
    def open(self) -> tuple[Instant, Instant] | None:
        """The ends of the blend that is being seen, as far as known; None without one."""
        if self._open is None or not is_closer(self._open[0].time, self._open[1].time, MAX_SECONDS):
            return None
        return self._open

    @property
    def settled(self) -> int:
        """No blend found later starts before this frame index."""
        in_ring = self._instants[-LONGEST - 1 :]
        oldest = in_ring[0].frame_index if in_ring else 0
        return oldest if self.open is None else min(oldest, self.open[0].frame_index)

    def push(self, look: Look) -> list[Blend]:
        """The blends which this frame shows to be over."""
        number = self._rows.number_of(look)
        if number is None:
            return []
        self._keep(self._rows.instants[self._rows.at(number)])
        if self._scores is not None:
            self._scores.blended(look.frame_index, self._meter.least_residual(number))
        found: list[Blend] = []
        window = self._meter.widest_blend(number)
        if window is not None and self._open is not None and not _agree(self._open, window):
            found += self.close()
        if window is not None and window[0].frame_index >= self._closed_at:
            start, end = self._open or window
            self._open = (min(start, window[0], key=_place), max(end, window[1], key=_place))
        if self._open is not None and self._is_over():
            found += self.close()
        return found

    def _is_over(self) -> bool:
        assert self._open is not None, "no blend is open"
        after = self._instants[-CLOSE_AFTER:]
        return len(after) == CLOSE_AFTER and after[0].frame_index > self._open[1].frame_index

    def close(self) -> list[Blend]:
        """End the open blend here, at a cut or at the end of the frames."""
        ends = self.open
        if self._open is not None:
            # The windows which see the end of this blend go on for a while.
            self._closed_at = self._open[1].frame_index
        self._open = None
        if ends is None:
            return []
        first, last = ends[0].frame_index, ends[1].frame_index
        direction = classify([each.thumb for each in self._instants if first <= each.frame_index <= last])
        return [] if direction is None else [Blend(ends[0], ends[1], direction)]

    def forget(self) -> None:
        """Start anew: the next frame does not follow the last one."""
        self._instants.clear()
        self._closed_at = 0

    def _keep(self, instant: Instant) -> None:
        self._instants.append(instant)
        num_spare = len(self._instants) - LONGEST - 1
        if num_spare > 0:
            seen = self.open
            first = self._instants[num_spare].frame_index if seen is None else seen[0].frame_index
            while num_spare > 0 and self._instants[0].frame_index < first:
                del self._instants[0]
                num_spare -= 1


def _agree(a: tuple[Instant, Instant], b: tuple[Instant, Instant]) -> bool:
    """Whether two windows go the same way; after a fade out, the fade in goes another one."""
    x, y = _way(a), _way(b)
    product = int(x @ y)
    return product > 0 and 4 * product**2 >= int(x @ x) * int(y @ y)


def _way(ends: tuple[Instant, Instant]) -> NDArray[np.float64]:
    """From one thumb to the other, in whole numbers: their products are exact, and quick."""
    return (ends[1].thumb - ends[0].thumb).reshape(-1).astype(np.float64)


def _place(instant: Instant) -> int:
    return instant.frame_index
