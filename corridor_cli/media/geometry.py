"""The shape in which a picture is to be seen: its turn and mirroring, square pixels, a longest side."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from av.video.frame import VideoFrame
from PIL import Image

if TYPE_CHECKING:
    from corridor_cli.records import Pixels

# Pixels longer than this to one side are a mistake of the file.
MAX_PIXEL_RATIO = 4


@dataclass(frozen=True, slots=True)
class Orientation:
    """What makes a decoded picture upright: first swap the axes, then mirror."""

    is_transposed: bool = False
    is_mirrored_x: bool = False
    is_mirrored_y: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def rotation_degrees(self) -> int:
        """The clockwise turn in it: 0, 90, 180 or 270; a mirroring is counted as left-right."""
        if self.is_transposed:
            return 90 if not self.is_mirrored_y else 270
        return 180 if self.is_mirrored_y else 0

    @property
    def is_mirrored(self) -> bool:
        """Whether a mirroring is left when the turn is taken out."""
        return self.is_transposed ^ self.is_mirrored_x ^ self.is_mirrored_y

    def apply(self, picture: Pixels) -> Pixels:
        """The upright picture of uint8 (H, W, 3), contiguous."""
        if self.is_transposed:
            picture = picture.transpose(1, 0, 2)
        if self.is_mirrored_x:
            picture = picture[:, ::-1]
        if self.is_mirrored_y:
            picture = picture[::-1]
        return np.ascontiguousarray(picture)


UPRIGHT = Orientation()


def orientation_of(frame: VideoFrame) -> Orientation:
    """Read the display matrix a frame carries.

    Its first two rows are (a, b, u), (c, d, v): a point (x, y) is shown at (a·x + c·y, b·x + d·y). Only
    quarter turns and mirrorings are applied; any other angle goes to the nearest of them.
    """
    data: Any = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return UPRIGHT
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(data))
    is_transposed = abs(b) + abs(c) > abs(a) + abs(d)
    minor = (abs(a) + abs(d)) if is_transposed else (abs(b) + abs(c))
    major = (abs(b) + abs(c)) if is_transposed else (abs(a) + abs(d))
    warnings: tuple[str, ...] = ()
    if minor * 50 > major:
        warnings = ("the display matrix asks for a turn that is no multiple of 90°; the nearest one is made",)
    if is_transposed:
        return Orientation(True, c < 0, b < 0, warnings)
    return Orientation(False, a < 0, d < 0, warnings)


def square(picture: Pixels, pixel_ratio: Fraction | None) -> Pixels:
    """The picture, uint8 (H, W, 3), as it is to be seen: stretched along one side by the width of its pixels
    over their height. None, 1 and what no camera makes leave it alone.
    """
    if pixel_ratio is None or not 1 < max(pixel_ratio, 1 / pixel_ratio) <= MAX_PIXEL_RATIO:
        return picture
    height, width, _ = picture.shape
    is_wide = pixel_ratio > 1
    size = (round(width * pixel_ratio), height) if is_wide else (width, round(height / pixel_ratio))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def fitted(width_px: int, height_px: int, longest_px: int) -> tuple[int, int]:
    """The size with its longer side made `longest_px`."""
    longest = max(width_px, height_px)
    return max(1, round(width_px * longest_px / longest)), max(1, round(height_px * longest_px / longest))
