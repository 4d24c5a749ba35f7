"""Planes of several frames together, and of two sizes made comparable: a video's may change in the middle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from corridor_cli.records import Planes

if TYPE_CHECKING:
    from corridor_cli.records import Pixels


class PlaneStack(NamedTuple):
    """The planes of n frames: `luma` (n, 1, h, w), and `chroma` (n, 2, h, w) of half that size."""

    luma: NDArray[np.uint8]
    chroma: NDArray[np.uint8]

    def but_first(self) -> PlaneStack:
        """Those of all frames but the first."""
        return PlaneStack(self.luma[1:], self.chroma[1:])


def stacked(planes: Sequence[Planes]) -> PlaneStack:
    """The planes of several frames of one size."""
    height, width = planes[0].u.shape
    chroma = np.stack([plane for each in planes for plane in (each.u, each.v)])
    luma = np.stack([each.y for each in planes])
    return PlaneStack(luma[:, np.newaxis], chroma.reshape(-1, 2, height, width))


def same_size(planes: Planes, like: Planes) -> Planes:
    """`planes` in the size of `like`, by nearest neighbour; itself where they agree."""
    if planes.y.shape == like.y.shape:
        return planes
    return Planes(*(_resized(plane, *other.shape) for plane, other in zip(planes, like, strict=True)))


def _resized(plane: Pixels, height: int, width: int) -> Pixels:
    rows = np.arange(height) * plane.shape[0] // height
    columns = np.arange(width) * plane.shape[1] // width
    resized: Pixels = plane[rows][:, columns]
    return resized
