"""The fixed work every contestant is given: the same frames, the same prompt, the same number of new tokens.

Only numpy is needed here, so that a contestant in a foreign environment can use it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

# Visible size of a frame and the `max_tiles` that makes 1, 3 or 9 tiles of it: 16:9 pictures make no other
# number. One tile is drawn at its own size: nobody resizes then, and no contestant gains or loses by it.
TILE_LAYOUTS = {1: (448, 448, 1), 3: (1280, 720, 2), 9: (1280, 720, 8)}
SENTENCE = "Describe this video frame in one or two sentences: the light, the colours, and what can be seen. "


@dataclass(frozen=True, slots=True)
class Workload:
    """Frames to caption in one round. `prompt` is the user's text, `output_tokens` what each caption has."""

    num_frames: int
    tiles: int
    prompt: str
    output_tokens: int

    @property
    def max_tiles(self) -> int:
        return TILE_LAYOUTS[self.tiles][2]

    def frames(self) -> list[Pixels]:
        """uint8 (height, width, 3), each different: a shaded ground, a bright square, a little noise."""
        width_px, height_px, _ = TILE_LAYOUTS[self.tiles]
        return [draw_frame(number, width_px, height_px) for number in range(self.num_frames)]


def draw_frame(number: int, width_px: int, height_px: int) -> Pixels:
    """A picture that follows from its number alone."""
    rng = np.random.default_rng(number)
    top, bottom, bright = rng.integers(0, 256, (3, 3))
    share = np.linspace(0, 1, height_px)[:, None, None]
    picture = np.broadcast_to(top * (1 - share) + bottom * share, (height_px, width_px, 3)).copy()
    side = height_px // 3
    y, x = rng.integers(0, height_px - side), rng.integers(0, width_px - side)
    picture[y : y + side, x : x + side] = bright
    return np.clip(picture + rng.integers(-8, 9, picture.shape), 0, 255).astype(np.uint8)


def prompt_of_length(num_characters: int) -> str:
    """A text of so many ASCII characters: with a tokenizer of bytes, so many tokens."""
    text = SENTENCE * (num_characters // len(SENTENCE) + 1)
    return text[:num_characters].strip().ljust(num_characters, ".")
