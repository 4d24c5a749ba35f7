"""A published size with random weights in transformers' own network, to have its speed to compare with.

Tokenizer and template are those of the local engine's dummy, so both read the same
prompts and write captions of the same length. Nothing is written to disk but the few files a processor wants.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import torch

from corridor_cli.engine.checkpoint import CheckpointInfo
from corridor_cli.engine.generic.processor import load_processor
from corridor_cli.engine.local.dummy import DummySource, dummy_tokenizer
from corridor_cli.engine.local.shape import NetworkShape

_SPECIAL = {
    "start_image_token": "<img>",
    "end_image_token": "</img>",
    "context_image_token": "<IMG_CONTEXT>",
    "video_token": "<|video_pad|>",
}
_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<IMG_CONTEXT>\n{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def dummy_network(info: CheckpointInfo, device: str, dtype: torch.dtype) -> Any:
    """The network of a preset, in evaluation mode, made where it will run; no caption of it ends early."""
    from transformers import InternVLForConditionalGeneration

    assert info.shape is not None, "a preset has a shape"
    with torch.device("meta"):
        network = InternVLForConditionalGeneration(dummy_config(info.shape, info)).to(dtype)
    # Tables of positions are no weights: emptying the network would leave rubbish in them.
    tables = [
        (name, type(module), module.config)
        for name, module in network.named_modules()
        if type(module).__name__.endswith("RotaryEmbedding")
    ]
    network.to_empty(device=device)
    for name, kind, its_config in tables:
        network.set_submodule(name, kind(its_config).to(device))
    source = DummySource(device, dtype)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(source.tensor(name, tuple(parameter.shape)))
        network.get_output_embeddings().weight[list(info.end_token_ids)] = 0
    return network.eval().requires_grad_(False)


def dummy_config(shape: NetworkShape, info: CheckpointInfo) -> Any:
    """The shape in transformers' words."""
    from transformers import InternVLConfig

    vision, text = shape.vision, shape.text
    return InternVLConfig(
        vision_config={
            "hidden_size": vision.hidden, "num_hidden_layers": vision.num_layers,
            "num_attention_heads": vision.num_heads, "intermediate_size": vision.intermediate,
            "image_size": vision.image_px, "patch_size": vision.patch_px,
            "attention_bias": vision.has_qkv_bias, "use_qk_norm": vision.has_qk_norm,
            "norm_type": vision.norm, "layer_norm_eps": vision.norm_eps,
        },
        text_config={
            "model_type": text.family, "hidden_size": text.hidden, "num_hidden_layers": text.num_layers,
            "num_attention_heads": text.num_heads, "num_key_value_heads": text.num_kv_heads,
            "intermediate_size": text.intermediate, "vocab_size": text.vocab_size,
            "max_position_embeddings": text.max_positions, "rms_norm_eps": text.norm_eps,
            "rope_parameters": {"rope_type": "default", "rope_theta": text.rope_theta},
            "eos_token_id": info.end_token_ids[0],
        },
        image_token_id=info.image_token_id, image_seq_length=info.tokens_per_tile,
        tie_word_embeddings=text.is_tied,
    )  # fmt: skip


def dummy_processor(info: CheckpointInfo, max_tiles: int) -> Any:
    """The processor of a preset, with the tokenizer of the local engine's dummy."""
    with tempfile.TemporaryDirectory(prefix="vlmtl-processor-") as folder:
        path = Path(folder)
        tokenizer = dummy_tokenizer()
        tokenizer.chat_template = _TEMPLATE
        tokenizer.save_pretrained(path)
        named = json.loads((path / "tokenizer_config.json").read_bytes())
        _write(path / "tokenizer_config.json", {**named, "extra_special_tokens": _SPECIAL})
        _write(
            path / "processor_config.json",
            {"image_seq_length": info.tokens_per_tile, "processor_class": "InternVLProcessor"},
        )
        _write(
            path / "preprocessor_config.json",
            {
                "image_processor_type": "GotOcr2ImageProcessor", "processor_class": "InternVLProcessor",
                "crop_to_patches": True, "min_patches": 1, "max_patches": info.max_tiles,
                "do_resize": True, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
                "do_convert_rgb": True, "resample": 3,
                "image_mean": list(info.image_mean), "image_std": list(info.image_std),
                "size": {"height": info.tile_px, "width": info.tile_px},
            },
        )  # fmt: skip
        return load_processor(str(path), max_tiles)


def _write(path: Path, table: dict[str, Any]) -> None:
    path.write_text(json.dumps(table), encoding="utf-8")
