"""Windows of thumbs in which one picture blends into another, measured by the products between thumbs.

The inner thumbs of a window are projected on the line between its end thumbs. Everything that asks for are
sums of products of two rows, and windows overlap: each product is made once, those of several rows by one
multiplication of matrices. The rows are whole numbers, and so every sum is exact in any order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from corridor_cli.scenes.thumb_rows import ROW_SIZE, Backlog, Instant, ThumbRows
from corridor_cli.scenes.thumbs import SCALE

Numbers = NDArray[np.float64]

# (length, stride) in thumbs.
WINDOWS = ((28, 2), (20, 2), (12, 1))
LONGEST = 28
MAX_RESIDUAL = 0.18
# Two mixed frames between two pictures are steps of a third; one mixed frame (a half) is a hard cut.
MAX_STEP = 0.36
MAX_FALL = 0.06
# A window may see a tenth of a slow blend only.
MIN_WINDOW_DISTANCE = 4.0
EDGE_WEIGHT = 0.04

_MIN_WINDOW_SUM = MIN_WINDOW_DISTANCE * SCALE * ROW_SIZE / 3
_LENGTHS = np.array([[length] for length, _ in WINDOWS])
_BACK = np.arange(LONGEST + 1)
# Below a million products of numbers OpenBLAS copies nothing: 2.6 µs a row, of twice as many rows 5.1.
_MULTIPLIED_TOGETHER = 12


def _places() -> NDArray[np.int64]:
    """(6, 3, 1): how far from the first product of its last row six products of each window lie: of the last
    thumb, of the last and the first, of the first, of the last and the middle, of the middle and the first,
    of the middle.
    """
    places = []
    for length, stride in WINDOWS:
        to_middle = length - (length // stride + 1) // 2 * stride
        rows = np.array([0, 0, length, 0, to_middle, to_middle])
        steps = np.array([0, length, 0, to_middle, length - to_middle, 0])
        places.append(steps - rows * (LONGEST + 1))
    return np.array(places).T[..., np.newaxis]


_PLACES = _places()


class BlendMeter:
    """Measures the windows that end with every second of the `rows`, widest first."""

    def __init__(self, rows: ThumbRows) -> None:
        self._rows = rows
        # Of each row with itself and those before it: [:, k] with the k-th before.
        self._products = rows.beside(LONGEST + 1)
        self._backlog = Backlog(rows, LONGEST)
        # By the number of the row that they end with: where the widest of them begins and ends.
        self._blends: dict[int, tuple[Instant, Instant]] = {}

    def widest_blend(self, number: int) -> tuple[Instant, Instant] | None:
        """Where the blend begins and ends that is seen in the widest window ending with this row which is
        one; None without one."""
        if self._backlog.is_due:
            self._measure()
        return self._blends.get(number)

    def least_residual(self, number: int) -> float | None:
        """Of the windows that end with this row, how near the one that is most like a blend comes to one."""
        at = self._rows.at(number)
        residuals = [
            blend_residual(self._rows.values[at - length : at + 1 : stride])
            for length, stride in WINDOWS
            if self._rows.reach[at] >= length
        ]
        return min((residual for residual in residuals if residual is not None), default=None)

    def _measure(self) -> None:
        """The products of the rows that are new, and the blends in windows that end with them."""
        self._blends.clear()
        due = self._backlog.take()
        if due is None:
            return
        unmeasured, ends = due
        self._multiply(unmeasured)
        worth_it = self._are_worth_it(ends)
        is_found = np.zeros(len(ends), np.bool_)
        for window, is_worth_it in zip(WINDOWS, worth_it, strict=True):
            sought = is_worth_it & ~is_found
            if sought.any():
                is_found[sought] = self._find_blends(ends[sought], *window)

    def _find_blends(self, ends: NDArray[np.int64], length: int, stride: int) -> NDArray[np.bool_]:
        """Which of the windows of so many steps that end with these rows are blends."""
        weights, are_blends = weights_of(*self._ways(ends, length, stride))
        [likely] = are_blends.nonzero()
        ways = self._rows.values[ends[likely]] - self._rows.values[ends[likely] - length]
        are_blends[likely] = np.abs(ways).sum(axis=1) >= _MIN_WINDOW_SUM
        ends, weights = ends[are_blends], weights[are_blends]
        # The last that is like the first thumb, and the first that is like the last one.
        firsts = ends - stride * (weights[:, ::-1] <= EDGE_WEIGHT).argmax(axis=1)
        lasts = ends - length + stride * (weights >= 1 - EDGE_WEIGHT).argmax(axis=1)
        instants = self._rows.instants
        for end, first, last in zip(ends.tolist(), firsts.tolist(), lasts.tolist(), strict=True):
            self._blends[self._rows.number_at(end)] = instants[first], instants[last]
        return are_blends

    def _multiply(self, new: slice) -> None:
        """The products of these rows with themselves and those before them."""
        for start in range(new.start, new.stop, _MULTIPLIED_TOGETHER):
            oldest, stop = max(0, start - LONGEST), min(start + _MULTIPLIED_TOGETHER, new.stop)
            products = self._rows.values[start:stop] @ self._rows.values[oldest:stop].T
            rows = np.arange(start - oldest, stop - oldest)[:, None]
            # What lies before the oldest row is of no run that these belong to.
            self._products[start:stop] = products[rows - (start - oldest), np.maximum(rows - _BACK, 0)]

    def _are_worth_it(self, ends: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(3, n): what the cheap tests, of the ends and the middle thumb, leave to be looked at.

        Windows of pictures that stand still end here, those of moving ones next.
        """
        last, with_first, first, with_middle, middle_first, middle = self._products.take(
            ends * (LONGEST + 1) + _PLACES, mode="clip"
        )
        length = last - 2 * with_first + first
        weight = with_middle - middle_first - with_first + first
        square = middle - 2 * middle_first + first
        # n times the sum of squares is no less than the squared sum that `_find_blends` asks for.
        moves = length * ROW_SIZE >= _MIN_WINDOW_SUM**2
        # (square / length - (weight / length)²) ≤ (2 · MAX_RESIDUAL)², without a division by 0.
        is_between = square * length - weight**2 <= (2 * MAX_RESIDUAL * length) ** 2
        result: NDArray[np.bool_] = (self._rows.reach[ends] >= _LENGTHS) & moves & is_between
        return result

    def _ways(self, ends: NDArray[np.int64], length: int, stride: int) -> tuple[Numbers, Numbers]:
        """What `weights_of` asks for, of the windows of so many steps that end with these rows."""
        steps = np.arange(0, length + 1, stride)
        inner, products = (ends - length)[:, None] + steps, self._products
        with_first = products[inner, steps]
        places = products[ends[:, None], length - steps] - with_first
        places -= with_first[:, -1:] - with_first[:, :1]
        return places, products[inner, 0] - 2 * with_first + with_first[:, :1]


