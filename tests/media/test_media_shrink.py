"""Pictures made small: within the limit, no smaller than they must be, and still the same picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from corridor_cli.media.shrink import shrink
from corridor_cli.pipeline.plan import ModelIdentity
from corridor_cli.runners.picture_limits import picture_limits

ONE_TILE = picture_limits(ModelIdentity("m", "auto", 448, cuts_tiles=True), max_tiles=1)


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 4000), st.none() | st.integers(1, 4000))
def test_every_picture_fits_and_small_ones_are_left_alone(
    width: int, height: int, max_pixels: int, enough: int | None
) -> None:
    picture = np.zeros((height, width, 3), np.uint8)
    small = shrink(picture, max_pixels, enough)
    assert small.shape[0] * small.shape[1] <= max_pixels
    assert small.shape[2] == 3
    if width * height <= max_pixels:
        assert small is picture
    elif enough is not None and small.shape[0] * small.shape[1] < enough:
        assert enough > max_pixels / 4, "boxes may not leave less than is enough"


@pytest.mark.parametrize(
    ("width", "height", "max_tiles", "expected"),
    [
        (1280, 720, 1, (1280, 720)),
        (1920, 1080, 1, (1920, 1080)),
        (3840, 2160, 1, (1920, 1080)),
        (3840, 2160, 12, (3840, 2160)),
        (7680, 4320, 12, (3840, 2160)),
        (1, 9_000_000, 1, (1, 3_000_000)),
    ],
)
def test_what_a_run_makes_of_usual_sizes(
    width: int, height: int, max_tiles: int, expected: tuple[int, int]
) -> None:
    limits = picture_limits(ModelIdentity("m", "auto", 448, cuts_tiles=True), max_tiles)
    small = shrink(np.zeros((height, width, 3), np.uint8), limits.max_pixels, limits.enough_pixels)
    assert (small.shape[1], small.shape[0]) == expected


def test_a_model_that_takes_any_size_gets_no_more_than_it_asks_for() -> None:
    limits = picture_limits(ModelIdentity("m", "auto", 512, cuts_tiles=False), max_tiles=1)
    small = shrink(np.zeros((1080, 1920, 3), np.uint8), limits.max_pixels, limits.enough_pixels)
    assert small.shape[0] * small.shape[1] <= 1024**2
    assert small.shape[1] / small.shape[0] == pytest.approx(16 / 9, rel=0.01)


def test_boxes_show_the_model_the_same_picture() -> None:
    """4K through boxes and then to a tile, against 4K to a tile: nothing but rounding and soft edges."""
    rows, columns = np.mgrid[0:2160, 0:3840]
    waves = 127 + 60 * np.sin(columns / 37) + 60 * np.cos(rows / 23)
    picture = np.repeat(waves.astype(np.uint8)[..., None], 3, axis=2)
    picture[700:1500, 1200:2900] = (250, 20, 90)
    small = shrink(picture, ONE_TILE.max_pixels, ONE_TILE.enough_pixels)
    shown, expected = (
        np.asarray(Image.fromarray(each).resize((448, 448), Image.Resampling.BICUBIC), np.int16)
        for each in (small, picture)
    )
    assert np.abs(shown - expected).mean() < 0.5
