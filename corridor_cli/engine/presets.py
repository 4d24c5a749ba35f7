"""Networks of the published sizes without their weights, to measure speed and memory before a download."""

from __future__ import annotations

from corridor_cli.engine.checkpoint import CheckpointInfo, read_checkpoint
from corridor_cli.engine.layouts.original import IMAGENET_MEAN, IMAGENET_STD
from corridor_cli.engine.local.shape import NetworkShape, TextShape, VisionShape
from corridor_cli.errors import UsageError
from corridor_cli.settings import ModelSettings

IMAGE_TOKEN_ID = 151667
END_TOKEN_ID = 151645
VOCAB_SIZE = 151674

# Another way of making the numbers is another model: its captions are not those that were logged.
_DUMMY_VERSION = 2
_MAX_TILES = 12

INTERN_VIT_300M = VisionShape(
    num_layers=24, hidden=1024, num_heads=16, intermediate=4096, image_px=448, patch_px=14,
    norm="layer_norm", norm_eps=1e-6, has_qkv_bias=True, has_qk_norm=False,
)  # fmt: skip


def _qwen2(
    num_layers: int, hidden: int, num_heads: int, num_kv_heads: int, head_dim: int, intermediate: int
) -> TextShape:
    return TextShape(
        family="qwen2", num_layers=num_layers, hidden=hidden, num_heads=num_heads, num_kv_heads=num_kv_heads,
        head_dim=head_dim, intermediate=intermediate, vocab_size=VOCAB_SIZE, max_positions=32768,
        rope_theta=1e6, norm_eps=1e-6, has_qkv_bias=True, has_qk_norm=False, is_tied=False,
    )  # fmt: skip


PRESETS = {
    "internvl3-1b": NetworkShape(INTERN_VIT_300M, _qwen2(24, 896, 14, 2, 64, 4864)),
    "internvl3-2b": NetworkShape(INTERN_VIT_300M, _qwen2(28, 1536, 12, 2, 128, 8960)),
    "internvl3-8b": NetworkShape(INTERN_VIT_300M, _qwen2(28, 3584, 28, 4, 128, 18944)),
}


def describe_model(settings: ModelSettings) -> CheckpointInfo:
    """The model the settings ask for: a checkpoint, or a preset with random weights.

    Raises `ModelError` for a checkpoint that cannot be used, `UsageError` for settings that contradict.
    """
    if settings.load_format == "auto":
        if settings.preset is not None:
            raise UsageError(
                f"got preset {settings.preset} with load_format auto, allowed: with load_format dummy",
                hint="Add `--load-format dummy` for random weights, or name a checkpoint with `--model`.",
            )
        return read_checkpoint(settings.model, settings.revision)
    if settings.preset is None:
        raise UsageError(
            f"got load_format dummy without a preset, allowed: {', '.join(PRESETS)}",
            hint="Random weights are made in a published size: add `--preset internvl3-2b`.",
        )
    if settings.model is not None:
        raise UsageError(
            f"got load_format dummy and model {settings.model}, allowed: one of them",
            hint="Leave the model out (`--set gpu_pipeline.internvl3.model=null`), or the other two.",
        )
    return preset_info(settings.preset)


def preset_info(preset: str) -> CheckpointInfo:
    """The facts of a preset; its weights and its tokenizer are made in `engine/local`."""
    shape = PRESETS[preset]
    return CheckpointInfo(
        model_id=f"dummy:{preset}",
        revision=None,
        path="",
        layout="dummy",
        shape=shape,
        unsupported_because="",
        tile_px=shape.vision.image_px,
        tokens_per_tile=shape.tokens_per_tile,
        image_mean=IMAGENET_MEAN,
        image_std=IMAGENET_STD,
        max_tiles=_MAX_TILES,
        image_token_id=IMAGE_TOKEN_ID,
        end_token_ids=(END_TOKEN_ID,),
        chat_template=None,
        text_model_type=shape.text.family,
        num_parameters=shape.num_parameters,
        weight_files=(),
        identity=f"dummy:{preset}:{_DUMMY_VERSION}",
    )
