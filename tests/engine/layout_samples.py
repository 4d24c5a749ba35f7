"""The random checkpoint rewritten: in the names transformers uses now, and in the original layout."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import torch
from engine_samples import CHAT_TEMPLATE, TILE_PX, write_json
from safetensors.torch import load_file, save_file

# From an original name to the `-hf` one, as transformers' conversion script replaces them, in this order.
FROM_ORIGINAL = [
    ("vision_model", "vision_tower"), ("layers", "layer"), ("class_embedding", "cls_token"),
    ("position_embedding", "position_embeddings"), ("patch_embedding", "patch_embeddings.projection"),
    (r"ls(\d+)", r"lambda_\1"), (r"attn\.proj", "attention.projection_layer"), ("attn", "attention"),
    ("norm1", "layernorm_before"), ("norm2", "layernorm_after"),
]  # fmt: skip
PROJECTOR = {"mlp1.0": "layer_norm", "mlp1.1": "linear_1", "mlp1.3": "linear_2"}


def converted_name(original: str) -> str:
    """What the conversion script makes of a name; the fused `qkv` keeps its own."""
    if original.startswith("vision_model"):
        for pattern, replacement in FROM_ORIGINAL:
            original = re.sub(pattern, replacement, original)
    for theirs, ours in PROJECTOR.items():
        original = original.replace(theirs, f"multi_modal_projector.{ours}")
    return original


def original_names(num_layers: int, num_text: list[str]) -> list[str]:
    """The names in an original checkpoint with a layer norm, no query-key norm and no bias of the queries."""
    names = [f"vision_model.embeddings.{x}" for x in ("class_embedding", "position_embedding")]
    names += [f"vision_model.embeddings.patch_embedding.{x}" for x in ("weight", "bias")]
    for number in range(num_layers):
        layer = f"vision_model.encoder.layers.{number}"
        modules = ("attn.proj", "mlp.fc1", "mlp.fc2", "norm1", "norm2")
        names += [f"{layer}.{module}.{x}" for module in modules for x in ("weight", "bias")]
        names += [f"{layer}.attn.qkv.weight", f"{layer}.ls1", f"{layer}.ls2"]
    return names + [f"{module}.{x}" for module in PROJECTOR for x in ("weight", "bias")] + num_text


def write_newer_names(checkpoint: Path, folder: Path) -> Path:
    """`model.language_model…`, `model.vision_tower…`, `lm_head.weight`."""
    shutil.copytree(checkpoint, folder)
    tensors = load_file(checkpoint / "model.safetensors")
    new = {
        "lm_head.weight" if "lm_head" in name
        else f"model.{name.replace('language_model.model', 'language_model')}": tensor
        for name, tensor in tensors.items()
    }  # fmt: skip
    save_file(new, folder / "model.safetensors")
    return folder


def write_original(checkpoint: Path, folder: Path) -> Path:
    """The original layout: its names, its config keys, its CLIP preprocessor, its text-only template."""
    folder.mkdir(parents=True)
    tensors = load_file(checkpoint / "model.safetensors")
    text = [name for name in tensors if name.startswith("language_model.")]
    written: dict[str, torch.Tensor] = {}
    for name in original_names(2, text):
        ours = converted_name(name)
        if "attention.qkv" in ours:
            parts = [tensors[ours.replace("qkv", f"{letter}_proj")] for letter in "qkv"]
            written[name] = torch.cat(parts)
        else:
            written[name] = tensors[ours]
    save_file(written, folder / "model.safetensors")
    config = json.loads((checkpoint / "config.json").read_text())
    write_json(folder / "config.json", original_config(config))
    write_json(
        folder / "preprocessor_config.json",
        {
            "crop_size": TILE_PX, "do_center_crop": True, "feature_extractor_type": "CLIPFeatureExtractor",
            "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "resample": 3,
            "size": TILE_PX,
        },
    )  # fmt: skip
    _write_tokenizer(checkpoint, folder)
    return folder


def original_config(config: dict[str, dict[str, object]]) -> dict[str, object]:
    """The same network as `InternVLChatConfig` writes it down."""
    vision, text = config["vision_config"], dict(config["text_config"])
    scaling = {"factor": 2.0, "type": "dynamic", "rope_type": "dynamic"}
    text.pop("rope_parameters")
    text |= {"architectures": ["Qwen2ForCausalLM"], "rope_theta": 1e6, "rope_scaling": scaling}
    kept = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act")
    return {
        "architectures": ["InternVLChatModel"], "model_type": "internvl_chat", "ps_version": "v2",
        "auto_map": {"AutoModel": "modeling_internvl_chat.InternVLChatModel"}, "downsample_ratio": 0.5,
        "dynamic_image_size": True, "force_image_size": TILE_PX, "max_dynamic_patch": 12, "select_layer": -1,
        "use_backbone_lora": 0, "use_llm_lora": 0, "use_thumbnail": True, "template": "internvl2_5",
        "llm_config": text, "tie_word_embeddings": False,
        "vision_config": {
            **{key: vision[key] for key in kept}, "model_type": "intern_vit_6b", "image_size": TILE_PX,
            "patch_size": 14, "qkv_bias": False, "qk_normalization": False, "norm_type": "layer_norm",
            "layer_norm_eps": 1e-6, "num_channels": 3,
        },
    }  # fmt: skip


def _write_tokenizer(checkpoint: Path, folder: Path) -> None:
    """A vocabulary with its merges, and the special tokens beside it: no `tokenizer.json`."""
    tokenizer = json.loads((checkpoint / "tokenizer.json").read_text())
    added = {entry["content"]: entry["id"] for entry in tokenizer["added_tokens"]}
    vocab = {token: number for token, number in tokenizer["model"]["vocab"].items() if token not in added}
    write_json(folder / "vocab.json", vocab)
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    write_json(folder / "added_tokens.json", added)
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
            "unk_token": None, "bos_token": None, "clean_up_tokenization_spaces": False,
            "chat_template": CHAT_TEMPLATE.replace("<IMG_CONTEXT>", ""),
            "added_tokens_decoder": {
                str(number): {"content": token, "special": True, "lstrip": False, "rstrip": False,
                              "normalized": False, "single_word": False}
                for token, number in added.items()
            },
        },
    )  # fmt: skip
