"""Draws colours: clear ones, any, and the muted ones of footage (skin, foliage, earth, sky, night)."""

import torch
from torch import Generator, Tensor

from .colours import PROTOTYPES

# Means in HSV (degrees, 0..1, 0..1) of things that fill real frames.
_NATURAL = torch.tensor(
    [
        [20.0, 0.45, 0.75],  # skin
        [18.0, 0.55, 0.45],  # dark skin
        [28.0, 0.55, 0.35],  # earth, wood
        [35.0, 0.35, 0.60],  # sand, dry grass
        [90.0, 0.45, 0.40],  # foliage
        [75.0, 0.40, 0.55],  # grass
        [110.0, 0.35, 0.25],  # dark foliage
        [208.0, 0.40, 0.80],  # sky
        [212.0, 0.20, 0.60],  # haze
        [215.0, 0.50, 0.30],  # dusk, water
        [30.0, 0.08, 0.50],  # concrete
        [210.0, 0.08, 0.40],  # asphalt
        [40.0, 0.10, 0.85],  # pale wall
        [0.0, 0.02, 0.95],  # overcast sky
        [220.0, 0.25, 0.08],  # night
        [20.0, 0.30, 0.12],  # dark room
        [5.0, 0.75, 0.65],  # brick, paint
        [45.0, 0.60, 0.90],  # lamp light
    ]
)


def hsv_to_rgb(hsv: Tensor) -> Tensor:
    """HSV (degrees, 0..1, 0..1) of shape (..., 3) to RGB in 0..1."""
    hue, saturation, value = hsv.unbind(-1)
    offsets = torch.tensor([5.0, 3.0, 1.0])
    k = (offsets + hue.unsqueeze(-1) / 60) % 6
    ramp = torch.minimum(k, 4 - k).clamp(0, 1)
    return value.unsqueeze(-1) * (1 - saturation.unsqueeze(-1) * ramp)


def clear_colours(shape: tuple[int, ...], generator: Generator, jitter: float = 0.06) -> Tensor:
    """Colours near the twelve prototypes; shape (*shape, 3)."""
    picks = torch.randint(len(PROTOTYPES), shape, generator=generator)
    base = torch.tensor(PROTOTYPES, dtype=torch.float32)[picks] / 255
    return (base + jitter * torch.randn(base.shape, generator=generator)).clamp(0, 1)


def any_colours(shape: tuple[int, ...], generator: Generator) -> Tensor:
    """Colours with a uniform hue; saturation and value lean to neither end."""
    draws = torch.rand((*shape, 3), generator=generator)
    return hsv_to_rgb(draws * torch.tensor([360.0, 1.0, 1.0]))


def natural_colours(shape: tuple[int, ...], generator: Generator) -> Tensor:
    """Muted colours around those of real scenes; one in four has any hue at a low saturation."""
    picks = torch.randint(len(_NATURAL), shape, generator=generator)
    spread = torch.tensor([12.0, 0.12, 0.15])
    hsv = _NATURAL[picks] + spread * torch.randn((*shape, 3), generator=generator)
    draws = torch.rand((*shape, 3), generator=generator)
    muted = torch.stack([draws[..., 0] * 360, draws[..., 1].square() * 0.5, draws[..., 2]], dim=-1)
    hsv = torch.where(torch.rand((*shape, 1), generator=generator) < 0.25, muted, hsv)
    return hsv_to_rgb(torch.stack([hsv[..., 0] % 360, *hsv[..., 1:].clamp(0, 1).unbind(-1)], dim=-1))


def mixed_colours(shape: tuple[int, ...], generator: Generator) -> Tensor:
    """One kind a picture (the first axis): clear, any, or natural in half of them."""
    kind = torch.rand((shape[0], *[1] * len(shape)), generator=generator)
    clear, anything = clear_colours(shape, generator), any_colours(shape, generator)
    natural = natural_colours(shape, generator)
    return torch.where(kind < 0.25, clear, torch.where(kind < 0.45, anything, natural))
