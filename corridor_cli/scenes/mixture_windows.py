"""What is measured of windows of thumbs in which one picture may dissolve into another while both move.

The mixed picture is then no mixture of the pictures at the ends of the window (`transitions.py` asks for
that), but its contrast still is a mixture's: the variance of (1 - w)·A + w·B lies w·(1 - w)·var(B - A) below
the line between those of A and B, and motion changes the variance of A or B little. How far it sags is
measured of the window, of its halves and of blocks of the picture; beside it how steadily the pictures
change, and whether the last one is the first one seen from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from corridor_cli.scenes.blend_kinds import MAX_CORRELATION, correlation
from corridor_cli.scenes.detectors.base import Look
from corridor_cli.scenes.looks import LookMaker
from corridor_cli.scenes.mixture_measures import (
    PLANE_WEIGHTS,
    beside_the_line,
    block_sags,
    changing_part,
    found_in,
    line_between,
    mean_squares,
    moments,
    sags_of,
    textures,
)
from corridor_cli.scenes.mixture_terms import Numbers
from corridor_cli.scenes.thumb_rows import Backlog, Instant, ThumbRows, ends_windows
from corridor_cli.scenes.thumbs import HEIGHT, WIDTH

if TYPE_CHECKING:
    from corridor_cli.records import ScanFrame

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

_PLANE_SIZE = HEIGHT * WIDTH
_LENGTHS = np.array(LENGTHS)


@dataclass(frozen=True, slots=True)
class MixtureWindow:
    """A run of `length` steps between thumbs whose contrast sags, and what was measured of it:
    `mixture_terms.FEATURES`."""

    start: Instant
    middle: Instant
    end: Instant
    length: int
    features: Numbers = field(repr=False)


def windows_of(frames: Iterable[ScanFrame]) -> Iterator[MixtureWindow]:
    """All windows of these frames, as a scan measures them: what the weights are chosen by."""
    looks, rows = LookMaker(), ThumbRows()
    meter = WindowMeter(rows)
    for frame in frames:
        [look] = looks.look_at([frame])
        rows.extend([look])
        yield from meter.push(look) or []


class WindowMeter:
    """Measures the windows that end with the newest of the `rows`, which their owner fills before each
    push."""

    def __init__(self, rows: ThumbRows) -> None:
        self._rows = rows
        self._contrasts = Contrasts(rows)
        self._newest = 0

    @property
    def oldest(self) -> int:
        """The first frame in which a window measured later may begin."""
        at = self._rows.at(self._newest)
        if not self._rows.instants:
            return 0
        return self._rows.instants[at - min(int(self._rows.reach[at]), LENGTHS[0])].frame_index

    def push(self, look: Look, first: int = 0) -> list[MixtureWindow] | None:
        """The windows from the frame `first` on that end here; None where this frame is not looked at."""
        number = self._rows.number_of(look)
        if number is None:
            return None
        self._newest = number
        if not ends_windows(number):
            return None
        found: list[MixtureWindow] = []
        at, instants = self._rows.at(number), self._rows.instants
        for sag in self._contrasts.sags(number):
            start = instants[at - sag.length]
            features = self._contrasts.features(at, sag) if start.frame_index >= first else None
            if features is not None:
                middle = instants[at - sag.length // 2]
                found.append(MixtureWindow(start, middle, instants[at], sag.length, features))
        return found

    def changing_part(self, length: int) -> tuple[Instant, Instant, Instant]:
        """Start, middle and end of what changes in the window of so many steps that ends here."""
        at = self._rows.at(self._newest)
        first, last = changing_part(self._rows.values[at - length : at + 1])
        first, last = at - length + first, at - length + last
        return self._rows.instants[first], self._rows.instants[(first + last) // 2], self._rows.instants[last]


@dataclass(frozen=True, slots=True)
class Sag:
    """A window of `length` steps in which contrast sags as a mixture's: the mean square of the difference of
    its ends, and how far the sag is from a mixture's shape."""

    length: int
    difference: float
    misfit: float


