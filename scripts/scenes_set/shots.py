"""Shots: pictures from one camera, drawn or out of a real clip. What happens in a shot opens no scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from PIL import Image, ImageDraw

from scenes_set.worlds import WORLD_HEIGHT, WORLD_WIDTH, Place, draw_sprite_colour, draw_world

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Size = tuple[int, int]

SLOW = ("still", "hand-held", "slow pan", "slow zoom")
FAST = ("fast pan", "whip pan", "fast zoom")


class Shot(Protocol):
    """`num_frames` pictures, uint8 (h, w, 3) RGB; `tags` say what is in it."""

    num_frames: int
    tags: tuple[str, ...]

    def picture(self, index: int) -> Pixels: ...


@dataclass(frozen=True)
class Sprite:
    """A thing that moves in a straight line: centre and speed as shares of the frame, per frame."""

    centre: tuple[float, float]
    speed: tuple[float, float]
    radius: float
    colour: tuple[int, int, int]


class DrawnShot:
    """A camera over a drawn world, with things that move in front of it."""

    def __init__(
        self, rng: np.random.Generator, place: Place, num_frames: int, motion: str, size: Size
    ) -> None:
        self.num_frames = num_frames
        self.tags: tuple[str, ...] = (motion,)
        self._size = size
        self._world = draw_world(rng, place)
        self._boxes = camera_path(rng, motion, num_frames, size)
        self._sprites = [draw_sprite(rng, place) for _ in range(int(rng.integers(0, 4)))]
        if self._sprites:
            self.tags += ("things",)

    def picture(self, index: int) -> Pixels:
        """The camera's picture, with the things in front."""
        frame = self._world.resize(self._size, Image.Resampling.BILINEAR, box=self._boxes[index])
        pen, (width, height) = ImageDraw.Draw(frame), self._size
        for sprite in self._sprites:
            x = (sprite.centre[0] + sprite.speed[0] * index) * width
            y = (sprite.centre[1] + sprite.speed[1] * index) * height
            r = sprite.radius * height
            pen.ellipse((x - r, y - r, x + r, y + r), fill=sprite.colour)
        return np.asarray(frame)


class ClipShot:
    """A stretch of a real clip that is one scene."""

    def __init__(self, pictures: Sequence[Pixels], name: str) -> None:
        self.num_frames = len(pictures)
        self.tags: tuple[str, ...] = ("real", name)
        self._pictures = pictures

    def picture(self, index: int) -> Pixels:
        """The clip's picture."""
        return self._pictures[index]


def draw_sprite(rng: np.random.Generator, place: Place) -> Sprite:
    """Slow or quick, small or up to half the frame's height."""
    speed = rng.uniform(0.001, 0.02)
    angle = rng.uniform(0, 2 * np.pi)
    return Sprite(
        (rng.uniform(0, 1), rng.uniform(0, 1)),
        (speed * float(np.cos(angle)), speed * float(np.sin(angle))),
        rng.uniform(0.04, 0.25),
        draw_sprite_colour(rng, place),
    )


def camera_path(
    rng: np.random.Generator, motion: str, num_frames: int, size: Size
) -> list[tuple[float, float, float, float]]:
    """For each frame the box of the world that is seen (left, top, right, bottom)."""
    centre = np.array([rng.uniform(0.35, 0.65) * WORLD_WIDTH, rng.uniform(0.4, 0.6) * WORLD_HEIGHT])
    heading = np.array([rng.choice([-1.0, 1.0]), rng.normal(0, 0.2)])
    steps = np.zeros((num_frames, 2))
    widths = np.full(num_frames, rng.uniform(0.35, 0.6) * WORLD_WIDTH)
    # In pixels of the world, of which about one and a half make one of a frame.
    if motion == "hand-held":
        steps = rng.normal(0, 1.2, (num_frames, 2))
    elif motion == "slow pan":
        steps[:] = heading * rng.uniform(0.7, 3.5)
    elif motion == "fast pan":
        steps[:] = heading * rng.uniform(8, 20)
    elif motion == "whip pan":
        start = int(rng.integers(num_frames // 4, max(num_frames // 4 + 1, num_frames // 2)))
        length = int(rng.integers(4, 9))
        bell = np.sin(np.linspace(0.2, np.pi - 0.2, length)) * rng.uniform(25, 60)
        steps[start : start + length] = bell[: num_frames - start, None] * heading
    elif motion in ("slow zoom", "fast zoom"):
        share = rng.uniform(0.002, 0.008) if motion == "slow zoom" else rng.uniform(0.02, 0.04)
        widths *= np.exp(rng.choice([-1, 1]) * share * np.arange(num_frames))
    places = centre + np.cumsum(steps, axis=0)
    return [_box(place, float(width), size) for place, width in zip(places, widths, strict=True)]


def _box(centre: np.ndarray[Any, Any], width: float, size: Size) -> tuple[float, float, float, float]:
    """A box of the frame's shape around a point, turned back at the edges of the world."""
    width = float(np.clip(width, 0.12 * WORLD_WIDTH, 0.95 * WORLD_WIDTH))
    height = min(width * size[1] / size[0], WORLD_HEIGHT * 0.95)
    left = _reflected(float(centre[0]) - width / 2, WORLD_WIDTH - width)
    top = _reflected(float(centre[1]) - height / 2, WORLD_HEIGHT - height)
    return left, top, left + width, top + height


def _reflected(value: float, reach: float) -> float:
    value = abs(value) % (2 * reach)
    return float(min(value, 2 * reach - value))
