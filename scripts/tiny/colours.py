"""Names a colour: one of twelve words for every RGB value, by fixed rules on hue, saturation and value.

Scope: the rules alone. What is named (a cell's mean, a shape's mean) is the business of `labels`.
"""

import torch
from torch import Tensor

COLOURS: tuple[str, ...] = (
    "red", "green", "blue", "yellow", "orange", "purple", "cyan", "white", "black", "gray", "brown", "pink",
)  # fmt: skip

PROTOTYPES: tuple[tuple[int, int, int], ...] = (
    (220, 30, 30),
    (40, 160, 60),
    (35, 70, 215),
    (245, 225, 50),
    (250, 140, 25),
    (135, 45, 185),
    (40, 205, 220),
    (245, 245, 245),
    (10, 10, 10),
    (128, 128, 128),
    (115, 70, 35),
    (250, 135, 190),
)

_INDEX = {name: index for index, name in enumerate(COLOURS)}
# Upper bound of hue, in degrees, of each saturated colour; above the last one it is red again.
_HUES = (
    (15, "red"), (45, "orange"), (68, "yellow"), (165, "green"), (200, "cyan"), (258, "blue"),
    (312, "purple"),
    (345, "pink"), (361, "red"),
)  # fmt: skip


def hue_saturation_value(rgb: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """RGB in 0..1, shape (..., 3), to hue in degrees, saturation, value, chroma; each (...)."""
    value, top = rgb.max(dim=-1)
    chroma = value - rgb.min(dim=-1).values
    red, green, blue = rgb.unbind(-1)
    safe = chroma.clamp(min=1e-6)
    sectors = torch.stack(
        [((green - blue) / safe) % 6, (blue - red) / safe + 2, (red - green) / safe + 4], dim=-1
    )
    hue = 60 * sectors.gather(-1, top.unsqueeze(-1)).squeeze(-1)
    return hue % 360, chroma / value.clamp(min=1e-6), value, chroma


def name_colours(rgb: Tensor) -> Tensor:
    """Index into COLOURS for RGB in 0..1; shape (..., 3) to (...), int64."""
    hue, saturation, value, chroma = hue_saturation_value(rgb)
    bounds = torch.tensor([float(bound) for bound, _ in _HUES])
    table = torch.tensor([_INDEX[name] for _, name in _HUES])
    names = table[torch.bucketize(hue, bounds, right=True).clamp(max=len(_HUES) - 1)]
    warm = (hue >= 15) & (hue < 50)
    reddish = (hue < 15) | (hue >= 345)
    # Brown is dark orange, or a dark red which is not pure; a pale red is pink, and so is a bright magenta.
    names = _put(names, "brown", warm & (value < 0.7))
    names = _put(names, "brown", reddish & (value < 0.68) & (saturation < 0.78))
    names = _put(names, "pink", (reddish | ((hue >= 15) & (hue < 25))) & (value >= 0.68) & (saturation < 0.5))
    names = _put(names, "pink", (hue >= 285) & (hue < 345) & (value > 0.85))
    # Too little chroma to have a hue: black, gray or white by value alone.
    pale = (chroma < 0.10) | (saturation < 0.14)
    names = _put(names, "gray", pale)
    names = _put(names, "white", pale & (value >= 0.80))
    return _put(names, "black", (value < 0.14) | (pale & (value < 0.22)))


def _put(names: Tensor, name: str, where: Tensor) -> Tensor:
    return torch.where(where, torch.full_like(names, _INDEX[name]), names)
