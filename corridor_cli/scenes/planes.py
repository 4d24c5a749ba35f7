"""Planes of two sizes made comparable: the size of a video may change in the middle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from corridor_cli.records import Pixels


def same_size(planes: Pixels, like: Pixels) -> Pixels:
    """`planes` with the height and width of `like`, by nearest neighbour; itself where they agree."""
    if planes.shape == like.shape:
        return planes
    height, width = like.shape[1:]
    rows = np.arange(height) * planes.shape[1] // height
    columns = np.arange(width) * planes.shape[2] // width
    return planes[:, rows][:, :, columns]
