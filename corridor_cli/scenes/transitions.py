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
from corridor_cli.scenes.detectors.base import Look
from corridor_cli.scenes.scores import ScoreLog
from corridor_cli.scenes.thumbs import HEIGHT, SCALE, WIDTH, Thumb

# (length, stride) in thumbs.
WINDOWS = ((28, 2), (20, 2), (12, 1))
LONGEST = 28
MAX_RESIDUAL = 0.18
# Two mixed frames between two pictures are steps of a third; one mixed frame (a half) is a hard cut.
MAX_STEP = 0.36
MAX_FALL = 0.06
# A window may see a tenth of a slow blend only.
MIN_WINDOW_DISTANCE = 4.0
# Above this rate every second, third … frame is looked at, so that windows last 0.3 to 1 s.
MIN_SPACING = Fraction(1, 40)
EDGE_WEIGHT = 0.04
CLOSE_AFTER = 4
# Slower than this is a change of light (a sunset, an iris), not an edit.
MAX_SECONDS = 6

_SIZE = 3 * HEIGHT * WIDTH
_MIN_WINDOW_SUM = MIN_WINDOW_DISTANCE * SCALE * _SIZE / 3
# Where the windows that end with the newest thumb begin, and their middle, counted from behind it.
_FIRSTS = np.array([num_steps + 1 for num_steps, _ in WINDOWS])
_MIDDLES = np.array(
    [num_steps + 1 - (num_steps // stride + 1) // 2 * stride for num_steps, stride in WINDOWS]
)
_CAPACITY = 4 * (LONGEST + 1)


@dataclass(frozen=True, slots=True)
class Instant:
    """A frame's place in the video, and its thumb."""

    frame_index: int
    time: Fraction
    thumb: Thumb


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
    """Finds blends in one pass over thumbs; keeps 28 of them, or those of the open blend, up to
    `MAX_SECONDS`.
    """

    def __init__(self, scores: ScoreLog | None = None) -> None:
        self._scores = scores
        self._ring = np.zeros((_CAPACITY, _SIZE), np.float64)
        self._instants: list[Instant] = []
        self._filled = 0
        self._open: tuple[Instant, Instant] | None = None
        self._closed_at = 0
        self._is_odd = False

    @property
    def open(self) -> tuple[Instant, Instant] | None:
        """The ends of the blend that is being seen, as far as known; None without one."""
        if self._open is None or self._open[1].time - self._open[0].time > MAX_SECONDS:
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
        if self._instants and look.time - self._instants[-1].time < MIN_SPACING:
            return []
        self._keep(Instant(look.frame_index, look.time, look.thumb))
        if self._scores is not None:
            self._scores.blended(look.frame_index, self._least_residual())
        found: list[Blend] = []
        # Windows overlap so much that every second one shows all there is.
        self._is_odd = not self._is_odd
        window = None if self._is_odd else self._widest_blend()
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
        self._filled = self._closed_at = 0

    def _keep(self, instant: Instant) -> None:
        if self._filled == _CAPACITY:
            num_kept = LONGEST
            self._ring[:num_kept] = self._ring[_CAPACITY - num_kept :]
            self._filled = num_kept
        self._ring[self._filled] = instant.thumb.reshape(-1)
        self._filled += 1
        self._instants.append(instant)
        num_spare = len(self._instants) - LONGEST - 1
        while num_spare > 0 and not self._is_inside(self._instants[0]):
            del self._instants[0]
            num_spare -= 1

    def _is_inside(self, instant: Instant) -> bool:
        return self.open is not None and instant.frame_index >= self.open[0].frame_index

    def _least_residual(self) -> float | None:
        """Of the windows that end here, how near the one that is most like a blend comes to being one."""
        windows = [
            blend_residual(self._ring[self._filled - num_steps - 1 : self._filled : stride])
            for num_steps, stride in WINDOWS
            if len(self._instants) > num_steps
        ]
        return min((residual for residual in windows if residual is not None), default=None)

    def _widest_blend(self) -> tuple[Instant, Instant] | None:
        may_blend = self._windows_that_may_blend()
        for (num_steps, stride), is_worth_it in zip(WINDOWS, may_blend, strict=True):
            if not is_worth_it or len(self._instants) <= num_steps:
                continue
            weights = blend_weights(self._ring[self._filled - num_steps - 1 : self._filled : stride])
            if weights is None:
                continue
            first = len(self._instants) - num_steps - 1
            start = stride * int(np.flatnonzero(weights <= EDGE_WEIGHT)[-1])
            end = stride * int(np.flatnonzero(weights >= 1 - EDGE_WEIGHT)[0])
            return self._instants[first + start], self._instants[first + end]
        return None

    def _windows_that_may_blend(self) -> list[bool]:
        """For each of the windows that end here, whether the cheap tests leave anything to be looked at.

        Windows of pictures that stand still end here, those of moving ones next: a tenth of the cost of
        `blend_weights`, for all windows at once.
        """
        if self._filled <= LONGEST:
            return [True] * len(WINDOWS)
        first = self._ring[self._filled - _FIRSTS]
        way = self._ring[self._filled - 1] - first
        length = np.einsum("ij,ij->i", way, way)
        # n times the sum of squares is no less than the squared sum of what `blend_weights` asks for.
        moves = length * _SIZE >= _MIN_WINDOW_SUM**2
        if not moves.any():
            return [False] * len(WINDOWS)
        inner = self._ring[self._filled - _MIDDLES] - first
        weight = np.einsum("ij,ij->i", inner, way)
        square = np.einsum("ij,ij->i", inner, inner)
        # (square / length - (weight / length)²) ≤ (2 · MAX_RESIDUAL)², without a division by 0.
        is_between = square * length - weight**2 <= (2 * MAX_RESIDUAL * length) ** 2
        may_blend: list[bool] = (moves & is_between).tolist()
        return may_blend


def blend_weights(thumbs: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """How far each thumb is on the way from the first to the last, 0 to 1; None when this is no blend.

    `thumbs` is (n, 1728) with whole numbers: all products and sums below are exact.
    """
    first = thumbs[0]
    way = thumbs[-1] - first
    if np.abs(way).sum() < _MIN_WINDOW_SUM:
        return None
    length = float(way @ way)
    if _residual(thumbs[len(thumbs) // 2] - first, way, length) > 2 * MAX_RESIDUAL:
        return None
    weights: NDArray[np.float64] = (thumbs @ way - first @ way) / length
    steps = np.diff(weights)
    if steps.max() > MAX_STEP or steps.min() < -MAX_FALL:
        return None
    inner = thumbs - first
    squares = np.einsum("ij,ij->i", inner, inner) / length - weights**2
    residual = float(np.sqrt(np.maximum(squares, 0)).mean())
    return weights if residual <= MAX_RESIDUAL else None


def blend_residual(thumbs: NDArray[np.float64]) -> float | None:
    """What the thumbs leave beside the line from first to last, as a share of its length: what
    `blend_weights` holds against `MAX_RESIDUAL`. None where the two are too much alike, or the way from one
    to the other is no gradual one."""
    way = thumbs[-1] - thumbs[0]
    if np.abs(way).sum() < MIN_WINDOW_DISTANCE * SCALE * _SIZE / 3:
        return None
    length = np.einsum("i,i", way, way)
    inner = thumbs - thumbs[0]
    steps = np.diff(np.einsum("ij,j->i", inner, way) / length)
    if steps.max() > MAX_STEP or steps.min() < -MAX_FALL:
        return None
    return float(np.mean([_residual(each, way, length) for each in inner]))


def _residual(inner: NDArray[np.float64], way: NDArray[np.float64], length: float) -> float:
    weight = float(inner @ way) / length
    square = float(inner @ inner) / length - weight**2
    return float(max(square, 0.0) ** 0.5)


def _agree(a: tuple[Instant, Instant], b: tuple[Instant, Instant]) -> bool:
    """Whether two windows go the same way; after a fade out, the fade in goes another one."""
    x = (a[1].thumb.astype(np.int64) - a[0].thumb).reshape(-1)
    y = (b[1].thumb.astype(np.int64) - b[0].thumb).reshape(-1)
    product = int((x * y).sum())
    return product > 0 and 4 * product**2 >= int((x * x).sum()) * int((y * y).sum())


def _place(instant: Instant) -> int:
    return instant.frame_index
