"""Frames to tiles, on the device, from uint8: what the checkpoint's image processor does, without it.

transformers calls a tile a *patch* and needs torchvision for its fast processor; this is the same rule in
plain torch. Against the processor's PIL form the pixels differ by at most 2/255 (see the tests), except
where bicubic overshoot is clipped between the two passes of a resize and Pillow runs them in the other order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class TileRule:
    """How a checkpoint wants its pixels; mean and deviation are RGB on the 0..1 scale."""

    tile_px: int
    max_tiles: int
    image_mean: tuple[float, float, float]
    image_std: tuple[float, float, float]


@lru_cache(maxsize=4096)
def choose_grid(width_px: int, height_px: int, tile_px: int, max_tiles: int) -> tuple[int, int]:
    """Columns and rows of tiles: the grid of at most `max_tiles` with the nearest aspect ratio.

    Among equally near grids the largest that the picture fills by more than half wins, else the smallest.
    """
    grids = [
        (columns, rows) for columns in range(1, max_tiles + 1) for rows in range(1, max_tiles // columns + 1)
    ]
    grids.sort(key=lambda grid: grid[0] * grid[1])  # stable: fewer columns first among equals

    def distance(grid: tuple[int, int]) -> float:
        return abs(width_px / height_px - grid[0] / grid[1])

    nearest = min(map(distance, grids))
    tied = [grid for grid in grids if distance(grid) == nearest]
    half_full = [grid for grid in tied if width_px * height_px > 0.5 * tile_px**2 * grid[0] * grid[1]]
    return half_full[-1] if half_full else tied[0]


def count_tiles(width_px: int, height_px: int, rule: TileRule) -> int:
    """Tiles a frame makes: its grid, and a thumbnail when the grid has more than one."""
    columns, rows = choose_grid(width_px, height_px, rule.tile_px, rule.max_tiles)
    return columns * rows + (columns * rows > 1)


def cut_tiles(frame: torch.Tensor, rule: TileRule) -> torch.Tensor:
    """Tiles of one frame: uint8 (height, width, 3) to float32 (tiles, 3, tile_px, tile_px), normalised.

    Row-major, the thumbnail of the whole frame last.
    """
    height_px, width_px, _ = frame.shape
    side = rule.tile_px
    columns, rows = choose_grid(width_px, height_px, side, rule.max_tiles)
    picture = frame.permute(2, 0, 1).unsqueeze(0)
    canvas = _resize(picture, rows * side, columns * side)[0]
    tiles = canvas.reshape(3, rows, side, columns, side).permute(1, 3, 0, 2, 4).reshape(-1, 3, side, side)
    if columns * rows > 1:
        tiles = torch.cat([tiles, _resize(picture, side, side)])
    mean, std = _mean_and_std(rule, frame.device)
    return (tiles.float() / 255 - mean) / std


@lru_cache(maxsize=16)
def _mean_and_std(rule: TileRule, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Each (3, 1, 1), made once: to copy them for each frame would wait for all that the device has to do."""
    mean, std = (torch.tensor(part, device=device) for part in (rule.image_mean, rule.image_std))
    return mean.view(3, 1, 1), std.view(3, 1, 1)


def _resize(picture: torch.Tensor, height_px: int, width_px: int) -> torch.Tensor:
    """Bicubic with antialiasing, uint8 (1, 3, h, w) in and out."""
    if picture.shape[-2:] == (height_px, width_px):
        return picture
    if picture.device.type == "cpu":
        return functional.interpolate(picture, (height_px, width_px), mode="bicubic", antialias=True)
    return resize_in_float(picture, height_px, width_px)


def resize_in_float(picture: torch.Tensor, height_px: int, width_px: int) -> torch.Tensor:
    """The same for devices without an 8-bit kernel, as CUDA.

    One pass an axis, rounded between them as the 8-bit kernels do: in a single pass, overshoot is clipped
    elsewhere and pixels at hard edges differ by up to 10 steps (measured on the CPU against Pillow).
    """
    for size in ((picture.shape[-2], width_px), (height_px, width_px)):
        resized = functional.interpolate(picture.float(), size, mode="bicubic", antialias=True)
        picture = resized.round().clamp(0, 255).to(torch.uint8)
    return picture
