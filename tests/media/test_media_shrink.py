"""Pictures made small: within the limit, no smaller than they must be, and still the same picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from corridor_cli.media.shrink import PickPicture
from corridor_cli.pipeline.plan import ModelIdentity
from corridor_cli.runners.picture_limits import picture_limits
from corridor_cli.settings import FrameSettings

ONE_TILE = picture_limits(ModelIdentity("m", "auto", 448, cuts_tiles=True), max_tiles=1)


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 4000), st.none() | st.integers(1, 4000))
def test_every_picture_fits_and_small_ones_are_left_alone(
    width: int, height: int, max_pixels: int, enough: int | None
) -> None:
    picture = np.zeros((height, width, 3), np.uint8)
    small = PickPicture(picture).shrunk(max_pixels, enough)
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
    small = PickPicture(np.zeros((height, width, 3), np.uint8)).shrunk(
        limits.max_pixels, limits.enough_pixels
    )
    assert (small.shape[1], small.shape[0]) == expected


def test_a_model_that_takes_any_size_gets_no_more_than_it_asks_for() -> None:
    limits = picture_limits(ModelIdentity("m", "auto", 512, cuts_tiles=False), max_tiles=1)
    small = PickPicture(np.zeros((1080, 1920, 3), np.uint8)).shrunk(limits.max_pixels, limits.enough_pixels)
    assert small.shape[0] * small.shape[1] <= 1024**2
    assert small.shape[1] / small.shape[0] == pytest.approx(16 / 9, rel=0.01)


def test_boxes_show_the_model_the_same_picture() -> None:
    """4K through boxes and then to a tile, against 4K to a tile: nothing but rounding and soft edges."""
    rows, columns = np.mgrid[0:2160, 0:3840]
    waves = 127 + 60 * np.sin(columns / 37) + 60 * np.cos(rows / 23)
    picture = np.repeat(waves.astype(np.uint8)[..., None], 3, axis=2)
    picture[700:1500, 1200:2900] = (250, 20, 90)
    small = PickPicture(picture).shrunk(ONE_TILE.max_pixels, ONE_TILE.enough_pixels)
    shown, expected = (
        np.asarray(Image.fromarray(each).resize((448, 448), Image.Resampling.BICUBIC), np.int16)
        for each in (small, picture)
    )
    assert np.abs(shown - expected).mean() < 0.5


@pytest.mark.parametrize(
    ("size", "expected"),
    [((3840, 2160), (320, 180)), ((720, 1281), (180, 320)), ((320, 10), (320, 10)), ((2000, 1), (320, 1))],
)
def test_a_thumbnail_has_the_size_that_was_asked_for(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    picture = PickPicture(np.full((size[1], size[0], 3), (200, 90, 30), np.uint8))
    before = picture.shrunk(1_000_000)
    saved = picture.saved(FrameSettings())
    assert saved is not None
    shown = Image.open(io.BytesIO(saved))
    assert shown.size == expected
    assert np.abs(np.asarray(shown, np.int16) - (200, 90, 30)).max() <= 3
    assert np.array_equal(picture.shrunk(1_000_000), before), "neither changes what the other one gets"
