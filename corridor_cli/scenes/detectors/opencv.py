"""What OpenCV does to a picture before PySceneDetect scores it, to the bit, in numpy.

Held against OpenCV 5.0 on x86-64 by the tests. The resize is `cv2.resize` with `INTER_LINEAR` for 8 bits,
with the truncations of its vector code; the conversion is `cv2.cvtColor` with `COLOR_RGB2HSV`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from corridor_cli.records import Pixels

# PySceneDetect shrinks so that the longer side has this many pixels.
EFFECTIVE_PX = 256
_COEF_ONE = 2048


def small_size(width: int, height: int) -> tuple[int, int]:
    """The width and height at which PySceneDetect scores a picture; smaller ones stay as they are."""
    longest = max(width, height)
    if longest < EFFECTIVE_PX:
        return width, height
    scale = longest / EFFECTIVE_PX
    return max(1, round(width / scale)), max(1, round(height / scale))


class Shrinker:
    """Bilinear shrinking of pictures of one size to PySceneDetect's."""

    def __init__(self, width: int, height: int) -> None:
        small_width, small_height = small_size(width, height)
        self._is_needed = (small_width, small_height) != (width, height)
        self._columns = _taps(small_width, width)
        self._rows = _taps(small_height, height)

    def apply(self, rgb: Pixels) -> Pixels:
        """uint8 (h, w, 3) from uint8 (H, W, 3)."""
        if not self._is_needed:
            return rgb
        rows = self._rows
        above = self._horizontal(rgb[rows.first]) >> 4
        below = self._horizontal(rgb[rows.second]) >> 4
        above *= rows.first_share[:, None, None]
        below *= rows.second_share[:, None, None]
        above >>= 16
        below >>= 16
        above += below
        above += 2
        above >>= 2
        return above.astype(np.uint8)

    def _horizontal(self, rows: Pixels) -> NDArray[np.int32]:
        columns = self._columns
        left = rows[:, columns.first].astype(np.int32)
        left *= columns.first_share[:, None]
        right = rows[:, columns.second].astype(np.int32)
        right *= columns.second_share[:, None]
        left += right
        return left


@dataclass(frozen=True, slots=True)
class _Taps:
    """For each small position the two large ones it is mixed of, and their shares in 2048ths."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    first_share: NDArray[np.int32]
    second_share: NDArray[np.int32]


def _taps(num_small: int, num_large: int) -> _Taps:
    place = ((np.arange(num_small) + 0.5) * (num_large / num_small) - 0.5).astype(np.float32)
    first = np.floor(place).astype(np.int64)
    share = place - first.astype(np.float32)
    share[(first < 0) | (first >= num_large - 1)] = 0
    first = np.clip(first, 0, num_large - 1)
    one = np.float32(_COEF_ONE)
    return _Taps(
        first,
        np.minimum(first + 1, num_large - 1),
        np.rint((np.float32(1) - share) * one).astype(np.int32),
        np.rint(share * one).astype(np.int32),
    )


# Reciprocals in 4096ths: 255 / v for the saturation, 30 / chroma for the hue.
_LEVELS = np.maximum(np.arange(256), 1)
_SATURATION_OF = np.rint(255 * 4096 / _LEVELS).astype(np.int32)
_HUE_OF = np.rint(180 * 4096 / (6.0 * _LEVELS)).astype(np.int32)
_SATURATION_OF[0] = _HUE_OF[0] = 0


def to_hsv(rgb: Pixels) -> Pixels:
    """uint8 (3, h, w): hue 0 to 179, saturation and value 0 to 255, from uint8 (h, w, 3) RGB."""
    red, green, blue = np.ascontiguousarray(np.moveaxis(rgb, 2, 0)).astype(np.int32)
    value = np.maximum(np.maximum(red, green), blue)
    chroma = value - np.minimum(np.minimum(red, green), blue)
    saturation = chroma * _SATURATION_OF[value]
    saturation += 2048
    saturation >>= 12
    is_green = value == green
    hue = np.where(is_green, blue - red + 2 * chroma, red - green + 4 * chroma)
    np.copyto(hue, green - blue, where=value == red)
    hue *= _HUE_OF[chroma]
    hue += 2048
    hue >>= 12
    hue[hue < 0] += 180
    return np.stack((hue, saturation, value)).astype(np.uint8)
