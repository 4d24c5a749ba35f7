"""What a window is judged by: the names of what is measured of it, and the terms made of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

FEATURES = (
    "length", "misfit", "roughness", "step", "sag_first", "sag_second", "bend", "residual", "lag",
    "blocks_without", "block_sag", "correlation", "match", "zoom_match", "texture_loss", "plainer", "richer",
)  # fmt: skip
# A mixture's sag is 1; a match or a residual counts for more the larger it is, and beside a rough way.
_SAGS = ("sag_first", "sag_second", "block_sag")
_SQUARES = ("roughness", "match", "zoom_match", "correlation", "residual", "bend")
_PRODUCTS = (
    ("roughness", "match"),
    ("match", "correlation"),
    ("roughness", "residual"),
    ("roughness", "zoom_match"),
)
TERMS = (
    *FEATURES,
    *(f"{name} off 1" for name in _SAGS),
    *(f"{name}²" for name in _SQUARES),
    *(f"{a} · {b}" for a, b in _PRODUCTS),
)
# So far from its mean, in standard deviations, a term counts.
MAX_DEVIATION = 5.0

_PLACE = {name: at for at, name in enumerate(FEATURES)}
_SAG_AT = [_PLACE[name] for name in _SAGS]
_FIRST_AT = [_PLACE[name] for name in (*_SQUARES, *(a for a, _ in _PRODUCTS))]
_SECOND_AT = [_PLACE[name] for name in (*_SQUARES, *(b for _, b in _PRODUCTS))]
_MAX_OFF = 1.5


def terms_of(features: Numbers) -> Numbers:
    """The values of `TERMS`, (…, 30), of those of `FEATURES`, (…, 17)."""
    off = np.minimum(np.abs(features[..., _SAG_AT] - 1), _MAX_OFF)
    products = features[..., _FIRST_AT] * features[..., _SECOND_AT]
    return np.concatenate([features, off, products], axis=-1)
