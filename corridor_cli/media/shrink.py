"""Full-size RGB made small: for shared memory, and as JPEG for saved picks."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from corridor_cli.records import Pixels


def shrink(rgb: Pixels, max_pixels: int) -> Pixels:
    """The picture, uint8 (H, W, 3), made small enough to have at most `max_pixels`; never enlarged.

    Bicubic with antialiasing, as the model's own processor resizes; the aspect ratio is kept to a pixel.
    """
    height_px, width_px, _ = rgb.shape
    scale = math.sqrt(max_pixels / (height_px * width_px))
    if scale >= 1:
        return rgb
    size = (max(1, int(width_px * scale)), max(1, min(int(height_px * scale), max_pixels)))
    if size[0] * size[1] > max_pixels:  # one side was lifted to a pixel
        size = (min(size[0], max_pixels), 1) if size[1] == 1 else (1, min(size[1], max_pixels))
    resized = Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
    return np.asarray(resized)


def encode_jpeg(rgb: Pixels, max_side_px: int | None, quality: int = 85) -> bytes:
    """JPEG bytes of the picture, its longer side at most `max_side_px` (None keeps the size)."""
    picture = Image.fromarray(rgb)
    if max_side_px is not None:
        picture.thumbnail((max_side_px, max_side_px), Image.Resampling.BICUBIC, reducing_gap=2.0)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
