"""Any other image-text-to-text model that transformers may know: for the fallback, which asks transformers.

Little is read here: which pictures are large enough, and where an answer ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from corridor_cli.engine.checkpoint_files import (
    DOWNLOAD_AGAIN,
    Json,
    chat_template,
    end_token_ids_if_any,
    read_json,
)
from corridor_cli.engine.layouts.facts import Facts
from corridor_cli.errors import ModelError

_SUFFIXES = ("ForConditionalGeneration", "ForImageTextToText")
DEFAULT_LONGEST_PX = 1024

_SIZE_KEYS = ("size", "crop_size", "max_image_size")
_MIN_LONGEST_PX = 448
_MAX_LONGEST_PX = 2048
_LONGEST_SIDE_PX = 8192
_OVERSAMPLING = 2  # main sends frames of twice `tile_px` in each direction, see `runners/picture_limits.py`
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")
_UNKNOWN_ID = -1
_HALF = (0.5, 0.5, 0.5)


def takes_pictures(config: Json, architecture: str) -> bool:
    """Whether this is a model that turns pictures and text into text, by its config."""
    return architecture.endswith(_SUFFIXES) and isinstance(config.get("vision_config"), dict)


def read_other(folder: Path, config: Json, architecture: str) -> Facts:
    """The facts the fallback needs. `tokens_per_tile` 0, `image_token_id` -1 and the half-way mean and
    deviation mean: not known here."""
    text = config.get("text_config") or config
    processor = read_json(folder / "processor_config.json")
    pixels = read_json(folder / "preprocessor_config.json") or processor.get("image_processor") or {}
    if not pixels:
        raise ModelError(f"{folder} has no preprocessor_config.json.", hint=DOWNLOAD_AGAIN)
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise ModelError(f"{folder} has no tokenizer.json.", hint=DOWNLOAD_AGAIN)
    found = config.get("image_token_id", config.get("image_token_index"))
    return Facts(
        layout="other",
        shape=None,
        unsupported_because=f"its architecture is {architecture}",
        tile_px=longest_px(pixels) // _OVERSAMPLING,
        tokens_per_tile=0,
        image_mean=_HALF,
        image_std=_HALF,
        max_tiles=1,
        image_token_id=found if isinstance(found, int) else _UNKNOWN_ID,
        end_token_ids=end_token_ids_if_any(folder, config, text),
        chat_template=chat_template(folder),
        text_model_type=str(text.get("model_type", config.get("model_type", ""))),
    )


def longest_px(pixels: Json) -> int:
    """The side of the largest square frame worth sending for one tile.

    Twice the sides that frames are brought to, so that the resize has something to filter. A limit, of a side
    or of an area, is enough as it is, and more than `DEFAULT_LONGEST_PX` is what `max_tiles` is for.
    """
    limits = [_number(pixels.get("max_pixels")), *(_limit(pixels.get(key)) for key in _SIZE_KEYS)]
    sides = [side for key in _SIZE_KEYS for side in _fixed_sides(pixels.get(key))]
    if any(limits):
        return max(_MIN_LONGEST_PX, min(DEFAULT_LONGEST_PX, max(map(_as_side, limits))))
    if not sides:
        return DEFAULT_LONGEST_PX
    return max(_MIN_LONGEST_PX, min(_MAX_LONGEST_PX, 2 * max(sides)))


def _limit(size: Any) -> int:
    """The limit a size names, 0 for none."""
    return _number(size.get("longest_edge")) if isinstance(size, dict) else 0


def _fixed_sides(size: Any) -> Iterator[int]:
    values = size.values() if isinstance(size, dict) else [size]
    yield from (number for value in values if (number := _number(value)))


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _as_side(limit: int) -> int:
    """Some families call an area `longest_edge`: no side is so long."""
    return limit if limit <= _LONGEST_SIDE_PX else int(limit**0.5)
