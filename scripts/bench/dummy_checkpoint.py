"""A checkpoint folder of a real InternVL3 shape with random weights and a tokenizer made in code.

Speed does not depend on what weights are worth, so a benchmark needs no download. The rows of the end tokens
in the output layer are zero: among 151,674 random scores the largest is never zero, so no caption ends early
and every contestant makes the same number of tokens without being told not to stop.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

IMAGE_TOKEN_ID = 151_667
END_TOKEN_IDS = (151_643, 151_645)
VOCABULARY = 151_674
SPECIAL_TOKENS = {
    "<|endoftext|>": 151_643,
    "<|im_start|>": 151_644,
    "<|im_end|>": 151_645,
    "<|video_pad|>": 151_656,
    "<img>": 151_665,
    "</img>": 151_666,
    "<IMG_CONTEXT>": IMAGE_TOKEN_ID,
}
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<IMG_CONTEXT>\n{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# layers, hidden, heads, key-value heads, feed-forward width of the language model
TEXT_SIZES = {
    "internvl3-1b": (24, 896, 14, 2, 4864),
    "internvl3-2b": (28, 1536, 12, 2, 8960),
    "internvl3-8b": (28, 3584, 28, 4, 18944),
}
IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)
_WEIGHT_STD = 0.02
_LAYER_SCALE = 0.1


def dummy_config(preset: str, num_layers: int | None = None) -> Any:
    """The transformers config of an InternVL3 size; `num_layers` cuts both towers, for tests."""
    from transformers import InternVLConfig

    layers, hidden, heads, kv_heads, width = TEXT_SIZES[preset]
    return InternVLConfig(
        vision_config={
            "hidden_size": 1024, "num_hidden_layers": num_layers or 24, "num_attention_heads": 16,
            "intermediate_size": 4096, "image_size": 448, "patch_size": 14, "attention_bias": True,
            "use_qk_norm": False, "norm_type": "layer_norm", "layer_norm_eps": 1e-6,
        },
        text_config={
            "model_type": "qwen2", "hidden_size": hidden, "num_hidden_layers": num_layers or layers,
            "num_attention_heads": heads, "num_key_value_heads": kv_heads, "intermediate_size": width,
            "vocab_size": VOCABULARY, "max_position_embeddings": 32_768, "rms_norm_eps": 1e-6,
            "rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e6},
            "bos_token_id": END_TOKEN_IDS[0], "eos_token_id": END_TOKEN_IDS[1],
        },
        image_token_id=IMAGE_TOKEN_ID, image_seq_length=256, tie_word_embeddings=False,
    )  # fmt: skip


def dummy_network(config: Any, device: str, dtype: torch.dtype, seed: int = 7) -> Any:
    """The transformers network with seeded random weights, made where it will run; nothing ends a caption."""
    from transformers import InternVLForConditionalGeneration

    with torch.device("meta"):
        network = InternVLForConditionalGeneration(config).to(dtype)
    # Position tables are no weights, and emptying a network would leave rubbish in them.
    tables = [
        (name, type(module), module.config)
        for name, module in network.named_modules()
        if type(module).__name__.endswith("RotaryEmbedding")
    ]
    network.to_empty(device=device)
    for name, kind, its_config in tables:
        network.set_submodule(name, kind(its_config).to(device))
    generator = torch.Generator(device).manual_seed(seed)
    for name, parameter in network.named_parameters():
        if name.endswith(("lambda_1", "lambda_2")):
            torch.nn.init.constant_(parameter, _LAYER_SCALE)
        elif parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=_WEIGHT_STD, generator=generator)
        else:
            torch.nn.init.constant_(parameter, 0.0 if name.endswith("bias") else 1.0)
    with torch.no_grad():
        network.get_output_embeddings().weight[list(END_TOKEN_IDS)] = 0
    return network.eval().requires_grad_(False)


def write_dummy_checkpoint(folder: Path, config: Any) -> int:
    """Write the whole folder, weights in bfloat16; the number of parameters."""
    folder.mkdir(parents=True, exist_ok=True)
    network = dummy_network(config, "cpu", torch.bfloat16)
    network.save_pretrained(folder)
    write_tokenizer(folder)
    _write_json(
        folder / "generation_config.json",
        {"eos_token_id": list(END_TOKEN_IDS), "pad_token_id": END_TOKEN_IDS[0]},
    )
    _write_json(
        folder / "processor_config.json", {"image_seq_length": 256, "processor_class": "InternVLProcessor"}
    )
    _write_json(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": "GotOcr2ImageProcessor", "processor_class": "InternVLProcessor",
            "crop_to_patches": True, "min_patches": 1, "max_patches": 12,
            "do_resize": True, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
            "do_convert_rgb": True, "resample": 3,
            "image_mean": IMAGE_MEAN, "image_std": IMAGE_STD,
            "size": {"height": 448, "width": 448},
        },
    )  # fmt: skip
    return sum(parameter.numel() for parameter in network.parameters())


def write_tokenizer(folder: Path) -> None:
    """A token a byte, special tokens at their real ids, and fillers nothing is encoded to in between."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    names = {number: name for name, number in SPECIAL_TOKENS.items()}
    for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet())):
        names[number] = letter
    vocabulary = {names.get(number, f"filler{number}"): number for number in range(VOCABULARY)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL_TOKENS])
    tokenizer.save(str(folder / "tokenizer.json"))
    _write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "chat_template": CHAT_TEMPLATE,
            "extra_special_tokens": {
                "start_image_token": "<img>",
                "end_image_token": "</img>",
                "context_image_token": "<IMG_CONTEXT>",
                "video_token": "<|video_pad|>",
            },
        },
    )


def _write_json(path: Path, table: object) -> None:
    path.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
