"""Any other image-text-to-text model that transformers may know: for the fallback, which asks transformers.

Little is read here: which pictures are large enough, and where an answer ends.
"""

from __future__ import annotations

from pathlib import Path

from corridor_cli.engine.checkpoint_files import Json, chat_template, end_token_ids_if_any, read_json
from corridor_cli.engine.layouts.facts import Facts

_SUFFIXES = ("ForConditionalGeneration", "ForImageTextToText")
_ASSUMED_PX = 448
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
    found = config.get("image_token_id", config.get("image_token_index"))
    return Facts(
        layout="other",
        shape=None,
        unsupported_because=f"its architecture is {architecture}",
        tile_px=_picture_px(pixels, config["vision_config"]),
        tokens_per_tile=0,
        image_mean=_HALF,
        image_std=_HALF,
        max_tiles=1,
        image_token_id=found if isinstance(found, int) else _UNKNOWN_ID,
        end_token_ids=end_token_ids_if_any(folder, config, text),
        chat_template=chat_template(folder),
        text_model_type=str(text.get("model_type", config.get("model_type", ""))),
    )


def _picture_px(pixels: Json, vision: Json) -> int:
    """The longest side the preprocessor names, or a usual one."""
    sizes = [pixels.get("size"), pixels.get("crop_size"), vision.get("image_size")]
    values = [x for size in sizes for x in (size.values() if isinstance(size, dict) else [size])]
    # Some give an area in pixels under `size`; no side of a model's picture is as long.
    sides = [x for x in values if isinstance(x, int) and not isinstance(x, bool) and 28 <= x <= 4096]
    return max(sides, default=_ASSUMED_PX)