class Contrasts:
    """The means and variance of each of the `rows`, the windows in which contrast sags, and what else is
    measured of those."""

    def __init__(self, rows: ThumbRows) -> None:
        self._rows = rows
        # Variance, step since the row before, texture, three means; in levels and their squares.
        self._facts = rows.beside(6)
        self._backlog = Backlog(rows, LENGTHS[0])
        self._num_complete = 0  # rows whose steps and textures are measured: windows that sag ask for them
        self._sags: dict[int, list[Sag]] = {}

    def sags(self, number: int) -> list[Sag]:
        """The windows ending with this row in which contrast sags as a mixture's, longest first."""
        if self._backlog.is_due:
            self._measure()
        return self._sags.get(number, [])

    def _measure(self) -> None:
        """The contrast of the rows that are new, and how it sags in windows that end with them."""
        self._sags = {}
        due = self._backlog.take()
        if due is None:
            return
        unmeasured, ends = due
        rows, facts = self._rows.values[unmeasured], self._facts[unmeasured]
        facts[:, 3:], facts[:, 0] = moments(rows.reshape(len(rows), 3, -1))
        which_ends, which_lengths = self._may_sag(ends).nonzero()
        if not which_ends.size:
            return
        ends, lengths = ends[which_ends], _LENGTHS[which_lengths]
        self._complete(max(0, int(ends[0]) - LENGTHS[0]))
        differences = mean_squares(self._ways(ends, lengths))
        is_gradual = (differences >= MIN_DIFFERENCE) & (self._jumps(ends, lengths) <= MAX_JUMP * differences)
        for length in LENGTHS:
            [chosen] = (is_gradual & (lengths == length)).nonzero()
            if chosen.size:
                self._find_sags(ends[chosen], length, differences[chosen])

    def _ways(self, ends: NDArray[np.int64], lengths: NDArray[np.int64] | int) -> Numbers:
        """(n, 3, pixels): from the first to the last row of the windows that end with these."""
        ways: Numbers = self._rows.values[ends] - self._rows.values[ends - lengths]
        return ways.reshape(len(ends), 3, -1)

    def _jumps(self, ends: NDArray[np.int64], lengths: NDArray[np.int64]) -> Numbers:
        """(n): the largest step in each of these windows."""
        back = np.arange(LENGTHS[0])
        steps = self._facts[np.maximum(ends[:, np.newaxis] - back, 0), 1]
        jumps: Numbers = np.where(back < lengths[:, np.newaxis], steps, 0).max(axis=1)
        return jumps

    def _find_sags(self, ends: NDArray[np.int64], length: int, differences: Numbers) -> None:
        """Note which of the windows of so many steps that end with these rows sag."""
        inner = (ends - length)[:, np.newaxis] + np.arange(length + 1)
        details = np.maximum(moments(self._ways(ends, length))[1], 1.0)
        sags, misfits = sags_of(self._facts[inner, 0], details)
        do_sag = (sags > MIN_SAG) & (sags < MAX_SAG) & (misfits <= MAX_MISFIT)
        for at in np.flatnonzero(do_sag).tolist():
            sag = Sag(length, float(differences[at]), float(misfits[at]))
            self._sags.setdefault(self._rows.number_at(int(ends[at])), []).append(sag)

    def _complete(self, needed: int) -> None:
        """The steps and textures of the rows from the one at `needed` on, as far as they are not measured."""
        first, end = max(self._rows.at(self._num_complete), needed), self._rows.at(self._rows.end)
        if first >= end:
            return
        rows, facts = self._rows.values[first:end], self._facts[first:end]
        # Before the first row there is none: it is compared with itself.
        before = self._rows.values[first - 1 : end - 1] if first else np.concatenate([rows[:1], rows[:-1]])
        facts[:, 1] = mean_squares((rows - before).reshape(len(rows), 3, -1))
        facts[:, 2] = textures(rows[:, :_PLANE_SIZE].reshape(-1, HEIGHT, WIDTH))
        self._num_complete = self._rows.end

    def _may_sag(self, ends: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(n, 5): whether contrast sags in the windows that end with these rows."""
        variance = self._facts[:, 0]
        starts = np.maximum(ends[:, None] - _LENGTHS, 0)
        middles = np.maximum(ends[:, None] - _LENGTHS // 2, 0)
        least = np.minimum(variance[starts], variance[ends][:, None])
        line = (variance[starts] + variance[ends][:, None]) / 2
        result: NDArray[np.bool_] = (
            (self._rows.reach[ends][:, None] >= _LENGTHS)
            & (variance[middles] <= (1 - MIN_LOSS) * line)
            & (least >= MIN_VARIANCE)
        )
        return result

    def features(self, now: int, sag: Sag) -> Numbers | None:
        """What is measured of the window that ends with the row which lies at `now`; None where it can be no
        mixture."""
        length, full, misfit = sag.length, sag.difference, sag.misfit
        rows, facts = self._rows.values[now - length : now + 1], self._facts[now - length : now + 1]
        way = rows[-1] - rows[0]
        variance, steps = facts[:, 0], facts[1:, 1]
        residual, lag = beside_the_line(rows, way)
        likeness = correlation(rows[0, :_PLANE_SIZE], rows[-1, :_PLANE_SIZE])
        if residual > MAX_RESIDUAL or likeness > MAX_CORRELATION:
            return None
        half = length // 2
        first, second = _half_sags(rows, variance)
        means = facts[:, 3:].T
        bend = PLANE_WEIGHTS @ (means[:, 1:-1] - line_between(means)) ** 2
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


def _half_sags(rows: Numbers, variance: Numbers) -> tuple[float, float]:
    half = len(rows) // 2
    ways = np.array([rows[half] - rows[0], rows[-1] - rows[half]])
    details = np.maximum(moments(ways.reshape(2, 3, -1))[1], 1.0)
    sags, _ = sags_of(np.array([variance[: half + 1], variance[half:]]), details)
    first, second = np.clip(sags, -1.0, 3.0).tolist()
    return first, second
