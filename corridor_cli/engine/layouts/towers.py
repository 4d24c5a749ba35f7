"""The shapes of the two towers, read from their configs; defaults are those of transformers' classes."""

from __future__ import annotations

from corridor_cli.engine.checkpoint_files import Json
from corridor_cli.engine.layouts.facts import CannotRunError, count, layers, require
from corridor_cli.engine.local.shape import NormKind, TextShape, VisionShape

# A config key of the original layout that has another name in the `-hf` one, and its default in the original.
ORIGINAL_VISION_KEYS = {"attention_bias": ("qkv_bias", False), "use_qk_norm": ("qk_normalization", True)}
ORIGINAL_VISION_DEFAULTS: Json = {
    "hidden_size": 3200, "num_hidden_layers": 48, "num_attention_heads": 25, "intermediate_size": 12800,
    "image_size": 224, "norm_type": "rms_norm",
}  # fmt: skip

_QK_NORM_EPS = 1e-6
_DEFAULT_ROPE_THETA = 10_000.0
_DEFAULT_QWEN3_HEAD_DIM = 128


def vision_shape(vision: Json) -> VisionShape:
    """InternViT by its `-hf` config. Raises `CannotRunError`, `ValueError`."""
    require(vision, "hidden_act", "gelu", "gelu")
    require(vision, "num_channels", 3, 3)
    require(vision, "use_absolute_position_embeddings", True, True)
    require(vision, "use_mean_pooling", True, True)
    hidden, num_heads = count(vision, "hidden_size", 1024), count(vision, "num_attention_heads", 16)
    if hidden % num_heads:
        raise ValueError(f"hidden_size {hidden} cannot be split into {num_heads} heads")
    image_px, patch_px = _square(vision, "image_size", 448), _square(vision, "patch_size", 14)
    if image_px % (2 * patch_px):
        raise CannotRunError(f"its tiles of {image_px} px have no even number of patches of {patch_px} px")
    norm, norm_eps = vision.get("norm_type", "layer_norm"), float(vision.get("layer_norm_eps", 1e-6))
    has_qk_norm = bool(vision.get("use_qk_norm", False))
    if has_qk_norm and norm_eps != _QK_NORM_EPS:
        raise CannotRunError(f"its layer_norm_eps is {norm_eps}: with use_qk_norm, 1e-6 is supported")
    return VisionShape(
        num_layers=layers(vision, 24),
        hidden=hidden,
        num_heads=num_heads,
        intermediate=count(vision, "intermediate_size", 4096),
        image_px=image_px,
        patch_px=patch_px,
        norm=_norm_kind(norm),
        norm_eps=norm_eps,
        has_qkv_bias=bool(vision.get("attention_bias", False)),
        has_qk_norm=has_qk_norm,
    )


def original_vision_as_hf(vision: Json) -> Json:
    """An original vision config with the keys and the defaults of the `-hf` one."""
    renamed = {new: vision.get(old, absent) for new, (old, absent) in ORIGINAL_VISION_KEYS.items()}
    return {**ORIGINAL_VISION_DEFAULTS, **vision, **renamed}


def text_shape(text: Json, *, is_tied: bool) -> TextShape:
    """A Qwen2 or Qwen3 language model. Raises `CannotRunError`, `ValueError`."""
    family = text.get("model_type", "qwen2")
    if family not in ("qwen2", "qwen3"):
        raise CannotRunError(f"its language model is {family!r} where qwen2 and qwen3 are supported")
    require(text, "hidden_act", "silu", "silu")
    is_qwen3 = family == "qwen3"
    if is_qwen3 and text.get("attention_bias", False):
        raise CannotRunError("its attention_bias is True, which is not supported for qwen3")
    num_layers = layers(text, 32)
    _refuse_sliding_window(text, num_layers)
    hidden, num_heads = count(text, "hidden_size", 4096), count(text, "num_attention_heads", 32)
    # transformers: a key that is null means as many as query heads, an absent one 32.
    num_kv_heads = count(text, "num_key_value_heads", num_heads if "num_key_value_heads" in text else 32)
    head_dim = count(text, "head_dim", _DEFAULT_QWEN3_HEAD_DIM if is_qwen3 else max(1, hidden // num_heads))
    if num_heads % num_kv_heads or (head_dim % 2) or (not is_qwen3 and hidden % num_heads):
        raise ValueError(
            f"{num_heads} heads of {head_dim}, {num_kv_heads} key-value heads and hidden_size {hidden} do "
            "not fit together"
        )
    return TextShape(
        family="qwen3" if is_qwen3 else "qwen2",
        num_layers=num_layers,
        hidden=hidden,
        num_heads=num_heads,
        num_kv_heads=num_kv_heads,
        head_dim=head_dim,
        intermediate=count(text, "intermediate_size", 22016),
        vocab_size=count(text, "vocab_size", 151936),
        max_positions=count(text, "max_position_embeddings", 32768),
        rope_theta=_rope_theta(text),
        norm_eps=float(text.get("rms_norm_eps", 1e-6)),
        has_qkv_bias=not is_qwen3,
        has_qk_norm=is_qwen3,
        is_tied=is_tied,
    )


def _rope_theta(text: Json) -> float:
    """The base of plain RoPE. Dynamic scaling is plain up to `max_position_embeddings`, and we end there."""
    rope = text.get("rope_scaling") or text.get("rope_parameters") or {}
    if any(isinstance(value, dict) for value in rope.values()) or "mrope_section" in rope:
        raise CannotRunError("its positions differ by layer or by axis, where plain ones are supported")
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind not in ("default", "dynamic"):
        raise CannotRunError(f"its position scaling is {kind!r} where plain and dynamic are supported")
    share = rope.get("partial_rotary_factor", text.get("partial_rotary_factor"))
    if share not in (None, 1, 1.0):
        raise CannotRunError(f"its partial_rotary_factor is {share!r} where 1 is supported")
    theta = rope.get("rope_theta", text.get("rope_theta"))
    return _DEFAULT_ROPE_THETA if theta is None else float(theta)


def _refuse_sliding_window(text: Json, num_layers: int) -> None:
    kinds = text.get("layer_types")
    if kinds is None:
        has_window = bool(text.get("use_sliding_window")) and text.get("sliding_window", 4096) is not None
        slides = has_window and num_layers > int(text.get("max_window_layers", 28))
    else:
        slides = any(kind != "full_attention" for kind in kinds)
    if slides:
        raise CannotRunError("its attention has a sliding window, which is not supported")


def _norm_kind(norm: object) -> NormKind:
    if norm == "layer_norm":
        return "layer_norm"
    if norm == "rms_norm":
        return "rms_norm"
    raise CannotRunError(f"its norm_type is {norm!r} where layer_norm and rms_norm are supported")


def _square(vision: Json, key: str, absent: int) -> int:
    value = vision.get(key, absent)
    sides = value if isinstance(value, list) else [value, value]
    if len(sides) != 2 or sides[0] != sides[1]:
        raise CannotRunError(f"its {key} is {value!r} where squares are supported")
    return count({key: sides[0]}, key, absent)
