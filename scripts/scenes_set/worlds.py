"""Pictures larger than a frame, drawn from a seed, for a camera to look at.

A place has a palette and a size of its texture; two worlds of one place look alike, as two angles of one room
do.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

WORLD_WIDTH, WORLD_HEIGHT = 960, 540


@dataclass(frozen=True)
class Place:
    """What worlds of one place share: hues 0 to 1, and how saturated and bright colours are."""

    hues: tuple[float, ...]
    saturation: float
    value: float
    roughness: float


def draw_place(rng: np.random.Generator) -> Place:
    """A place of three or four hues, two of them near each other as in most pictures."""
    first = rng.uniform()
    hues = (first, (first + rng.normal(0, 0.06)) % 1, rng.uniform(), rng.uniform())
    return Place(hues, rng.uniform(0.1, 0.8), rng.uniform(0.45, 0.95), rng.uniform(0.15, 0.6))


def draw_world(rng: np.random.Generator, place: Place) -> Image.Image:
    """A ground shaded from top to bottom, things standing on it, and texture over all: RGB."""
    ground = _ground(rng, place)
    pen = ImageDraw.Draw(ground)
    for _ in range(int(rng.integers(10, 60))):
        _draw_thing(rng, place, pen)
    return Image.fromarray(_textured(rng, np.asarray(ground), place.roughness))


def draw_sprite_colour(rng: np.random.Generator, place: Place) -> tuple[int, int, int]:
    """The colour of something that moves: often one that is not the place's own."""
    hue = rng.choice(place.hues) if rng.uniform() < 0.5 else rng.uniform()
    return _colour(float(hue), rng.uniform(0.2, 0.9), rng.uniform(0.2, 1.0))


def _ground(rng: np.random.Generator, place: Place) -> Image.Image:
    top = np.array(_colour(place.hues[0], place.saturation, place.value * rng.uniform(0.6, 1.0)))
    below = np.array(_colour(place.hues[1], place.saturation, place.value * rng.uniform(0.3, 0.9)))
    share = np.linspace(0, 1, WORLD_HEIGHT)[:, None, None]
    horizon = rng.uniform(0.3, 0.7)
    share = np.where(share < horizon, share * 0.5, 0.5 + share * 0.5)
    rows = top * (1 - share) + below * share
    return Image.fromarray(
        np.ascontiguousarray(np.broadcast_to(rows, (WORLD_HEIGHT, WORLD_WIDTH, 3))).astype(np.uint8)
    )


def _draw_thing(rng: np.random.Generator, place: Place, pen: ImageDraw.ImageDraw) -> None:
    x, y = rng.uniform(0, WORLD_WIDTH), rng.uniform(0.1, 1) * WORLD_HEIGHT
    width, height = rng.uniform(8, 120), rng.uniform(8, 160)
    hue = float(rng.choice(place.hues))
    colour = _colour(hue, place.saturation * rng.uniform(0.3, 1.2), place.value * rng.uniform(0.2, 1.1))
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    if rng.uniform() < 0.5:
        pen.rectangle(box, fill=colour)
    elif rng.uniform() < 0.6:
        pen.ellipse(box, fill=colour)
    else:
        pen.polygon([(x, y - height / 2), (x + width / 2, y + height / 2), (x - width, y)], fill=colour)


def _textured(rng: np.random.Generator, picture: Pixels, roughness: float) -> Pixels:
    """Noise of three sizes, the coarse the strongest, as leaves, cloth and walls have it."""
    total = np.zeros((WORLD_HEIGHT, WORLD_WIDTH), np.float32)
    for cells, share in ((12, 0.5), (48, 0.3), (192, 0.2)):
        small = rng.normal(0, 1, (cells * WORLD_HEIGHT // WORLD_WIDTH, cells)).astype(np.float32)
        grown = Image.fromarray(small).resize((WORLD_WIDTH, WORLD_HEIGHT), Image.Resampling.BICUBIC)
        total += share * np.asarray(grown)
    textured = picture * (1 + roughness * 0.5 * total[..., None])
    return np.clip(textured, 0, 255).astype(np.uint8)


def _colour(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, min(max(saturation, 0), 1), min(max(value, 0), 1))
    return int(255 * red), int(255 * green), int(255 * blue)
