"""A random InternVL checkpoint of 2 + 2 layers, made here, and the pictures it looks at."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from corridor_cli.records import BatchStarted, BatchStats, FrameRef, Generation, Request, RequestKey, Role

TILE_PX = 56
TOKENS_PER_TILE = 4
MAX_CONTEXT_TOKENS = 512
SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>"]
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<IMG_CONTEXT>\n{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class DictStore:
    """Pixels by slot, in plain memory."""

    def __init__(self) -> None:
        self.frames: dict[int, np.ndarray] = {}

    def pixels(self, ref: FrameRef) -> np.ndarray:
        frame = self.frames[ref.slot]
        assert frame.shape == (ref.height_px, ref.width_px, 3)
        return frame

    def add(self, frame: np.ndarray) -> FrameRef:
        slot = len(self.frames)
        self.frames[slot] = frame
        return FrameRef(slot, frame.shape[1], frame.shape[0])


class Listener:
    """Collects what an engine tells about its batches."""

    def __init__(self) -> None:
        self.events: list[BatchStarted | BatchStats] = []

    def __call__(self, event: BatchStarted | BatchStats) -> None:
        self.events.append(event)

    @property
    def started(self) -> list[BatchStarted]:
        return [event for event in self.events if isinstance(event, BatchStarted)]

    @property
    def stats(self) -> list[BatchStats]:
        return [event for event in self.events if isinstance(event, BatchStats)]


def make_request(
    number: int,
    refs: tuple[FrameRef, ...],
    prompt: str = "What is here?",
    max_new_tokens: int = 12,
    attempt: int = 0,
) -> Request:
    key = RequestKey(number // 100, number % 100, Role.FIRST)
    return Request(key, prompt, refs, Generation(max_new_tokens), attempt)


def make_frame(seed: int, width_px: int = 80, height_px: int = 60) -> np.ndarray:
    """A gradient with noise; another seed gives another picture."""
    rng = np.random.default_rng(seed)
    across = np.linspace(0, 1, width_px)[None, :, None] * rng.integers(0, 256, 3)
    down = np.linspace(0, 1, height_px)[:, None, None] * rng.integers(0, 256, 3)
    return np.clip((across + down) / 1.5 + rng.normal(0, 8, (height_px, width_px, 3)), 0, 255).astype(
        np.uint8
    )


def write_checkpoint(
    folder: Path,
    seed: int = 7,
    *,
    vision: dict[str, object] | None = None,
    text: dict[str, object] | None = None,
    is_tied: bool = False,
) -> Path:
    """A seeded random checkpoint in the HF layout, with a byte-level tokenizer.

    `vision` and `text` change its config: another norm, another language model.
    """
    import torch
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import InternVLConfig, InternVLForConditionalGeneration

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: number for number, token in enumerate([*SPECIAL_TOKENS, *letters])}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL_TOKENS])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(seed)
    config = InternVLConfig(
        vision_config={
            "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
            "image_size": TILE_PX, "patch_size": 14, **(vision or {}),
        },
        text_config={
            "model_type": "qwen2", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
            "num_key_value_heads": 1, "intermediate_size": 64, "vocab_size": len(vocab),
            "max_position_embeddings": MAX_CONTEXT_TOKENS, "initializer_range": 0.3,
            "rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e6},
            "tie_word_embeddings": is_tied, **(text or {}),
        },
        image_token_id=vocab["<IMG_CONTEXT>"], image_seq_length=TOKENS_PER_TILE,
        tie_word_embeddings=is_tied,
    )  # fmt: skip
    network = InternVLForConditionalGeneration(config)
    for parameter in network.parameters():
        # Far enough apart for stable choices, unlike the default; no two norms or biases alike.
        noise = torch.randn_like(parameter) * 0.3
        parameter.data = noise if parameter.dim() > 1 else parameter.data + noise
    network.save_pretrained(folder)
    write_json(folder / "generation_config.json", {"eos_token_id": vocab["<|im_end|>"]})
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "chat_template": CHAT_TEMPLATE,
        },
    )
    write_json(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": "GotOcr2ImageProcessor", "crop_to_patches": True, "max_patches": 12,
            "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "resample": 3,
            "size": {"height": TILE_PX, "width": TILE_PX},
        },
    )  # fmt: skip
    return folder


def write_json(path: Path, table: object) -> None:
    path.write_text(json.dumps(table), encoding="utf-8")
