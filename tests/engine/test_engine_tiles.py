"""Tiles against the checkpoint family's own image processor, in its PIL form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from engine_samples import make_frame
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import (
    GotOcr2ImageProcessorPil,
    get_optimal_tiled_canvas,
)

from corridor_cli.engine.local.tiles import TileRule, choose_grid, count_tiles, cut_tiles, resize_in_float

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def rule(tile_px: int, max_tiles: int) -> TileRule:
    return TileRule(tile_px, max_tiles, MEAN, STD)


@settings(deadline=None, max_examples=500)
@given(st.integers(1, 4000), st.integers(1, 4000), st.sampled_from([112, 448]), st.integers(1, 40))
def test_the_grid_is_the_processors(width_px: int, height_px: int, tile_px: int, max_tiles: int) -> None:
    expected = get_optimal_tiled_canvas((height_px, width_px), (tile_px, tile_px), 1, max_tiles)
    assert choose_grid(width_px, height_px, tile_px, max_tiles) == expected


@pytest.mark.parametrize(("max_tiles", "expected"), [(1, 1), (2, 3), (6, 3), (8, 9), (12, 9)])
def test_a_wide_screen_frame_makes_one_three_or_nine_tiles(max_tiles: int, expected: int) -> None:
    assert count_tiles(1280, 720, rule(448, max_tiles)) == expected


def picture(kind: str, width_px: int, height_px: int) -> np.ndarray:
    """`smooth`: a gradient; `natural`: noise of all sizes, edges and grain, as in a photograph.

    Away from black and white: there Pillow's order of passes, which its versions choose differently, shows.
    """
    if kind == "smooth":
        across, down = np.meshgrid(np.linspace(0, 255, width_px), np.linspace(0, 255, height_px))
        return np.stack([across, down, (across + down) / 2], axis=-1).astype(np.uint8)
    rng = np.random.default_rng(width_px)
    total = make_frame(3, width_px, height_px).astype(np.float64)
    for size in (4, 16, 64):
        patches = rng.normal(0, 25, (height_px // size + 1, width_px // size + 1, 3))
        total += np.kron(patches, np.ones((size, size, 1)))[:height_px, :width_px]
    return np.clip(total, 32, 223).astype(np.uint8)


@pytest.mark.parametrize("kind", ["smooth", "natural"])
@pytest.mark.parametrize("max_tiles", [1, 6, 12])
@pytest.mark.parametrize("size", [(1280, 720), (300, 200), (448, 448), (120, 500), (97, 31), (16, 9)])
def test_pixels_are_the_processors_within_two_steps(kind: str, max_tiles: int, size: tuple[int, int]) -> None:
    frame = picture(kind, *size)
    processor = GotOcr2ImageProcessorPil(
        size={"height": 448, "width": 448}, image_mean=MEAN, image_std=STD, crop_to_patches=True,
        min_patches=1, max_patches=max_tiles,
    )  # fmt: skip
    expected = processor(frame, return_tensors="np")["pixel_values"]
    tiles = cut_tiles(torch.tensor(frame), rule(448, max_tiles)).numpy()
    assert tiles.shape == expected.shape
    steps = np.abs(tiles - expected) * np.array(STD).reshape(1, 3, 1, 1) * 255
    assert steps.max() < 2.01
    assert steps.mean() < 0.25


@pytest.mark.parametrize("size", [(1280, 720), (300, 200), (97, 31)])
def test_the_form_for_cuda_is_the_same_within_a_step(size: tuple[int, int]) -> None:
    frame = torch.tensor(make_frame(5, *size)).permute(2, 0, 1).unsqueeze(0)
    expected = functional.interpolate(frame, (448, 896), mode="bicubic", antialias=True)
    steps = (resize_in_float(frame, 448, 896).int() - expected.int()).abs()
    assert steps.max() <= 2
    assert steps.float().mean() < 0.1


def test_one_pixel_fills_its_tile() -> None:
    frame = torch.tensor([[[10, 20, 30]]], dtype=torch.uint8)
    tiles = cut_tiles(frame, TileRule(8, 6, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)))
    assert (tiles * 255).round().amax(dim=(0, 2, 3)).tolist() == [10, 20, 30]
    assert (tiles * 255).round().amin(dim=(0, 2, 3)).tolist() == [10, 20, 30]


def test_tiles_are_row_major_with_the_thumbnail_last() -> None:
    frame = np.zeros((8, 24, 3), dtype=np.uint8)
    for number in range(3):
        frame[:, number * 8 : number * 8 + 8] = 80 * number
    tiles = cut_tiles(torch.tensor(frame), TileRule(8, 3, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)))
    assert [round(float(tile.mean()) * 255) for tile in tiles] == [0, 80, 160, 80]


def test_channels_stay_red_green_blue() -> None:
    frame = np.zeros((8, 8, 3), dtype=np.uint8)
    frame[..., 0] = 255
    tiles = cut_tiles(torch.tensor(frame), TileRule(8, 1, (0.5, 0.25, 0.0), (0.5, 0.25, 1.0)))
    assert tiles[0].amax(dim=(1, 2)).tolist() == [1.0, -1.0, 0.0]
