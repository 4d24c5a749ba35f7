"""The original layout: `InternVLChatModel`, whose own code is never run.

Its fallback would be that code, so what our network cannot compute is refused here. The template of such a
checkpoint knows no pictures; the prompt is the one that its `-hf` twin has.
"""

from __future__ import annotations

from pathlib import Path

from corridor_cli.engine.checkpoint_files import (
    DOWNLOAD_AGAIN,
    Json,
    added_tokens,
    end_token_ids,
    read_json,
    require_tokenizer,
)
from corridor_cli.engine.layouts.facts import CannotRunError, Facts, require, require_bicubic, three
from corridor_cli.engine.layouts.towers import original_vision_as_hf, text_shape, vision_shape
from corridor_cli.engine.local.shape import NetworkShape
from corridor_cli.errors import ModelError

IMAGE_TOKEN = "<IMG_CONTEXT>"
# The original code normalises with these, whatever the checkpoint says; every checkpoint says the same.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

_FAMILIES = {"Qwen2ForCausalLM": "qwen2", "Qwen3ForCausalLM": "qwen3"}
_DEFAULT_MAX_TILES = 6


def read_original(folder: Path, config: Json, *, has_lm_head: bool) -> Facts:
    """The facts of a checkpoint in this layout. Raises `ModelError`, or what Python raises for odd values."""
    require_tokenizer(folder, needs_json=False)
    shape = original_shape(folder, config, has_lm_head=has_lm_head)
    pixels = read_json(folder / "preprocessor_config.json")
    require_bicubic(pixels, folder)
    tokens = added_tokens(folder)
    if IMAGE_TOKEN not in tokens:
        raise ModelError(f"The tokenizer in {folder} has no {IMAGE_TOKEN}.", hint=DOWNLOAD_AGAIN)
    text = config.get("llm_config") or {}
    is_tiled = bool(config.get("dynamic_image_size", False))
    return Facts(
        layout="original",
        shape=shape,
        unsupported_because="",
        tile_px=shape.vision.image_px,
        tokens_per_tile=shape.tokens_per_tile,
        image_mean=three(pixels, "image_mean", folder) if "image_mean" in pixels else IMAGENET_MEAN,
        image_std=three(pixels, "image_std", folder) if "image_std" in pixels else IMAGENET_STD,
        max_tiles=int(config.get("max_dynamic_patch") or _DEFAULT_MAX_TILES) if is_tiled else 1,
        image_token_id=tokens[IMAGE_TOKEN],
        end_token_ids=end_token_ids(folder, config, text),
        chat_template=None,
        text_model_type=shape.text.family,
    )


def original_shape(folder: Path, config: Json, *, has_lm_head: bool) -> NetworkShape:
    """The network of a config. Raises `ModelError` where ours cannot be it, `ValueError` for odd values."""
    try:
        return _shape(config, has_lm_head=has_lm_head)
    except CannotRunError as error:
        raise ModelError(
            f"{folder} has the original InternVLChatModel layout, and {error}.",
            hint="Use its `-hf` twin, such as `OpenGVLab/InternVL3-2B-hf`, which needs no code of its own.",
        ) from error


def _shape(config: Json, *, has_lm_head: bool) -> NetworkShape:
    require(config, "downsample_ratio", 0.5, 0.5)
    require(config, "select_layer", -1, -1)
    require(config, "ps_version", "v1", "v2")
    require(config, "pad2square", False, False)
    require(config, "use_backbone_lora", 0, 0)
    require(config, "use_llm_lora", 0, 0)
    if config.get("quantization_config"):
        raise CannotRunError("its weights are quantized")
    vision = vision_shape(original_vision_as_hf(config.get("vision_config") or {}))
    forced = config.get("force_image_size") or vision.image_px
    if forced != vision.image_px:
        raise CannotRunError(f"its force_image_size is {forced!r} with an image_size of {vision.image_px}")
    text = dict(config.get("llm_config") or {})
    architecture = (text.get("architectures") or [None])[0]
    text["model_type"] = _FAMILIES.get(architecture, architecture or text.get("model_type", "qwen2"))
    says_tied = bool(config.get("tie_word_embeddings")) or bool(text.get("tie_word_embeddings"))
    return NetworkShape(vision, text_shape(text, is_tied=says_tied and not has_lm_head))
