"""How large the pictures are that main has sent to a model: settled before the model is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from corridor_cli.pipeline.plan import ModelIdentity

OVERSAMPLING = 4
"""A picture of this many times the pixels of all its tiles has twice the detail in each direction, so that
the resize on the device still has something to filter."""

# The engine takes 1080p to a tile in 2.6 ms with 8-bit kernels; to shrink it bicubically beforehand took
# 52 ms of the worker: pictures up to the size of four such tiles go as they are.
_MIN_TILES = 4
# A reduction by whole boxes is cheap; what it leaves must still be more than the tiles show.
_ENOUGH_OVERSAMPLING = 2


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """`max_pixels` is what a slot holds. A larger picture is reduced by whole boxes where at least
    `enough_pixels` are left, else resized to fit; None always resizes."""

    max_pixels: int
    enough_pixels: int | None

    @property
    def slot_bytes(self) -> int:
        return 3 * self.max_pixels


def picture_limits(model: ModelIdentity, max_tiles: int) -> PictureLimits:
    """For the engine that `model` will run in. The generic one turns every pixel sent into work: it gets
    what its processor asks for and no more."""
    tile_pixels = model.tile_px**2
    if not model.cuts_tiles:
        return PictureLimits(OVERSAMPLING * max_tiles * tile_pixels, None)
    return PictureLimits(
        OVERSAMPLING * max(max_tiles, _MIN_TILES) * tile_pixels,
        _ENOUGH_OVERSAMPLING * max_tiles * tile_pixels,
    )
