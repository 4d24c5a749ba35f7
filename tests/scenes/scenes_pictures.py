"""Drawn frames for the scene tests: moving pictures, cuts, blends and noise, made with numpy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from corridor_cli.records import Planes
from corridor_cli.scenes.find import FoundScene, SceneFinder
from corridor_cli.settings import FrameSettings, SceneSettings

WIDTH, HEIGHT = 128, 72
Picture = NDArray[np.float64]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class DrawnFrame:
    """A `ScanFrame` without a file behind it."""

    index: int
    time: Fraction
    planes: Planes = field(repr=False)
    size_px: tuple[int, int] = (WIDTH, HEIGHT)
    is_intra: bool = False
    bytes_per_pixel: float = 1.5

    @property
    def num_bytes(self) -> int:
        """Of 8 bits in 4:2:0."""
        return int(self.size_px[0] * self.size_px[1] * self.bytes_per_pixel)

    def rgb(self) -> Pixels:
        """Not a conversion: the planes themselves, as height × width × 3."""
        height, width = self.planes.y.shape
        colours = [np.repeat(np.repeat(plane, 2, 0), 2, 1)[:height, :width] for plane in self.planes[1:]]
        return np.stack([self.planes.y, *colours], axis=2)

    def small_rgb(self, size_px: tuple[int, int]) -> Pixels | None:
        """Drawn small enough."""
        return None


def scenery(seed: int, height: int = HEIGHT, width: int = 3 * WIDTH) -> Picture:
    """A wide picture of soft blobs and hard edges in YUV (3, h, w), to be panned and zoomed over."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    picture = np.stack([np.full((height, width), rng.uniform(60, 180)) for _ in range(3)])
    picture[1:] = rng.uniform(100, 156, (2, 1, 1))
    for _ in range(40):
        cy, cx, size = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(4, 24)
        colour = np.array([rng.uniform(20, 230), rng.uniform(80, 176), rng.uniform(80, 176)])
        inside = (np.abs(y - cy) < size) & (np.abs(x - cx) < size * rng.uniform(0.5, 2))
        picture[:, inside] = colour[:, None]
    return picture


def window(picture: Picture, left: int, width: int = WIDTH) -> Picture:
    """The part of a wide picture which a camera sees."""
    return picture[:, :, left : left + width]


def still(seed: int, count: int) -> list[Picture]:
    """One picture, `count` times."""
    return [window(scenery(seed), 0)] * count


def moving(seed: int, count: int, step: int = 1) -> list[Picture]:
    """A camera that pans by `step` pixels a frame and turns back at the edges."""
    wide = scenery(seed)
    reach = wide.shape[2] - WIDTH
    return [window(wide, reach - abs(index * step % (2 * reach) - reach)) for index in range(count)]


def drifting(seed: int, count: int) -> list[Picture]:
    """A camera that moves by a pixel every fourth frame."""
    wide = scenery(seed)
    return [window(wide, index // 4) for index in range(count)]


def plain(level: float, count: int, u: float = 128, v: float = 128) -> list[Picture]:
    """One colour."""
    colour = np.array([level, u, v])[:, None, None]
    return [np.broadcast_to(colour, (3, HEIGHT, WIDTH))] * count


def blend(before: Sequence[Picture], after: Sequence[Picture], count: int) -> list[Picture]:
    """`before` into `after`: the last `count` of the one mixed with the first `count` of the other."""
    weights = [(index + 1) / (count + 1) for index in range(count)]
    mixed = [
        (1 - weight) * a + weight * b
        for weight, a, b in zip(weights, before[-count:], after[:count], strict=True)
    ]
    return [*before[:-count], *mixed, *after[count:]]


def noise(count: int, seed: int = 0) -> list[Picture]:
    """Another random picture every time."""
    rng = np.random.default_rng(seed)
    return [rng.uniform(0, 255, (3, HEIGHT, WIDTH)) for _ in range(count)]


def grain(pictures: Iterable[Picture], amount: float = 4.0, seed: int = 0) -> list[Picture]:
    """The same pictures with film grain."""
    rng = np.random.default_rng(seed)
    return [picture + rng.normal(0, amount, picture.shape) for picture in pictures]


def at_rate(pictures: Iterable[Picture], rate: Fraction | int = 30) -> list[DrawnFrame]:
    """Frames at a constant rate."""
    return [
        DrawnFrame(index, index / Fraction(rate), to_planes(picture))
        for index, picture in enumerate(pictures)
    ]


def rounded(picture: Picture) -> Pixels:
    """To uint8."""
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def to_planes(picture: Picture) -> Planes:
    """Rounded to uint8, of the colours the means of two by two pixels."""
    _, height, width = picture.shape
    even = np.pad(picture[1:], ((0, 0), (0, height % 2), (0, width % 2)), mode="edge")
    u, v = rounded(even.reshape(2, (height + 1) // 2, 2, (width + 1) // 2, 2).mean(axis=(2, 4)))
    return Planes(rounded(picture[0]), u, v)


def find_all(
    frames: Sequence[DrawnFrame],
    scenes: SceneSettings | None = None,
    picks: FrameSettings | None = None,
    end: Fraction | None = None,
) -> tuple[SceneFinder, list[FoundScene]]:
    """Push all frames; the last one lasts as long as the one before it."""
    finder = SceneFinder(scenes or SceneSettings(), picks or FrameSettings())
    return finder, list(run(finder, frames, end))


def run(
    finder: SceneFinder, frames: Sequence[DrawnFrame], end: Fraction | None = None
) -> Iterator[FoundScene]:
    """Push all frames and finish."""
    for frame in frames:
        yield from finder.push([frame])
    yield from finder.finish(end if end is not None else end_of(frames))


def end_of(frames: Sequence[DrawnFrame]) -> Fraction:
    """The end of the last frame."""
    if not frames:
        return Fraction(0)
    last = frames[-1].time - frames[-2].time if len(frames) > 1 else Fraction(1, 30)
    return frames[-1].time + last


def starts(found: Sequence[FoundScene]) -> list[int]:
    """The frames at which all scenes but the first begin."""
    return [one.scene.start_frame for one in found[1:]]
