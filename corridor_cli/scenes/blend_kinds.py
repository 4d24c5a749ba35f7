"""What a run of frames is that looks like a blend: a fade in or out, a dissolve, or none of them.

All limits below were chosen on the tuning half of the set of `scripts/eval_scenes.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from corridor_cli.scenes.thumbs import Thumb, cut_distance, is_flat

Direction = Literal["in", "out", "across"]
Luma = NDArray[np.int16] | NDArray[np.float64]

# The whole of a blend must be as large as a cut, and longer than what a whip pan blurs into.
MIN_DISTANCE = 10.0
MIN_STEPS = 6
FLAT_DEVIATION = 6.0
PLAIN_DEVIATION = 2.0
# A new light or a title on one picture: luma at the end is a straight line of luma at the start, but for the
# fifth of the picture that fits worst. Measured: 0.99 and more, against 0.75 in 95 of 100 distinct pairs.
MAX_CORRELATION = 0.9
FITTING_SHARE = 0.8
# Close to the line between its ends a blend is clear. Between pictures that move it strays from it; then it
# must lose contrast half-way, as the mixture of two unlike pictures does (a half of it) and what a camera
# sees on its way does not.
MAX_CLEAR_RESIDUAL = 0.10
# (residual at most, contrast loss at least)
MIXTURES = ((0.25, 0.2), (0.35, 0.3))


def classify(thumbs: Sequence[Thumb]) -> Direction | None:
    """Where the flat picture is in a run from one picture to another; None when it is no transition.

    Both ends may be one picture in another light or with a title, or the way between them a camera's.
    """
    start, end = thumbs[0], thumbs[-1]
    if len(thumbs) <= MIN_STEPS or cut_distance(start, end) < MIN_DISTANCE:
        return None
    for flat in (FLAT_DEVIATION, PLAIN_DEVIATION):
        is_start_flat, is_end_flat = is_flat(start, flat), is_flat(end, flat)
        if is_start_flat != is_end_flat:
            return "in" if is_start_flat else "out"
    if is_start_flat:
        return "across"
    return "across" if is_new_picture(start, end) and _is_mixture(thumbs) else None


def is_new_picture(before: Thumb, after: Thumb) -> bool:
    """Whether `after` is more than the same picture in another light or with a title; plain ones do
    not say.
    """
    if is_flat(before, PLAIN_DEVIATION) or is_flat(after, PLAIN_DEVIATION):
        return False
    return correlation(before[0], after[0]) <= MAX_CORRELATION


def _is_mixture(thumbs: Sequence[Thumb]) -> bool:
    """Whether what lies between the ends is mixed of them, and not another view of either."""
    rows = np.array([thumb.reshape(-1) for thumb in thumbs], np.float64)
    way, inner = rows[-1] - rows[0], rows - rows[0]
    length = np.einsum("i,i", way, way)
    weights = np.einsum("ij,j->i", inner, way) / length
    squares = np.einsum("ij,ij->i", inner, inner) / length - weights**2
    residual = float(np.sqrt(np.maximum(squares, 0)).mean())
    if residual <= MAX_CLEAR_RESIDUAL:
        return True
    loss = _contrast_loss(thumbs, weights)
    return any(residual <= most and loss >= least for most, least in MIXTURES)


def _contrast_loss(thumbs: Sequence[Thumb], weights: NDArray[np.float64]) -> float:
    """Which share of the luma variance that its ends would give is missing in the middle of a blend."""
    middle = int(np.abs(weights - 0.5).argmin())
    start, half, end = (float(thumbs[at][0].var()) for at in (0, middle, -1))
    expected = (1 - weights[middle]) * start + weights[middle] * end
    return 1 - half / max(float(expected), 1.0)


def correlation(before: Luma, after: Luma) -> float:
    """How far `after` is a straight line of `before` (two planes), -1 to 1, leaving out what fits worst."""
    x, y = before.reshape(-1).astype(np.float64), after.reshape(-1).astype(np.float64)
    kept = np.ones(x.size, np.bool_)
    last_fitting = int(FITTING_SHARE * (x.size - 1))
    for _ in range(3):
        centred = x - x[kept].mean()
        slope = (centred[kept] @ y[kept]) / max(float(centred[kept] @ centred[kept]), 1.0)
        misfit = np.abs(y - y[kept].mean() - slope * centred)
        kept = misfit <= np.partition(misfit, last_fitting)[last_fitting]
    x, y = x[kept] - x[kept].mean(), y[kept] - y[kept].mean()
    scale = float((x @ x) * (y @ y)) ** 0.5
    return float(x @ y) / scale if scale > 0 else 0.0
