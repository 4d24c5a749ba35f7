"""Random weights and a stand-in tokenizer for presets: the true shapes, the true arithmetic, no sense.

The numbers come from one pool, made once from a fixed seed and copied from a place that depends on the
tensor's name: the same on every device, and copying is far quicker than drawing billions of numbers.
"""

from __future__ import annotations

import math
import zlib
from itertools import product
from string import ascii_lowercase
from typing import Any

import torch

from corridor_cli.engine.presets import END_TOKEN_ID, IMAGE_TOKEN_ID, VOCAB_SIZE

# A prime, so that rows of a tensor longer than the pool do not repeat at the same place.
_POOL_SIZE = 16_777_213
_SEED = 20250414
# Deviation of the weights. Normed inputs keep activations near 1 in every preset, far from what fp16 holds.
_STD = 0.02
_LAYER_SCALE = 0.1

_FIRST_SPECIAL_ID = 151643
_SPECIAL_TOKENS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>",
    "<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>",
    "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>", "<|fim_prefix|>",
    "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<img>", "</img>",
    "<IMG_CONTEXT>", "<quad>", "</quad>", "<ref>", "</ref>", "<box>", "</box>",
)  # fmt: skip
# Whole words of the vocabulary, so that a prompt comes to about as many tokens as with the real one.
_WORDS = (
    "a about all an and any are as at background be been behind blue both bright but by camera can car "
    "centre clear close colour colours dark describe detail details does each face features few first "
    "foreground frame frames from front give green ground hand happen happens has have how image in "
    "into is it its left light like list look main many more moving name near no not object objects of "
    "on one or other out over part people person picture red right scene see seen sentence sentences "
    "shape shot show shown side sky so some subject text than that the their them then there these they "
    "this those three through time to tree two under up user video visible was water we what when where "
    "which while white who why will with words write yellow you your assistant system"
)
_SPACE = "Ġ"  # how byte-level vocabularies write a space


class DummySource:
    """A `TensorSource` that makes each tensor on the device, in the dtype, when it is asked for."""

    def __init__(self, device: str, dtype: torch.dtype) -> None:
        generator = torch.Generator().manual_seed(_SEED)
        pool = torch.randn(_POOL_SIZE, generator=generator).mul_(_STD)
        self._pool = pool.to(dtype).to(device)

    def tensor(self, name: str, shape: tuple[int, ...]) -> torch.Tensor:
        """Norms are neutral, layer scales small, all else is normally distributed."""
        constant = _constant(name)
        if constant is not None:
            return torch.full(shape, constant, dtype=self._pool.dtype, device=self._pool.device)
        numbers = torch.empty(math.prod(shape), dtype=self._pool.dtype, device=self._pool.device)
        start, done = zlib.crc32(name.encode()) % _POOL_SIZE, 0
        while done < len(numbers):
            part = self._pool[start : start + len(numbers) - done]
            numbers[done : done + len(part)] = part
            start, done = 0, done + len(part)
        made = numbers.view(shape)
        if name == "language_model.lm_head.weight" and len(made) > END_TOKEN_ID:
            made[END_TOKEN_ID] = 0  # others are likelier: every caption has its full length
        return made


def _constant(name: str) -> float | None:
    *_, part, last = name.split(".")
    if last.startswith("lambda_"):
        return _LAYER_SCALE
    if "norm" in part:
        return 0.0 if last == "bias" else 1.0
    return None


def dummy_tokenizer() -> Any:
    """A byte-level BPE with the size and the special tokens of InternVL3's; any text goes there and back."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = _merges()
    tokens = dict.fromkeys([*letters, *(left + right for left, right in merges)])
    # Words nobody writes, so that every id the random network may choose is a text.
    filler = (_SPACE + "".join(word) for word in product(ascii_lowercase, repeat=4))
    while len(tokens) < _FIRST_SPECIAL_ID:
        tokens.setdefault(next(filler))
    vocab = {token: number for number, token in enumerate([*tokens, *_SPECIAL_TOKENS])}
    assert len(vocab) == VOCAB_SIZE
    assert (vocab["<IMG_CONTEXT>"], vocab["<|im_end|>"]) == (IMAGE_TOKEN_ID, END_TOKEN_ID)
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in _SPECIAL_TOKENS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        clean_up_tokenization_spaces=False,
    )


def _merges() -> list[tuple[str, str]]:
    """Each word grows from its first letter, with the space before it; what is left joins in pairs."""
    merges: dict[tuple[str, str], None] = {}
    for word in _WORDS.split():
        for spelled in (_SPACE + word, word, word.capitalize()):
            for end in range(1, len(spelled)):
                merges.setdefault((spelled[:end], spelled[end]))
    for first, second in product(ascii_lowercase, repeat=2):
        merges.setdefault((first, second))
    return list(merges)
