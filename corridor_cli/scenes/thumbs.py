"""Thumbs: 32×18 box means of a frame's planes, and the distances between them.

Thumbs are whole numbers in eighths of a level, and so are all sums over them: the same frames give the same
bits on every machine, whatever the order in which numpy adds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from corridor_cli.scenes.planes import PlaneStack, stacked

if TYPE_CHECKING:
    from corridor_cli.records import Planes

WIDTH = 32
HEIGHT = 18
SCALE = 8

Thumb = NDArray[np.int16]

# Sums of so many levels of 255 fit in 16 bits.
_MAX_ROWS_IN_16_BITS = (2**16 - 1) // 255


def make_thumb(planes: Planes) -> Thumb:
    """Box means of YUV planes, in eighths of a level: int16 (3, 18, 32)."""
    thumb: Thumb = make_thumbs(stacked([planes]))[0]
    return thumb


def make_thumbs(stack: PlaneStack) -> NDArray[np.int16]:
    """The thumbs (n, 3, 18, 32) of n frames. Where rows or columns do not go up in the boxes, some count
    twice, evenly spread."""
    return np.concatenate([_box_means(stack.luma), _box_means(stack.chroma)], axis=1)


def _box_means(planes: NDArray[np.uint8]) -> NDArray[np.int16]:
    """(n, p, 18, 32) of (n, p, h, w), in eighths of a level."""
    # Boxes of several sizes (`np.add.reduceat`) take ten times as long.
    planes = _stretched(_stretched(planes, 2, HEIGHT), 3, WIDTH)
    num_frames, num_planes, height, width = planes.shape
    box_height, box_width = height // HEIGHT, width // WIDTH
    num_pixels = box_height * box_width
    # Row by row in 16 bits, and column by column in 32 (enough for two million pixels): a third of the time
    # of numpy's own sums over axes.
    narrow = np.dtype(np.uint16 if box_height <= _MAX_ROWS_IN_16_BITS else np.uint32)
    rows = planes.reshape(num_frames, num_planes, HEIGHT, box_height, width)
    bands: NDArray[Any] = rows[:, :, :, 0].astype(narrow)
    for row in range(1, box_height):
        bands += rows[:, :, :, row]
    sums: NDArray[Any] = bands[..., ::box_width].astype(np.uint32)
    for column in range(1, box_width):
        sums += bands[..., column::box_width]
    return np.asarray((sums * SCALE + num_pixels // 2) // num_pixels, np.int16)


def _stretched(planes: NDArray[np.uint8], axis: int, number: int) -> NDArray[np.uint8]:
    """The rows or columns brought to the next multiple of `number`, by nearest neighbour."""
    size = planes.shape[axis]
    if size % number == 0:
        return planes
    whole = -(-size // number) * number
    stretched: NDArray[np.uint8] = planes.take(np.arange(whole) * size // whole, axis)
    return stretched


def plane_distances(a: Thumb, b: Thumb) -> tuple[float, float, float]:
    """Mean absolute difference of each plane, in levels."""
    sums = np.abs(a - b).reshape(3, -1).sum(axis=1, dtype=np.int64)
    y, u, v = (int(total) / (SCALE * WIDTH * HEIGHT) for total in sums)
    return y, u, v


def cut_distance(a: Thumb, b: Thumb) -> float:
    """(ΔY + 2ΔU + 2ΔV) / 3: the weighting in which cuts stand out best from motion."""
    y, u, v = plane_distances(a, b)
    return (y + 2 * u + 2 * v) / 3


def mean_luma(thumb: Thumb) -> float:
    """The mean of Y, in levels."""
    return int(thumb[0].sum(dtype=np.int64)) / (SCALE * WIDTH * HEIGHT)


def look_distance(a: Thumb, b: Thumb) -> float:
    """ΔY + ΔU + ΔV: about the mean absolute difference of the two pictures in RGB, used for duplicates."""
    return sum(plane_distances(a, b))


def is_flat(thumb: Thumb, max_deviation: float) -> bool:
    """Whether the picture is one colour: no plane deviates by more than `max_deviation` levels (rms)."""
    values = thumb.reshape(3, -1).astype(np.float64)  # whole numbers: the sums are exact
    count = values.shape[1]
    squares = np.einsum("pk,pk->p", values, values)
    variance = (count * squares - values.sum(axis=1) ** 2) / (count * SCALE) ** 2
    return bool(variance.max() <= max_deviation**2)
