"""What is measured of windows of thumbs in which one picture may dissolve into another while both move.

The mixed picture is then no mixture of the pictures at the ends of the window (`transitions.py` asks for
that), but its contrast still is a mixture's: the variance of (1 - w)·A + w·B lies w·(1 - w)·var(B - A) below
the line between those of A and B, and motion changes the variance of A or B little. How far it sags is
measured of the window, of its halves and of blocks of the picture; beside it how steadily the pictures
change, and whether the last one is the first one seen from elsewhere.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from corridor_cli.scenes.blend_kinds import MAX_CORRELATION, correlation
from corridor_cli.scenes.detectors.base import Look
from corridor_cli.scenes.mixture_measures import (
    PLANE_WEIGHTS,
    beside_the_line,
    block_sags,
    found_in,
    line_between,
    mean_squares,
    moments,
    sag_of,
    textures,
)
from corridor_cli.scenes.mixture_terms import Numbers
from corridor_cli.scenes.thumbs import HEIGHT, WIDTH, Thumb
from corridor_cli.scenes.transitions import MIN_SPACING, Instant

# In thumbs: 0.4 to 1.6 s at 25 frames/s.
LENGTHS = (40, 28, 20, 14, 10)
# Below these no window is measured further. Differences and variances are in squares of levels, chroma
# counting double as in `cut_distance`; a sag of 1 is a mixture's.
MIN_DIFFERENCE = 60.0
MIN_VARIANCE = 36.0
MIN_LOSS = 0.1
MIN_SAG, MAX_SAG = 0.4, 2.0
MAX_MISFIT = 0.15
MAX_JUMP = 0.4
MAX_RESIDUAL = 0.4

_NUM_KEPT = LENGTHS[0] + 1
_CAPACITY = 3 * _NUM_KEPT
_PLANE_SIZE = HEIGHT * WIDTH
_LENGTHS = np.array(LENGTHS)


@dataclass(frozen=True, slots=True)
class MixtureWindow:
    """A run of thumbs whose contrast sags, and what was measured of it: `mixture_terms.FEATURES`."""

    start: Instant
    middle: Instant
    end: Instant
    features: Numbers = field(repr=False)


class WindowMeter:
    """Measures the windows that end with the newest thumb; keeps 41 to 123 thumbs."""

    def __init__(self) -> None:
        self._rows = Rows()
        self._instants: deque[Instant] = deque(maxlen=_NUM_KEPT)
        self._last_index = -1
        self._is_odd = False

    @property
    def oldest(self) -> int:
        """The first frame in which a window measured later may begin."""
        return self._instants[0].frame_index if self._instants else 0

    def push(self, look: Look, first: int = 0) -> list[MixtureWindow] | None:
        """The windows from the frame `first` on that end here; None where this frame is not looked at."""
        if look.frame_index > self._last_index + 1:
            # In a keyframe scan frames are left out, and no window leads over a step.
            self._rows.clear()
            self._instants.clear()
        self._last_index = look.frame_index
        if self._instants and look.time - self._instants[-1].time < MIN_SPACING:
            return None
        self._rows.push(look.thumb)
        self._instants.append(Instant(look.frame_index, look.time, look.thumb))
        # As for blends, every second window shows all there is.
        self._is_odd = not self._is_odd
        if self._is_odd:
            return None
        found: list[MixtureWindow] = []
        for length in self._rows.windows():
            start = self._instants[-1 - length]
            features = self._rows.features(length) if start.frame_index >= first else None
            if features is not None:
                middle = self._instants[length // 2 - length - 1]
                found.append(MixtureWindow(start, middle, self._instants[-1], features))
        return found


class Rows:
    """The newest thumbs as rows of whole numbers, with the mean and variance of each and its step."""

    def __init__(self) -> None:
        self._rows = np.zeros((_CAPACITY, 3 * _PLANE_SIZE), np.float64)
        # Variance, step since the row before, texture, three means; in levels and their squares.
        self._facts = np.zeros((_CAPACITY, 6), np.float64)
        self.count = self._num_measured = 0

    def push(self, thumb: Thumb) -> None:
        """Take the next thumb."""
        if self.count == len(self._rows):
            self._rows[:_NUM_KEPT] = self._rows[-_NUM_KEPT:]
            self._measure()
            self._facts[:_NUM_KEPT] = self._facts[-_NUM_KEPT:]
            self.count = self._num_measured = _NUM_KEPT
        self._rows[self.count] = thumb.reshape(-1)
        self.count += 1

    def clear(self) -> None:
        """Forget all."""
        self.count = self._num_measured = 0

    def _measure(self) -> None:
        """The facts of the rows pushed since the last time: of two in one go for little more than of one."""
        first, end = self._num_measured, self.count
        rows, facts = self._rows[first:end], self._facts[first:end]
        # Before the first row there is none: it is compared with itself.
        before = self._rows[max(first - 1, 0) : end - 1] if first else np.concatenate([rows[:1], rows[:-1]])
        planes = rows.reshape(len(rows), 3, -1)
        facts[:, 3:], facts[:, 0] = moments(planes)
        facts[:, 1] = mean_squares((rows - before).reshape(len(rows), 3, -1))
        facts[:, 2] = textures(planes[:, 0].reshape(-1, HEIGHT, WIDTH))
        self._num_measured = end

    def windows(self) -> list[int]:
        """The lengths of the windows ending here in which contrast sags as a mixture's might."""
        self._measure()
        lengths = _LENGTHS[self.count > _LENGTHS]
        if not len(lengths):
            return []
        now = self.count - 1
        variance = self._facts[:, 0]
        ends = (variance[now - lengths] + variance[now]) / 2
        may_sag = (variance[now - lengths // 2] <= (1 - MIN_LOSS) * ends) & (
            variance[now - lengths] >= MIN_VARIANCE
        )
        if variance[now] < MIN_VARIANCE or not may_sag.any():
            return []
        found: list[int] = lengths[may_sag].tolist()
        return found

    def features(self, length: int) -> Numbers | None:
        """What is measured of the window of so many steps that ends here; None where it can be no mixture."""
        now = self.count - 1
        rows, facts = self._rows[now - length : now + 1], self._facts[now - length : now + 1]
        way = rows[-1] - rows[0]
        full = float(mean_squares(way.reshape(1, 3, -1))[0])
        if full < MIN_DIFFERENCE:
            return None
        variance, steps = facts[:, 0], facts[1:, 1]
        jump = float(steps.max()) / full
        detail = max(float(moments(way.reshape(1, 3, -1))[1][0]), 1.0)
        sag, misfit = sag_of(variance, detail)
        if jump > MAX_JUMP or not MIN_SAG < sag < MAX_SAG or misfit > MAX_MISFIT:
            return None
        residual, lag = beside_the_line(rows, way)
        likeness = correlation(rows[0, :_PLANE_SIZE], rows[-1, :_PLANE_SIZE])
        if residual > MAX_RESIDUAL or likeness > MAX_CORRELATION:
            return None
        half = length // 2
        first, second = (
            min(max(self._part_sag(now - length + a, now - length + b), -1.0), 3.0)
            for a, b in ((0, half), (half, length))
        )
        bend = (facts[1:-1, 3:] - line_between(facts[:, 3:])) ** 2 @ PLANE_WEIGHTS
        lumas = rows[[0, half, length], :_PLANE_SIZE]
        without, block_sag = block_sags(lumas)
        texture = facts[:, 2]
        ends = sorted((float(variance[0]), float(variance[-1])))
        return np.array(
            [
                np.log(length),
                misfit,
                np.log(length * steps.sum() / full),
                np.log(np.median(steps) * length * length / full + 0.01),
                first,
                second,
                np.sqrt(bend.mean() / full),
                residual,
                lag,
                without,
                block_sag,
                likeness,
                *found_in(lumas[0], lumas[2]),
                1 - texture[half] / max((texture[0] + texture[-1]) / 2, 1.0),
                np.log(ends[0]),
                np.log(ends[1]),
            ]
        )

    def _part_sag(self, start: int, end: int) -> float:
        way = (self._rows[end] - self._rows[start]).reshape(1, 3, -1)
        return sag_of(self._facts[start : end + 1, 0], max(float(moments(way)[1][0]), 1.0))[0]
