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

from corridor_cli.scenes.blend_kinds import correlation
from corridor_cli.scenes.detectors.base import Look
from corridor_cli.scenes.mixture_terms import Numbers
from corridor_cli.scenes.thumbs import HEIGHT, SCALE, WIDTH, Thumb
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

_NUM_KEPT = LENGTHS[0] + 1
_CAPACITY = 3 * _NUM_KEPT
_PLANE_SIZE = HEIGHT * WIDTH
_LEVELS = float(SCALE * SCALE)
_PLANE_WEIGHTS = np.array([1.0, 2.0, 2.0]) / 3
_BLOCK_HEIGHT, _BLOCK_WIDTH = 6, 8
_LENGTHS = np.array(LENGTHS)
# The middle of a picture, which is looked for anywhere in another one.
_TOP, _LEFT = 4, 8


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
        self.count = 0

    def push(self, thumb: Thumb) -> None:
        """Take the next thumb."""
        if self.count == len(self._rows):
            self._rows[:_NUM_KEPT] = self._rows[-_NUM_KEPT:]
            self._facts[:_NUM_KEPT] = self._facts[-_NUM_KEPT:]
            self.count = _NUM_KEPT
        row = self._rows[self.count]
        row[:] = thumb.reshape(-1)
        step = 0.0
        if self.count:
            step = _mean_square((row - self._rows[self.count - 1]).reshape(3, -1))
        means, variance = _moments(row.reshape(1, 3, -1))
        facts = self._facts[self.count]
        facts[0], facts[1], facts[2], facts[3:] = variance[0], step, _texture(thumb[0]), means[0]
        self.count += 1

    def clear(self) -> None:
        """Forget all."""
        self.count = 0

    def windows(self) -> list[int]:
        """The lengths of the windows ending here in which contrast sags as a mixture's might."""
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
        full = _mean_square(way.reshape(3, -1))
        if full < MIN_DIFFERENCE:
            return None
        variance, steps = facts[:, 0], facts[1:, 1]
        jump = float(steps.max()) / full
        detail = max(float(_moments(way.reshape(1, 3, -1))[1][0]), 1.0)
        sag, misfit = _sag(variance, detail)
        if jump > MAX_JUMP or not MIN_SAG < sag < MAX_SAG or misfit > MAX_MISFIT:
            return None
        half = length // 2
        first, second = (
            min(max(self._part_sag(now - length + a, now - length + b), -1.0), 3.0)
            for a, b in ((0, half), (half, length))
        )
        bend = (facts[1:-1, 3:] - _line(facts[:, 3:])) ** 2 @ _PLANE_WEIGHTS
        residual, lag = _projected(rows, way)
        lumas = rows[[0, half, length], :_PLANE_SIZE]
        without, block_sag = _blocks(lumas)
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
                correlation(lumas[0], lumas[2]),
                max(_search(lumas[0], lumas[2]), _search(lumas[2], lumas[0])),
                1 - texture[half] / max((texture[0] + texture[-1]) / 2, 1.0),
                np.log(ends[0]),
                np.log(ends[1]),
            ]
        )

    def _part_sag(self, start: int, end: int) -> float:
        way = (self._rows[end] - self._rows[start]).reshape(1, 3, -1)
        return _sag(self._facts[start : end + 1, 0], max(float(_moments(way)[1][0]), 1.0))[0]


def _moments(rows: Numbers) -> tuple[Numbers, Numbers]:
    """Of (n, 3, pixels): the means of the planes (n, 3) in levels, and the weighted variance (n) in their
    squares. The sums are exact."""
    sums, squares = rows.sum(axis=2), np.einsum("npk,npk->np", rows, rows)
    variances = (_PLANE_SIZE * squares - sums * sums) / (_PLANE_SIZE * _PLANE_SIZE * _LEVELS)
    return sums / (_PLANE_SIZE * SCALE), variances @ _PLANE_WEIGHTS


def _mean_square(difference: Numbers) -> float:
    squares = np.einsum("pk,pk->p", difference, difference) / (_PLANE_SIZE * _LEVELS)
    return float(squares @ _PLANE_WEIGHTS)


def _texture(luma: Thumb) -> float:
    across, down = np.diff(luma, axis=1).astype(np.int64), np.diff(luma, axis=0).astype(np.int64)
    return float((across * across).mean() + (down * down).mean()) / _LEVELS


def _line(values: Numbers) -> Numbers:
    """The straight line between the first and the last, without them."""
    weights = np.arange(1, len(values) - 1) / (len(values) - 1)
    if values.ndim == 2:
        weights = weights[:, None]
    line: Numbers = (1 - weights) * values[0] + weights * values[-1]
    return line


def _sag(variance: Numbers, detail: float) -> tuple[float, float]:
    """By how much of what a mixture's would the variance lies below its line, and the misfit."""
    weights = np.arange(1, len(variance) - 1) / (len(variance) - 1)
    expected = weights * (1 - weights)
    below = (_line(variance) - variance[1:-1]) / detail
    sag = float(below @ expected) / float(expected @ expected)
    return sag, float(np.sqrt(((below - sag * expected) ** 2).mean()))


def _projected(rows: Numbers, way: Numbers) -> tuple[float, float]:
    """What is left beside the line from end to end, and how far the places on it are from even ones."""
    length = float(way @ way)
    inner = rows[1:-1] - rows[0]
    places = inner @ way / length
    squares = np.einsum("ij,ij->i", inner, inner) / length - places**2
    even = np.arange(1, len(rows) - 1) / (len(rows) - 1)
    residual = float(np.sqrt(np.maximum(squares, 0)).mean())
    return residual, float(np.sqrt(((places - even) ** 2).mean()))


def _blocks(lumas: Numbers) -> tuple[float, float]:
    """Of twelve blocks at the ends and the middle: the share in which contrast does not sag, and the median
    sag."""
    across, down = WIDTH // _BLOCK_WIDTH, HEIGHT // _BLOCK_HEIGHT
    blocks = lumas.reshape(3, down, _BLOCK_HEIGHT, across, _BLOCK_WIDTH).transpose(0, 1, 3, 2, 4)
    blocks = blocks.reshape(3, down * across, -1) / SCALE
    start, half, end = blocks.var(axis=2)
    detail = np.maximum((blocks[2] - blocks[0]).var(axis=1), 16.0)
    sags = 4 * ((start + end) / 2 - half) / detail
    return float((sags < 0.2).mean()), float(np.clip(np.median(sags), -1, 3))


def _search(picture: Numbers, other: Numbers) -> float:
    """How well the middle of one picture is found anywhere in another, -1 to 1."""
    part = picture.reshape(HEIGHT, WIDTH)[_TOP : HEIGHT - _TOP, _LEFT : WIDTH - _LEFT]
    part = part - part.mean()
    views = np.lib.stride_tricks.sliding_window_view(other.reshape(HEIGHT, WIDTH), part.shape)
    sums, squares = np.einsum("abij->ab", views), np.einsum("abij,abij->ab", views, views)
    scale = (squares - sums * sums / part.size) * float((part * part).sum())
    likeness = np.einsum("abij,ij->ab", views, part) / np.sqrt(np.maximum(scale, 1.0))
    return float(likeness.max())
