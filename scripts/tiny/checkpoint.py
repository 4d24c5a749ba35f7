"""The tiny checkpoint's files: configuration, tokenizer, chat template, preprocessor."""

import json
import random
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import InternVLConfig, InternVLForConditionalGeneration, PreTrainedTokenizerFast

from .colours import COLOURS
from .labels import CONTRASTS, DETAILS, LIGHTS, PLACES, SHAPES, SIZE_PX, write_caption
from .prompts import KNOWN, WORDS

SPECIALS: tuple[str, ...] = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>", "<image>", "<video>",
)  # fmt: skip
TILE_TOKENS = 16
VOCABULARY = 1024
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<IMG_CONTEXT>\\n' }}"
    "{% elif part['type'] == 'video' %}{{ '<video>\\n' }}"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}{{ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of 1,024 tokens: any text splits, every caption word is one token."""
    rng = random.Random(0)
    corpus = []
    for _ in range(2000):
        words = [rng.randrange(len(names)) for names in (LIGHTS, CONTRASTS, DETAILS, COLOURS, COLOURS)]
        shape = [rng.randrange(len(names)) for names in (SHAPES, COLOURS, PLACES)]
        corpus.append(write_caption(words, shape))
    corpus += [*KNOWN * 20, *(f"{word} {word.capitalize()} {word}" for word in WORDS * 4)]
    corpus += ["user\n system\n assistant\n Frame1: Frame2: Frame3: Frame4:"] * 50
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in SPECIALS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        padding_side="left",
        model_max_length=4096,
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
        extra_special_tokens={
            "start_image_token": "<img>",
            "end_image_token": "</img>",
            "context_image_token": "<IMG_CONTEXT>",
            "video_token": "<video>",
        },
    )


def build_config(tokenizer: PreTrainedTokenizerFast) -> InternVLConfig:
    """The architecture of InternVL3, small: about 2.4 million weights, 16 visual tokens a tile."""
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIALS}
    vision = {
        "hidden_size": 192, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 512,
        "attention_bias": True, "image_size": [SIZE_PX, SIZE_PX], "patch_size": [14, 14],
        "layer_scale_init_value": 0.5, "architectures": ["InternVLVisionModel"],
    }  # fmt: skip
    text = {
        "model_type": "qwen2", "hidden_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4,
        "num_key_value_heads": 2, "intermediate_size": 320, "vocab_size": VOCABULARY,
        "max_position_embeddings": 4096, "rope_theta": 1000000.0, "tie_word_embeddings": False,
        "bos_token_id": ids["<|endoftext|>"], "eos_token_id": ids["<|im_end|>"],
        "pad_token_id": ids["<|endoftext|>"], "architectures": ["Qwen2ForCausalLM"],
    }  # fmt: skip
    return InternVLConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=ids["<IMG_CONTEXT>"],
        image_seq_length=TILE_TOKENS,
        tie_word_embeddings=False,
        architectures=["InternVLForConditionalGeneration"],
    )


def _waves(width: int) -> torch.Tensor:
    """Sines and cosines of a patch's row and column at several frequencies, (64, width)."""
    side = SIZE_PX // 14
    places = (torch.arange(side) + 0.5) / side
    frequencies = torch.pi * 2 ** torch.linspace(-1, 2.5, width // 4)
    angles = places[:, None] * frequencies
    axis = torch.cat([angles.sin(), angles.cos()], dim=1)
    rows, columns = axis[:, None].expand(-1, side, -1), axis[None].expand(side, -1, -1)
    return torch.cat([rows, columns], dim=2).reshape(side * side, width)


def build_model(config: InternVLConfig, seed: int) -> InternVLForConditionalGeneration:
    """Fresh weights. The class starts position embeddings at zero; waves tell places apart at once."""
    torch.manual_seed(seed)
    model = InternVLForConditionalGeneration(config)
    embeddings = model.model.vision_tower.embeddings
    with torch.no_grad():
        embeddings.position_embeddings[0, 1:] = _waves(model.config.vision_config.hidden_size)
        embeddings.cls_token.normal_(std=0.02)
    return model


def _preprocessor() -> dict[str, Any]:
    return {
        "image_processor_type": "GotOcr2ImageProcessor",
        "processor_class": "InternVLProcessor",
        "do_resize": True,
        "do_rescale": True,
        "do_normalize": True,
        "do_convert_rgb": True,
        "size": {"height": SIZE_PX, "width": SIZE_PX},
        "resample": 3,
        "rescale_factor": 1 / 255,
        "image_mean": list(MEAN),
        "image_std": list(STD),
        "crop_to_patches": False,
        "min_patches": 1,
        "max_patches": 12,
    }


def save_checkpoint(
    folder: Path, model: InternVLForConditionalGeneration, tokenizer: PreTrainedTokenizerFast
) -> None:
    """Write the folder `from_pretrained` reads: weights in float32, and every JSON file beside them."""
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIALS}
    model.generation_config.update(
        do_sample=False, eos_token_id=ids["<|im_end|>"], pad_token_id=ids["<|endoftext|>"], max_new_tokens=64
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    processor = {"image_seq_length": TILE_TOKENS, "processor_class": "InternVLProcessor"}
    for name, content in (
        ("preprocessor_config.json", _preprocessor()),
        ("processor_config.json", processor),
    ):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")
