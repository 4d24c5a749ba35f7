"""Draws what fills a picture: gradients, noise, stripes, layers, blobs. Never one large simple shape.

Each function draws N pictures at once and returns float RGB in about 0..1 of shape (N, 3, 112, 112).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from .labels import SIZE_PX
from .palettes import mixed_colours, natural_colours

_AXIS = torch.linspace(-1, 1, SIZE_PX)
YS, XS = torch.meshgrid(_AXIS, _AXIS, indexing="ij")


def uniform(count: int, low: float, high: float, generator: Generator) -> Tensor:
    """Shape (count, 1, 1, 1), to multiply pictures with."""
    return low + (high - low) * torch.rand((count, 1, 1, 1), generator=generator)


def fractal(count: int, channels: int, generator: Generator) -> Tensor:
    """1/f-like noise of about zero mean and unit deviation; each picture has its own roughness."""
    roughness = uniform(count, 0.3, 0.9, generator)
    field = torch.zeros((count, channels, SIZE_PX, SIZE_PX))
    total = torch.zeros((count, 1, 1, 1))
    for octave, size in enumerate((3, 5, 9, 17, 34, 68)):
        grid = torch.randn((count, channels, size, size), generator=generator)
        weight = roughness**octave
        field += weight * F.interpolate(grid, size=(SIZE_PX, SIZE_PX), mode="bilinear", align_corners=True)
        total += weight.square()
    return field * 1.6 / total.sqrt()


def blend(colours: Tensor, position: Tensor) -> Tensor:
    """Colours (N, K, 3) laid along a line and read at `position` (N, 1, H, W) in 0..1."""
    steps = colours.shape[1] - 1
    scaled = position.clamp(0, 1) * steps
    picture = torch.zeros((position.shape[0], 3, *position.shape[2:]))
    for index in range(steps + 1):
        weight = (1 - (scaled - index).abs()).clamp(min=0)
        picture += weight * colours[:, index, :, None, None]
    return picture


def flat(count: int, generator: Generator) -> Tensor:
    """One colour."""
    return mixed_colours((count,), generator)[:, :, None, None].expand(-1, -1, SIZE_PX, SIZE_PX).clone()


def _direction(count: int, generator: Generator) -> Tensor:
    angle = uniform(count, 0, 2 * torch.pi, generator)
    return XS * angle.cos() + YS * angle.sin()


def gradient(count: int, generator: Generator) -> Tensor:
    """Two or three colours from one side to the other, or from a point outwards."""
    along = _direction(count, generator) * uniform(count, 0.3, 1.0, generator)
    centre_x, centre_y = uniform(count, -0.8, 0.8, generator), uniform(count, -0.8, 0.8, generator)
    outward = ((XS - centre_x).square() + (YS - centre_y).square()).sqrt() - 1
    position = torch.where(uniform(count, 0, 1, generator) < 0.6, along, outward) * 0.5 + 0.5
    return blend(mixed_colours((count, 3), generator), position)


def clouds(count: int, generator: Generator) -> Tensor:
    """Fractal noise read through a palette of four colours, smooth or in patches."""
    position = fractal(count, 1, generator) * uniform(count, 0.08, 0.35, generator) + 0.5
    sharp = (position * 4).floor() / 4 + 0.125
    position = torch.where(uniform(count, 0, 1, generator) < 0.3, sharp, position)
    return blend(mixed_colours((count, 4), generator), position)


def haze(count: int, generator: Generator) -> Tensor:
    """One colour with fractal noise in each channel, as a wall, a floor or a face close up."""
    base = mixed_colours((count,), generator)[:, :, None, None]
    noise = fractal(count, 2, generator)
    hue = torch.randn((count, 3, 1, 1), generator=generator) * uniform(count, 0.0, 0.06, generator)
    return base + noise[:, :1] * uniform(count, 0.0, 0.18, generator) + noise[:, 1:] * hue


def layers(count: int, generator: Generator) -> Tensor:
    """Sky over ground: two to five bands with wavy borders, each with its own colour and grain."""
    num_layers = 5
    colours = mixed_colours((count, num_layers), generator)
    borders = torch.rand((count, num_layers - 1), generator=generator).mul(2.4).sub(1.2).sort(dim=1).values
    noise = fractal(count, 2, generator)
    wave = noise[:, :1] * uniform(count, 0.0, 0.25, generator)
    tilt = XS * uniform(count, -0.3, 0.3, generator)
    height = torch.where(uniform(count, 0, 1, generator) < 0.8, YS + tilt, XS + tilt)
    picture = colours[:, 0, :, None, None] * (1 + noise[:, 1:] * 0.1)
    for index in range(1, num_layers):
        above = height - borders[:, index - 1, None, None, None] + wave * uniform(count, -1, 1, generator)
        mask = (above * uniform(count, 4, 60, generator)).sigmoid()
        grain = 1 + noise[:, 1:] * uniform(count, -0.25, 0.25, generator)
        picture = picture + mask * (colours[:, index, :, None, None] * grain - picture)
    return picture


def blobs(count: int, generator: Generator) -> Tensor:
    """Up to fourteen ellipses on a gradient: the small ones sharp, the large ones soft."""
    picture = gradient(count, generator)
    colours = mixed_colours((count, 14), generator)
    for index in range(14):
        width, height = uniform(count, 0.06, 0.6, generator), uniform(count, 0.06, 0.6, generator)
        dx = (XS - uniform(count, -1.1, 1.1, generator)) / width
        dy = (YS - uniform(count, -1.1, 1.1, generator)) / height
        sharpness = (
            1.2 / torch.maximum(width, height).square().clamp(min=0.02) * uniform(count, 0.3, 1, generator)
        )
        mask = ((1 - dx.square() - dy.square()) * sharpness.clamp(max=20)).sigmoid()
        mask = mask * (uniform(count, 0, 1, generator) < 0.7)
        picture = picture + mask * (colours[:, index, :, None, None] - picture)
    return picture


def stripes(count: int, generator: Generator) -> Tensor:
    """Two or three colours in stripes, or a checkerboard, of any period and angle."""
    period = uniform(count, 0.06, 0.9, generator)
    angle = (uniform(count, 0, 8, generator).floor() * torch.pi / 8) + uniform(count, -0.05, 0.05, generator)
    one, two = XS * angle.cos() + YS * angle.sin(), YS * angle.cos() - XS * angle.sin()
    phase = uniform(count, 0, 1, generator)
    wave = ((one / period + phase) % 1 - 0.5).abs() * 2
    line = ((wave - uniform(count, 0.25, 0.75, generator)) * 12).clamp(-0.5, 0.5) + 0.5
    check = ((one / period + phase).floor() + (two / period + phase).floor()) % 2
    kind = uniform(count, 0, 1, generator)
    position = torch.where(kind < 0.45, line, torch.where(kind < 0.6, wave, check))
    return blend(mixed_colours((count, 2), generator), position)


def boxes(count: int, generator: Generator) -> Tensor:
    """Up to thirty small boxes and strokes over bands: houses, shelves, screens, lines of text."""
    picture = layers(count, generator)
    palette = mixed_colours((count, 4), generator)
    extent = uniform(count, 0.1, 1.0, generator)
    for _ in range(30):
        width, height = uniform(count, 0.02, 0.28, generator), uniform(count, 0.02, 0.28, generator)
        long = uniform(count, 0, 1, generator) < 0.1
        x, y = uniform(count, -1, 1, generator), uniform(count, -1, 1, generator) * extent
        inside = ((XS - x).abs() < torch.where(long, 3.0, width)) & ((YS - y).abs() < height)
        inside = inside & (uniform(count, 0, 1, generator) < 0.7)
        pick = torch.randint(4, (count,), generator=generator)
        colour = palette[torch.arange(count), pick][:, :, None, None] * uniform(count, 0.6, 1.2, generator)
        picture = torch.where(inside, colour, picture)
    return picture


def mosaic(count: int, generator: Generator) -> Tensor:
    """Each pixel takes the colour of the nearest of twenty-four points, with wavy borders."""
    points = torch.rand((count, 24, 2), generator=generator) * 2.4 - 1.2
    colours = mixed_colours((count, 24), generator)
    warp = fractal(count, 2, generator) * uniform(count, 0.0, 0.15, generator)
    nearest = torch.full((count, 1, SIZE_PX, SIZE_PX), 1e9)
    picture = torch.zeros((count, 3, SIZE_PX, SIZE_PX))
    for index in range(24):
        dx = XS + warp[:, :1] - points[:, index, 0, None, None, None]
        dy = YS + warp[:, 1:] - points[:, index, 1, None, None, None]
        distance = dx.square() + dy.square()
        closer = distance < nearest
        nearest = torch.where(closer, distance, nearest)
        picture = torch.where(closer, colours[:, index, :, None, None], picture)
    return picture


def portrait(count: int, generator: Generator) -> Tensor:
    """Soft-edged head and shoulders before a blurred background: much of what cameras record."""
    kind = uniform(count, 0, 1, generator)
    picture = torch.where(kind < 0.5, haze(count, generator), layers(count, generator))
    colours = natural_colours((count, 3), generator)
    x, size = uniform(count, -0.6, 0.6, generator), uniform(count, 0.15, 0.5, generator)
    y = uniform(count, -0.4, 0.3, generator)
    noise = fractal(count, 2, generator)
    parts = (
        (1.9, 2.2, 2.6),
        (1.25, 1.5, -0.15),
        (0.85, 1.1, 0.1),
    )  # shoulders, hair, face: width, height, down
    for index, (width, height, down) in enumerate(parts):
        dx, dy = (XS - x) / (size * width), (YS - y - size * down) / (size * height)
        mask = ((1 - dx.square() - dy.square() + noise[:, :1] * 0.15) * 6).sigmoid()
        shade = 1 + noise[:, 1:] * uniform(count, -0.15, 0.15, generator)
        picture = picture + mask * (colours[:, index, :, None, None] * shade - picture)
    return picture


def figures(count: int, generator: Generator) -> Tensor:
    """One to three large irregular patches with sharp edges: what stands out, but is no simple shape."""
    kind = uniform(count, 0, 1, generator)
    picture = torch.where(kind < 0.4, haze(count, generator), gradient(count, generator))
    colours = mixed_colours((count, 3), generator)
    noise = fractal(count, 1, generator)
    for index in range(3):
        dx, dy = XS - uniform(count, -0.8, 0.8, generator), YS - uniform(count, -0.8, 0.8, generator)
        dx = dx * uniform(count, -0.8, 0.8, generator).exp()
        around = torch.atan2(dy, dx)
        radius = uniform(count, 0.25, 0.7, generator) * torch.ones_like(around)
        for wave in range(1, 6):
            swing = uniform(count, 0.0, 0.5, generator) / wave**0.5
            phase = uniform(count, 0, 2 * torch.pi, generator)
            radius = radius * (1 + swing * (wave * around + phase).cos())
        inside = dx.square() + dy.square() < radius.square()
        if index:
            inside = inside & (uniform(count, 0, 1, generator) < 0.4)
        shade = 1 + noise * uniform(count, -0.3, 0.3, generator)
        picture = torch.where(inside, colours[:, index, :, None, None] * shade, picture)
    return picture


Ground = Callable[[int, Generator], Tensor]
# How many of 36 pictures each ground gets without a shape, and of 32 as the ground of a large shape.
GROUNDS: tuple[tuple[Ground, int, int], ...] = (
    (flat, 2, 12), (gradient, 2, 7), (clouds, 4, 3), (haze, 4, 4), (layers, 6, 3), (blobs, 3, 0),
    (stripes, 2, 2), (boxes, 4, 1), (mosaic, 2, 0), (portrait, 3, 0), (figures, 4, 0),
)  # fmt: skip
