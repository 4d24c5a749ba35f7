"""The newest thumbs of a scan as rows of whole numbers: what blends and mixtures are measured of.

A block of frames is taken in one go before any of them is looked at. Whoever measures the rows then does it
for all new ones together, which costs a third of doing it one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from corridor_cli.scenes.detectors.base import Look
from corridor_cli.scenes.gaps import is_closer
from corridor_cli.scenes.thumbs import HEIGHT, WIDTH, Thumb

# So many rows before any new one are still there: the longest window is of 41 thumbs.
NUM_KEPT = 41
MAX_BLOCK = 40
# Above this rate every second, third … frame is taken, so that windows last as long as at 25 frames/s.
MIN_SPACING = Fraction(1, 40)

ROW_SIZE = 3 * HEIGHT * WIDTH
CAPACITY = 3 * NUM_KEPT + MAX_BLOCK


class Instant(NamedTuple):
    """A frame's place in the video, and its thumb."""

    frame_index: int
    time: Fraction
    thumb: Thumb


class ThumbRows:
    """Rows of 1,728 whole numbers in eighths of a level; at most `CAPACITY`, the oldest go.

    `values` is (`CAPACITY`, 1728); `reach` says how many rows before each are of the same run of frames, over
    which no window leads where frames were left out; `still` how many of those show the very same picture.
    Rows are numbered from 0 as they come, and lie at `at(number)`.
    """

    def __init__(self) -> None:
        self.values = np.zeros((CAPACITY, ROW_SIZE), np.float64)
        self.reach = np.zeros(CAPACITY, np.int64)
        self.still = np.zeros(CAPACITY, np.int64)
        self.instants: list[Instant] = []
        self._beside: list[NDArray[np.float64]] = []
        self._num_gone = 0
        self._numbers: dict[int, int] = {}
        self._last_index = -1

    @property
    def end(self) -> int:
        """The number of the next row."""
        return self._num_gone + len(self.instants)

    def at(self, number: int) -> int:
        """Where a row lies."""
        return number - self._num_gone

    def number_at(self, at: int) -> int:
        """The number of the row that lies there."""
        return at + self._num_gone

    def beside(self, width: int) -> NDArray[np.float64]:
        """An array (`CAPACITY`, width) for what is measured of each row; it stays with its row."""
        self._beside.append(np.zeros((CAPACITY, width), np.float64))
        return self._beside[-1]

    def extend(self, looks: Sequence[Look]) -> None:
        """Take the next frames, at most `MAX_BLOCK`."""
        assert len(looks) <= MAX_BLOCK, f"{len(looks)} frames in a block"
        if len(self.instants) + len(looks) > CAPACITY:
            self._make_room()
        self._numbers.clear()
        for look in looks:
            follows = look.frame_index == self._last_index + 1
            self._last_index = look.frame_index
            if follows and self.instants and is_closer(self.instants[-1].time, look.time, MIN_SPACING):
                continue
            at = len(self.instants)
            self.values[at] = look.thumb.reshape(-1)
            self.reach[at] = self.reach[at - 1] + 1 if follows and at else 0
            is_same = self.reach[at] and look.thumb is self.instants[-1].thumb
            self.still[at] = self.still[at - 1] + 1 if is_same else 0
            self._numbers[look.frame_index] = self.end
            self.instants.append(Instant(look.frame_index, look.time, look.thumb))

    def number_of(self, look: Look) -> int | None:
        """The row of a frame of the last block; None for one that was left out."""
        return self._numbers.get(look.frame_index)

    def _make_room(self) -> None:
        first = len(self.instants) - NUM_KEPT
        for each in (self.values, self.reach, self.still, *self._beside):
            each[:NUM_KEPT] = each[first : first + NUM_KEPT]
        del self.instants[:first]
        self._num_gone += first


def ends_windows(number: int) -> bool:
    """Whether windows are measured that end with the row of this number."""
    return number % 2 == 1


class Backlog:
    """The `rows` that somebody has to measure, in whose windows lie at most `longest` steps.

    While a picture stands still there is nothing to be found in any window, and rows are left for later. When
    it moves, those are made up for that a window may reach.
    """

    def __init__(self, rows: ThumbRows, longest: int) -> None:
        self._rows = rows
        self._longest = longest
        self._num_seen = 0
        self._num_measured = 0

    @property
    def is_due(self) -> bool:
        """Whether rows have come since the last `take`."""
        return self._num_seen < self._rows.end

    def take(self) -> tuple[slice, NDArray[np.int64]] | None:
        """Where the rows lie that are to be measured now, and those new ones that windows end with: every
        second, as windows overlap so much that these show all there is. None where there is nothing to be
        found in them."""
        first, end = self._rows.at(self._num_seen), self._rows.at(self._rows.end)
        first_end = first if ends_windows(self._num_seen) else first + 1
        self._num_seen = self._rows.end
        if self._rows.still[first:end].min() >= self._longest:
            return None
        reached = max(self._rows.at(self._num_measured), first - self._longest, 0)
        self._num_measured = self._rows.end
        return slice(reached, end), np.arange(first_end, end, 2)
