"""Random checkpoints of other families than InternVL, each with its own tokenizer, template and processor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine_samples import CHAT_TEMPLATE, SPECIAL_TOKENS, TILE_PX, write_json

MAX_CONTEXT_TOKENS = 512
_TEXT = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
    "intermediate_size": 64, "max_position_embeddings": MAX_CONTEXT_TOKENS, "head_dim": 16,
    "bos_token_id": None, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
_VISION = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
    "image_size": TILE_PX, "patch_size": 14,
}  # fmt: skip
_RGB = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}


def write_tokenizer(folder: Path, special: list[str], template: str | None) -> dict[str, int]:
    """A byte-level tokenizer with these special tokens; its vocabulary."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: number for number, token in enumerate([*special, *letters])}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
        "bos_token": "<|im_start|>", "start_image_token": "<img>", "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>", "video_token": "<video>",
    }  # fmt: skip
    write_json(folder / "tokenizer_config.json", settings | ({"chat_template": template} if template else {}))
    write_json(folder / "generation_config.json", {"eos_token_id": 2, "repetition_penalty": 1.3})
    return vocab


def template_with(image: str) -> str:
    """The usual chat template, with another image token."""
    return CHAT_TEMPLATE.replace("<IMG_CONTEXT>\n", image)


def save(network: Any, folder: Path) -> Path:
    import torch

    for parameter in network.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    network.save_pretrained(folder)
    write_json(folder / "generation_config.json", {"eos_token_id": 2, "repetition_penalty": 1.3})
    return folder


def write_llava(folder: Path) -> Path:
    from transformers import LlavaConfig, LlavaForConditionalGeneration

    vocab = write_tokenizer(folder, [*SPECIAL_TOKENS, "<image>"], template_with("<image>\n"))
    vision = _VISION | {"model_type": "clip_vision_model", "projection_dim": 32}
    config = LlavaConfig(
        vision_config=vision,
        text_config=_TEXT | {"model_type": "llama", "vocab_size": len(vocab)},
        image_token_index=vocab["<image>"],
        image_token_id=vocab["<image>"],
        vision_feature_layer=-1,
    )
    side = {"height": TILE_PX, "width": TILE_PX}
    pixels = {"image_processor_type": "CLIPImageProcessor", "crop_size": side, "size": {"shortest_edge": 56}}
    write_json(folder / "preprocessor_config.json", pixels | _RGB)
    settings = {
        "processor_class": "LlavaProcessor", "patch_size": 14, "num_additional_image_tokens": 1,
        "vision_feature_select_strategy": "default", "image_token": "<image>",
    }  # fmt: skip
    write_json(folder / "processor_config.json", settings)
    return save(LlavaForConditionalGeneration(config), folder)


def write_idefics3(folder: Path) -> Path:
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration

    special = [*SPECIAL_TOKENS, "<image>", "<fake_token_around_image>", "<end_of_utterance>", "<global-img>"]
    special += [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    vocab = write_tokenizer(folder, special, template_with("<image>"))
    config = Idefics3Config(
        vision_config=_VISION | {"model_type": "idefics3_vision"},
        text_config=_TEXT | {"model_type": "llama", "vocab_size": len(vocab)},
        image_token_id=vocab["<image>"],
        scale_factor=2,
        pad_token_id=0,
    )
    pixels = {
        "image_processor_type": "Idefics3ImageProcessor", "size": {"longest_edge": 2 * TILE_PX},
        "max_image_size": {"longest_edge": TILE_PX}, "do_image_splitting": True,
    }  # fmt: skip
    write_json(folder / "preprocessor_config.json", pixels | _RGB)
    write_json(folder / "processor_config.json", {"processor_class": "Idefics3Processor", "image_seq_len": 4})
    return save(Idefics3ForConditionalGeneration(config), folder)


def write_qwen2_vl(folder: Path) -> Path:
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    special = [*SPECIAL_TOKENS, "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    vocab = write_tokenizer(folder, special, template_with("<|vision_start|><|image_pad|><|vision_end|>"))
    text = {key: value for key, value in _TEXT.items() if key != "head_dim"}
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}
    config = Qwen2VLConfig(
        vision_config={"depth": 2, "embed_dim": 32, "num_heads": 2, "hidden_size": 32, "patch_size": 14},
        text_config=text | {"model_type": "qwen2_vl_text", "vocab_size": len(vocab), "rope_parameters": rope},
        image_token_id=vocab["<|image_pad|>"],
        video_token_id=vocab["<|video_pad|>"],
        vision_start_token_id=vocab["<|vision_start|>"],
        vision_end_token_id=vocab["<|vision_end|>"],
    )
    pixels = {
        "image_processor_type": "Qwen2VLImageProcessor", "patch_size": 14, "merge_size": 2,
        "temporal_patch_size": 2, "size": {"shortest_edge": 3136, "longest_edge": 12544},
    }  # fmt: skip
    write_json(folder / "preprocessor_config.json", pixels | _RGB)
    write_json(folder / "processor_config.json", {"processor_class": "Qwen2VLProcessor"})
    return save(Qwen2VLForConditionalGeneration(config), folder)


def write_paligemma(folder: Path) -> Path:
    """A family without a chat template, whose processor marks each token as picture or answer."""
    from transformers import PaliGemmaConfig, PaliGemmaForConditionalGeneration

    vocab = write_tokenizer(folder, [*SPECIAL_TOKENS, "<image>"], None)
    config = PaliGemmaConfig(
        vision_config=_VISION | {"model_type": "siglip_vision_model", "vision_use_head": False},
        text_config=_TEXT | {"model_type": "gemma", "vocab_size": len(vocab)},
        image_token_index=vocab["<image>"],
        projection_dim=32,
    )
    side = {"height": TILE_PX, "width": TILE_PX}
    pixels = {"image_processor_type": "SiglipImageProcessor", "size": side, "image_seq_length": 16}
    write_json(folder / "preprocessor_config.json", pixels | _RGB)
    write_json(folder / "processor_config.json", {"processor_class": "PaliGemmaProcessor"})
    return save(PaliGemmaForConditionalGeneration(config), folder)


def write_internvl_llama(folder: Path) -> Path:
    """InternVL around a language model that is none of Qwen's."""
    from transformers import InternVLConfig, InternVLForConditionalGeneration

    vocab = write_tokenizer(folder, [*SPECIAL_TOKENS, "<video>"], CHAT_TEMPLATE)
    rope = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e6}
    config = InternVLConfig(
        vision_config=_VISION | {"model_type": "internvl_vision"},
        text_config=_TEXT | {"model_type": "llama", "vocab_size": len(vocab), "rope_parameters": rope},
        image_token_id=vocab["<IMG_CONTEXT>"],
        image_seq_length=4,
    )
    pixels = {
        "image_processor_type": "GotOcr2ImageProcessor", "crop_to_patches": False, "max_patches": 12,
        "size": {"height": TILE_PX, "width": TILE_PX}, "resample": 3,
    }  # fmt: skip
    write_json(folder / "preprocessor_config.json", pixels | _RGB)
    settings = {"processor_class": "InternVLProcessor", "image_seq_length": 4}
    write_json(folder / "processor_config.json", settings)
    return save(InternVLForConditionalGeneration(config), folder)


FAMILIES: dict[str, Callable[[Path], Path]] = {
    "llava": write_llava,
    "idefics3": write_idefics3,
    "qwen2_vl": write_qwen2_vl,
    "paligemma": write_paligemma,
    "internvl_llama": write_internvl_llama,
}
