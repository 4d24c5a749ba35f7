"""Measures of windows of thumbs: how contrast sags, what lies beside a line, what is in both."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
_PART_SIZE = _PART_HEIGHT * _PART_WIDTH
_SCALES = (1.0, 1.35, 1.75)
# From here to as much before the end a way is followed: nearer to them motion counts for more than a blend.
_EARLY = 0.2


def _places(count: int, size: int, scale: float) -> NDArray[np.int64]:
    """`count` places around the middle of `size`, `scale` apart."""
    places = (np.arange(count) - (count - 1) / 2) * scale + (size - 1) / 2
    nearest: NDArray[np.int64] = np.rint(places).astype(np.int64)
    return nearest


# For each scale the places of its part in a row of luma.
_PARTS = np.array(
    [
        np.add.outer(
            _places(_PART_HEIGHT, HEIGHT, scale) * WIDTH, _places(_PART_WIDTH, WIDTH, scale)
        ).reshape(-1)
        for scale in _SCALES
    ]
)


def moments(rows: Numbers) -> tuple[Numbers, Numbers]:
    """Of (n, 3, pixels): the means of the planes (n, 3) in levels, and the weighted variance (n) in their
    squares. The sums are exact."""
    sums, squares = rows.sum(axis=2), np.einsum("npk,npk->np", rows, rows)
    variances = (_PLANE_SIZE * squares - sums * sums) / (_PLANE_SIZE * _PLANE_SIZE * _LEVELS)
    return sums / (_PLANE_SIZE * SCALE), _weighted(variances)


def mean_squares(differences: Numbers) -> Numbers:
    """Of (n, 3, pixels): the weighted mean squares (n), in squares of levels. The sums are exact."""
    return _weighted(np.einsum("npk,npk->np", differences, differences) / (_PLANE_SIZE * _LEVELS))


def _weighted(planes: Numbers) -> Numbers:
    """(n, 3) by the weights of the planes (n). Not a product of matrices, whose last bits hang on how many
    rows there are."""
    weighted: Numbers = (planes[:, 0] + 2 * (planes[:, 1] + planes[:, 2])) / 3
    return weighted


def textures(lumas: Numbers) -> Numbers:
    """Of (n, height, width): the mean squared differences between neighbours (n), in squares of levels."""
    across, down = lumas[:, :, 1:] - lumas[:, :, :-1], lumas[:, 1:] - lumas[:, :-1]
    sums = [np.einsum("nij,nij->n", each, each) / each[0].size for each in (across, down)]
    textures: Numbers = (sums[0] + sums[1]) / _LEVELS
    return textures


def line_between(values: Numbers) -> Numbers:
    """The straight lines between the first and the last of each row of (..., n), without them."""
    weights = np.arange(1, values.shape[-1] - 1) / (values.shape[-1] - 1)
    line: Numbers = (1 - weights) * values[..., :1] + weights * values[..., -1:]
    return line


def sags_of(variances: Numbers, details: Numbers) -> tuple[Numbers, Numbers]:
    """Of (n, steps + 1), by how much of what a mixture's would each variance lies below its line (n), and the
    misfit (n); `details` (n) are those of mixtures."""
    weights = np.arange(1, variances.shape[1] - 1) / (variances.shape[1] - 1)
    expected = weights * (1 - weights)
    below = (line_between(variances) - variances[:, 1:-1]) / details[:, np.newaxis]
    # No product of matrices here either.
    sags = np.einsum("ij,j->i", below, expected) / np.einsum("i,i", expected, expected)
    squares = (below - sags[:, np.newaxis] * expected) ** 2
    return sags, np.sqrt(squares.mean(axis=1))


def beside_the_line(rows: Numbers, way: Numbers) -> tuple[float, float]:
    """What is left beside the line from end to end, and how far the places on it are from even ones."""
    length = float(way @ way)
    inner = rows[1:-1] - rows[0]
    places = inner @ way / length
    squares = np.einsum("ij,ij->i", inner, inner) / length - places**2
    even = np.arange(1, len(rows) - 1) / (len(rows) - 1)
    residual = float(np.sqrt(np.maximum(squares, 0)).mean())
    return residual, float(np.sqrt(((places - even) ** 2).mean()))


def changing_part(rows: Numbers) -> tuple[int, int]:
    """Which of the rows (n, pixels) are the last of one picture and the first of the other: on a straight
    line through those where `_EARLY` of the way lies behind, and ahead. A dissolve fills the window it is
    most likely in; a wipe may be over in a third of it."""
    way = rows[-1] - rows[0]
    places = (rows - rows[0]) @ way / float(way @ way)
    early = int(np.flatnonzero(places <= _EARLY)[-1])
    late = early + int(np.argmax(places[early:] >= 1 - _EARLY))
    spare = round((late - early) * _EARLY / (1 - 2 * _EARLY))
    return max(0, early - spare), min(len(rows) - 1, late + spare)


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


def found_in(a: Numbers, b: Numbers) -> tuple[float, float]:
    """How well the middle of one of two pictures is found anywhere in the other one, -1 to 1, as it is and
    shrunk: what a camera that moves, and one that zooms, leaves of a picture."""
    likeness = np.maximum(_search(a, b), _search(b, a))
    return float(likeness[0]), float(likeness[1:].max())


def _search(picture: Numbers, other: Numbers) -> Numbers:
    """The best likeness of each of the `_SCALES`. All sums are exact."""
    parts = picture[_PARTS]
    views = np.lib.stride_tricks.sliding_window_view(
        other.reshape(HEIGHT, WIDTH), (_PART_HEIGHT, _PART_WIDTH)
    ).reshape(-1, _PART_SIZE)
    part_sums, view_sums = parts.sum(axis=1)[:, None], views.sum(axis=1)
    products = parts @ views.T - part_sums * view_sums / _PART_SIZE
    part_squares = np.einsum("sk,sk->s", parts, parts)[:, None] - part_sums * part_sums / _PART_SIZE
    view_squares = np.einsum("vk,vk->v", views, views) - view_sums * view_sums / _PART_SIZE
    best: Numbers = (products / np.sqrt(np.maximum(part_squares * view_squares, 1.0))).max(axis=1)
    return best