def blend_weights(thumbs: Numbers) -> Numbers | None:
    """How far each thumb is on the way from the first to the last, 0 to 1; None when this is no blend.

    `thumbs` is (n, 1728) with whole numbers: all products and sums are exact.
    """
    inner = thumbs - thumbs[0]
    if np.abs(inner[-1]).sum() < _MIN_WINDOW_SUM:
        return None
    places, squares = inner @ inner[-1], np.einsum("ij,ij->i", inner, inner)
    weights, are_blends = weights_of(places[np.newaxis], squares[np.newaxis])
    return weights[0] if are_blends[0] else None


def weights_of(places: Numbers, squares: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
    """Of windows the weights (windows, thumbs), and whether each is a blend, by the products of the ways from
    its first thumb to each: with the way to its last one, which may not be 0, and with themselves."""
    length = places[:, -1:]
    weights: Numbers = places / length
    steps = weights[:, 1:] - weights[:, :-1]
    residuals = np.sqrt(np.maximum(squares / length - weights**2, 0))
    are_blends: NDArray[np.bool_] = (
        (steps.max(axis=1) <= MAX_STEP)
        & (steps.min(axis=1) >= -MAX_FALL)
        & (residuals[:, residuals.shape[1] // 2] <= 2 * MAX_RESIDUAL)
        & (residuals.mean(axis=1) <= MAX_RESIDUAL)
    )
    return weights, are_blends


def blend_residual(thumbs: Numbers) -> float | None:
    """What the thumbs leave beside the line from first to last, as a share of its length: what
    `blend_weights` holds against `MAX_RESIDUAL`. None where the two are too much alike, or the way from one
    to the other is no gradual one."""
    way = thumbs[-1] - thumbs[0]
    if np.abs(way).sum() < _MIN_WINDOW_SUM:
        return None
    length = np.einsum("i,i", way, way)
    inner = thumbs - thumbs[0]
    steps = np.diff(np.einsum("ij,j->i", inner, way) / length)
    if steps.max() > MAX_STEP or steps.min() < -MAX_FALL:
        return None
    return float(np.mean([_residual(each, way, length) for each in inner]))


def _residual(inner: Numbers, way: Numbers, length: float) -> float:
    weight = float(inner @ way) / length
    square = float(inner @ inner) / length - weight**2
    return float(max(square, 0.0) ** 0.5)
