"""What happens to a shot's pictures without ending it: grain, darkness, changes of light, flashes,
repeats.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scenes_set.shots import Shot

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

_GRAIN_TILE = 512


class Grain:
    """The same shot with film grain of `amount` levels (rms)."""

    def __init__(self, shot: Shot, rng: np.random.Generator, amount: float) -> None:
        self.num_frames, self.tags = shot.num_frames, (*shot.tags, "grain")
        self._shot = shot
        self._tile = rng.normal(0, amount, (_GRAIN_TILE, _GRAIN_TILE, 1)).astype(np.float32)
        self._offsets = rng.integers(0, 128, (shot.num_frames, 2))

    def picture(self, index: int) -> Pixels:
        """With another stretch of the grain every time."""
        picture = self._shot.picture(index)
        top, left = self._offsets[index]
        grain = self._tile[top : top + picture.shape[0], left : left + picture.shape[1]]
        return _rounded(picture + grain)


class Dark:
    """The same shot by night: a share of the light, and a little noise as cameras then have."""

    def __init__(self, shot: Shot, rng: np.random.Generator, share: float) -> None:
        inner = Grain(shot, rng, 8.0)
        self.num_frames, self.tags = shot.num_frames, (*shot.tags, "dark")
        self._shot, self._share = inner, share

    def picture(self, index: int) -> Pixels:
        """A share of the light."""
        return _rounded(self._shot.picture(index) * np.float32(self._share))


class Light:
    """The same shot while the light goes down or up, by a share, over some of its frames."""

    def __init__(self, shot: Shot, rng: np.random.Generator) -> None:
        self.num_frames, self.tags = shot.num_frames, (*shot.tags, "light")
        self._shot = shot
        length = int(rng.integers(6, 30))
        start = int(rng.integers(0, max(1, shot.num_frames - length)))
        low = rng.uniform(0.4, 0.75)
        ramp = np.interp(np.arange(shot.num_frames), [start, start + length], [1.0, low])
        self._gains = ramp if rng.uniform() < 0.5 else ramp[::-1]

    def picture(self, index: int) -> Pixels:
        """In the light of that moment."""
        return _rounded(self._shot.picture(index) * np.float32(self._gains[index]))


class Flash:
    """The same shot with flashes of one to three frames, as of cameras or lightning."""

    def __init__(self, shot: Shot, rng: np.random.Generator, num_flashes: int, max_frames: int) -> None:
        self.num_frames, self.tags = shot.num_frames, (*shot.tags, "flash")
        self._shot = shot
        self._strength = np.zeros(shot.num_frames)
        for _ in range(num_flashes):
            length = int(rng.integers(1, max_frames + 1))
            # A flash beside a cut belongs to nobody: five frames are left at both ends.
            start = int(rng.integers(5, max(6, shot.num_frames - 5 - length)))
            fading = np.linspace(1, rng.uniform(0.4, 1), length)
            self._strength[start : start + length] = rng.uniform(0.4, 1) * fading

    def picture(self, index: int) -> Pixels:
        """Mixed with white."""
        picture, share = self._shot.picture(index), np.float32(self._strength[index])
        return picture if share == 0 else _rounded(picture * (1 - share) + 255 * share)


class OnTwos:
    """The same shot with every picture shown two or three times, as drawn animation is."""

    def __init__(self, shot: Shot, repeats: int) -> None:
        self.num_frames, self.tags = shot.num_frames, (*shot.tags, "repeats")
        self._shot, self._repeats = shot, repeats

    def picture(self, index: int) -> Pixels:
        """The first of its group."""
        return self._shot.picture(index - index % self._repeats)


def with_effects(shot: Shot, rng: np.random.Generator, rate: float) -> Shot:
    """Perhaps one or two effects, most often none; real clips are only flashed at."""
    is_real = "real" in shot.tags
    if not is_real and rng.uniform() < 0.08:
        shot = OnTwos(shot, 2 if rate < 40 else 3)
    if not is_real and rng.uniform() < 0.12:
        shot = Light(shot, rng)
    if not is_real and rng.uniform() < 0.12:
        shot = Dark(shot, rng, rng.uniform(0.12, 0.3))
    elif not is_real and rng.uniform() < 0.2:
        shot = Grain(shot, rng, rng.uniform(2, 9))
    if shot.num_frames >= 20 and rng.uniform() < 0.18:
        shot = Flash(shot, rng, int(rng.integers(1, 4)), 3 if rate < 40 else 5)
    return shot


def _rounded(picture: np.ndarray[Any, Any]) -> Pixels:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)
