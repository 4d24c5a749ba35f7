"""Measures of windows of thumbs: how contrast sags, what lies beside a line, what is in both."""

from __future__ import annotations

import numpy as np

from corridor_cli.scenes.mixture_terms import Numbers
from corridor_cli.scenes.thumbs import HEIGHT, SCALE, WIDTH

# Chroma counts double, as in `cut_distance`.
PLANE_WEIGHTS = np.array([1.0, 2.0, 2.0]) / 3

_PLANE_SIZE = HEIGHT * WIDTH
_LEVELS = float(SCALE * SCALE)
_BLOCK_HEIGHT, _BLOCK_WIDTH = 6, 8
_MIN_BLOCK_DETAIL = 16.0
_MIN_BLOCK_SAG = 0.2
# The middle of a picture, which is looked for anywhere in another one.
_PART_HEIGHT, _PART_WIDTH = 10, 16


def moments(rows: Numbers) -> tuple[Numbers, Numbers]:
    """Of (n, 3, pixels): the means of the planes (n, 3) in levels, and the weighted variance (n) in their
    squares. The sums are exact."""
    sums, squares = rows.sum(axis=2), np.einsum("npk,npk->np", rows, rows)
    variances = (_PLANE_SIZE * squares - sums * sums) / (_PLANE_SIZE * _PLANE_SIZE * _LEVELS)
    return sums / (_PLANE_SIZE * SCALE), variances @ PLANE_WEIGHTS


def mean_squares(differences: Numbers) -> Numbers:
    """Of (n, 3, pixels): the weighted mean squares (n), in squares of levels. The sums are exact."""
    squares = np.einsum("npk,npk->np", differences, differences) / (_PLANE_SIZE * _LEVELS)
    weighted: Numbers = squares @ PLANE_WEIGHTS
    return weighted


def textures(lumas: Numbers) -> Numbers:
    """Of (n, height, width): the mean squared differences between neighbours (n), in squares of levels."""
    across, down = lumas[:, :, 1:] - lumas[:, :, :-1], lumas[:, 1:] - lumas[:, :-1]
    sums = [np.einsum("nij,nij->n", each, each) / each[0].size for each in (across, down)]
    textures: Numbers = (sums[0] + sums[1]) / _LEVELS
    return textures


def line_between(values: Numbers) -> Numbers:
    """The straight line between the first and the last, without them."""
    weights = np.arange(1, len(values) - 1) / (len(values) - 1)
    if values.ndim == 2:
        weights = weights[:, None]
    line: Numbers = (1 - weights) * values[0] + weights * values[-1]
    return line


def sag_of(variance: Numbers, detail: float) -> tuple[float, float]:
    """By how much of what a mixture's would the variance lies below its line, and the misfit."""
    weights = np.arange(1, len(variance) - 1) / (len(variance) - 1)
    expected = weights * (1 - weights)
    below = (line_between(variance) - variance[1:-1]) / detail
    sag = float(below @ expected) / float(expected @ expected)
    return sag, float(np.sqrt(((below - sag * expected) ** 2).mean()))


def beside_the_line(rows: Numbers, way: Numbers) -> tuple[float, float]:
    """What is left beside the line from end to end, and how far the places on it are from even ones."""
    length = float(way @ way)
    inner = rows[1:-1] - rows[0]
    places = inner @ way / length
    squares = np.einsum("ij,ij->i", inner, inner) / length - places**2
    even = np.arange(1, len(rows) - 1) / (len(rows) - 1)
    residual = float(np.sqrt(np.maximum(squares, 0)).mean())
    return residual, float(np.sqrt(((places - even) ** 2).mean()))


def block_sags(lumas: Numbers) -> tuple[float, float]:
    """Of twelve blocks at the ends and the middle: the share in which contrast does not sag, and the median
    sag."""
    across, down = WIDTH // _BLOCK_WIDTH, HEIGHT // _BLOCK_HEIGHT
    blocks = lumas.reshape(3, down, _BLOCK_HEIGHT, across, _BLOCK_WIDTH).transpose(0, 1, 3, 2, 4)
    blocks = blocks.reshape(3, down * across, -1) / SCALE
    start, half, end = blocks.var(axis=2)
    detail = np.maximum((blocks[2] - blocks[0]).var(axis=1), _MIN_BLOCK_DETAIL)
    sags = 4 * ((start + end) / 2 - half) / detail
    return float((sags < _MIN_BLOCK_SAG).mean()), float(np.clip(np.median(sags), -1, 3))


def found_in(a: Numbers, b: Numbers, scale: float) -> float:
    """How well the middle of one of two pictures, shrunk by `scale`, is found anywhere in the other one,
    -1 to 1: what a camera that moves or zooms leaves of a picture."""
    first, second = a.reshape(HEIGHT, WIDTH), b.reshape(HEIGHT, WIDTH)
    return max(_search(first, second, scale), _search(second, first, scale))


def _search(picture: Numbers, other: Numbers, scale: float) -> float:
    rows, columns = (
        np.rint((np.arange(count) - (count - 1) / 2) * scale + (size - 1) / 2).astype(np.int64)
        for count, size in ((_PART_HEIGHT, HEIGHT), (_PART_WIDTH, WIDTH))
    )
    part = picture[rows][:, columns]
    part = part - part.mean()
    views = np.lib.stride_tricks.sliding_window_view(other, part.shape)
    sums, squares = np.einsum("abij->ab", views), np.einsum("abij,abij->ab", views, views)
    spread = (squares - sums * sums / part.size) * float((part * part).sum())
    likeness = np.einsum("abij,ij->ab", views, part) / np.sqrt(np.maximum(spread, 1.0))
    return float(likeness.max())
