"""The `-hf` layout: `InternVLForConditionalGeneration`, as transformers writes it."""

from __future__ import annotations

from pathlib import Path

from corridor_cli.engine.checkpoint_files import (
    DOWNLOAD_AGAIN,
    Json,
    chat_template,
    end_token_ids,
    read_json,
    require_tokenizer,
)
from corridor_cli.engine.layouts.facts import (
    CannotRunError,
    Facts,
    require,
    require_bicubic,
    side,
    three,
    whole,
)
from corridor_cli.engine.layouts.towers import text_shape, vision_shape
from corridor_cli.engine.local.shape import NetworkShape
from corridor_cli.errors import ModelError


def read_hf(folder: Path, config: Json, *, has_lm_head: bool) -> Facts:
    """The facts of a checkpoint in this layout. Raises `ModelError`, or what Python raises for odd values."""
    processor = read_json(folder / "processor_config.json")
    pixels = read_json(folder / "preprocessor_config.json") or processor.get("image_processor") or {}
    if not pixels:
        raise ModelError(f"{folder} has no preprocessor_config.json.", hint=DOWNLOAD_AGAIN)
    require_tokenizer(folder, needs_json=True)
    text, vision = config.get("text_config") or {}, config.get("vision_config") or {}
    tile_px = _tile_px(pixels, vision, folder)
    shape, reason = _shape_or_reason(config, text, vision, has_lm_head=has_lm_head)
    return Facts(
        layout="hf",
        shape=shape,
        unsupported_because=reason,
        tile_px=tile_px,
        tokens_per_tile=_tokens_per_tile(config, processor, vision, tile_px, folder),
        image_mean=three(pixels, "image_mean", folder),
        image_std=three(pixels, "image_std", folder),
        max_tiles=int(pixels.get("max_patches") or 1),
        image_token_id=whole(config, "image_token_id", folder),
        end_token_ids=end_token_ids(folder, config, text),
        chat_template=chat_template(folder),
        text_model_type=str(text.get("model_type", "qwen2")),
    )


def hf_shape(config: Json, *, has_lm_head: bool) -> NetworkShape:
    """The network of a config. Raises `CannotRunError`, `ValueError`.

    `has_lm_head` tells whether the weights have a head of their own: transformers uses it then, whatever the
    config says about tied embeddings, whose default there is True.
    """
    require(config, "downsample_ratio", 0.5, 0.5)
    require(config, "projector_hidden_act", "gelu", "gelu")
    require(config, "vision_feature_layer", -1, -1)
    require(config, "vision_feature_select_strategy", "default", "default")
    if config.get("quantization_config"):
        raise CannotRunError("its weights are quantized")
    text = config.get("text_config") or {}
    says_tied = bool(config.get("tie_word_embeddings", True)) or bool(text.get("tie_word_embeddings", False))
    vision = vision_shape(config.get("vision_config") or {})
    return NetworkShape(vision, text_shape(text, is_tied=says_tied and not has_lm_head))


def _shape_or_reason(
    config: Json, text: Json, vision: Json, *, has_lm_head: bool
) -> tuple[NetworkShape | None, str]:
    try:
        return hf_shape(config, has_lm_head=has_lm_head), ""
    except CannotRunError as error:
        return None, str(error)


def _tile_px(pixels: Json, vision: Json, folder: Path) -> int:
    size = pixels.get("size")
    if not isinstance(size, dict) or size.get("height") != size.get("width") or not size.get("height"):
        raise ModelError(
            f"{folder}: the tile size is {size!r}, not equal height and width.", hint=DOWNLOAD_AGAIN
        )
    tile_px = whole(size, "height", folder)
    require_bicubic(pixels, folder)
    if side(vision, "image_size", 448) != tile_px:
        raise ModelError(
            f"{folder}: tiles of {tile_px} px, but image_size is {vision.get('image_size', 448)!r}."
        )
    return tile_px


def _tokens_per_tile(config: Json, processor: Json, vision: Json, tile_px: int, folder: Path) -> int:
    ratio = float(config.get("downsample_ratio", 0.5))
    computed: int = round((tile_px // side(vision, "patch_size", 14)) ** 2 * ratio**2)
    stated = processor.get("image_seq_length") or config.get("image_seq_length") or computed
    if stated != computed:
        raise ModelError(f"{folder}: image_seq_length is {stated!r}, but the patches give {computed}.")
    return computed
