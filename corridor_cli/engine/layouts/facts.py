"""What every layout answers, and how single values are taken from JSON."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from corridor_cli.engine.checkpoint_files import DOWNLOAD_AGAIN, Json
from corridor_cli.engine.local.shape import NetworkShape
from corridor_cli.errors import ModelError

Layout = Literal["hf", "original", "other", "dummy"]
Three = tuple[float, float, float]

_BICUBIC = 3
# Every layer is named one by one before the weights are looked at; the largest published network has 80.
_MOST_LAYERS = 1000


class CannotRunError(Exception):
    """Our own network cannot compute this one; the message is the reason, a clause that begins with `its`."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the JSON files say.

    `shape` is None where our own network cannot compute it, and `unsupported_because` then begins with `its`
    and says why; transformers' `generate` may still do. For an architecture that is not InternVL (`layout`
    other) `tokens_per_tile` is 0, `image_token_id` -1 and mean and deviation mean nothing: transformers' own
    processor knows. `tile_px` is the side of a tile; mean and deviation are RGB on the 0..1 scale.
    """

    layout: Layout
    shape: NetworkShape | None
    unsupported_because: str
    tile_px: int
    tokens_per_tile: int
    image_mean: Three
    image_std: Three
    max_tiles: int
    image_token_id: int
    end_token_ids: tuple[int, ...]
    chat_template: str | None
    text_model_type: str


def whole(table: Json, key: str, folder: Path) -> int:
    """The key's whole number, from 0 on. Raises `ModelError`."""
    value = table.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ModelError(f"{folder}: {key} is {value!r}, not a whole number.", hint=DOWNLOAD_AGAIN)
    return value


def three(pixels: Json, key: str, folder: Path) -> Three:
    """The key's three numbers, RGB. Raises `ModelError`."""
    value = pixels.get(key)
    if not isinstance(value, list) or len(value) != 3 or not all(isinstance(x, int | float) for x in value):
        raise ModelError(f"{folder}: {key} is {value!r}, not three numbers.", hint=DOWNLOAD_AGAIN)
    return float(value[0]), float(value[1]), float(value[2])


def count(table: Json, key: str, absent: int) -> int:
    """The key's number, from 1 on; `absent` is what the format's own default says. Raises `ValueError`."""
    value = table.get(key)
    value = absent if value is None else value
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{key} is {value!r}, not a number from 1 on")
    return value


def layers(table: Json, absent: int) -> int:
    """How many layers, from 1 to `_MOST_LAYERS`. Raises `ValueError`."""
    found = count(table, "num_hidden_layers", absent)
    if found > _MOST_LAYERS:
        raise ValueError(f"num_hidden_layers is {found}, not a number from 1 to {_MOST_LAYERS}")
    return found


def side(vision: Json, key: str, absent: int) -> int:
    """A side in pixels; a config leaves out what equals its format's default, given as `absent`."""
    value = vision.get(key, absent)
    found: Any = value[0] if isinstance(value, list) and value else value
    if isinstance(found, int) and found > 0:
        return int(found)
    return absent


def require_bicubic(pixels: Json, folder: Path) -> None:
    """Raise `ModelError` where pictures are to be resized in another way than ours."""
    if pixels.get("resample", _BICUBIC) != _BICUBIC:
        raise ModelError(
            f"{folder}: resample is {pixels['resample']!r}; only bicubic ({_BICUBIC}) is supported."
        )


def require(table: Json, key: str, absent: object, wanted: object) -> None:
    """Raise `CannotRunError` unless the key, or its default `absent`, is what we compute."""
    value = table.get(key, absent)
    if value != wanted:
        raise CannotRunError(f"its {key} is {value!r} where {wanted!r} is supported")
