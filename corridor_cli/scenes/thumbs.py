"""Thumbs: 32×18 box means of a frame's planes, and the distances between them.

Thumbs are whole numbers in eighths of a level, and so are all sums over them: the same frames give the same
bits on every machine, whatever the order in which numpy adds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from corridor_cli.records import Pixels

WIDTH = 32
HEIGHT = 18
SCALE = 8

Thumb = NDArray[np.int16]


def make_thumb(planes: Pixels) -> Thumb:
    """Box means of YUV planes, in eighths of a level: int16 (3, 18, 32)."""
    thumb: Thumb = make_thumbs(planes[np.newaxis])[0]
    return thumb


def make_thumbs(planes: NDArray[np.uint8]) -> NDArray[np.int16]:
    """The thumbs (n, 3, 18, 32) of n frames' planes (n, 3, h, w).

    Rows and columns which do not fill the last box are left out evenly at both edges.
    """
    num_frames, _, height, width = planes.shape
    if height < HEIGHT or width < WIDTH:
        rows = np.arange(max(height, HEIGHT)) * height // max(height, HEIGHT)
        columns = np.arange(max(width, WIDTH)) * width // max(width, WIDTH)
        planes = planes[:, :, rows][..., columns]
        _, _, height, width = planes.shape
    box_height, box_width = height // HEIGHT, width // WIDTH
    top, left = (height - HEIGHT * box_height) // 2, (width - WIDTH * box_width) // 2
    area = planes[:, :, top : top + HEIGHT * box_height, left : left + WIDTH * box_width]
    # Rows first, in 16 bits: a third of the time of a mean over both axes at once.
    narrow = np.uint16 if box_height <= 256 else np.uint32
    bands = np.add.reduce(area.reshape(num_frames, 3, HEIGHT, box_height, -1), axis=3, dtype=narrow)
    columns_last = np.ascontiguousarray(bands.reshape(-1, box_width).T)
    sums = np.add.reduce(columns_last, axis=0, dtype=np.int64).reshape(num_frames, 3, HEIGHT, WIDTH)
    num_pixels = box_height * box_width
    return np.asarray((sums * SCALE + num_pixels // 2) // num_pixels, np.int16)


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
    flat = thumb.reshape(3, -1).astype(np.int64)
    count = flat.shape[1]
    variance = (count * (flat * flat).sum(axis=1) - flat.sum(axis=1) ** 2) / (count * SCALE) ** 2
    return bool(variance.max() <= max_deviation**2)
