"""The two sides of `verify` on a real checkpoint: transformers by its own words, and the local engine.

The reference shares nothing with the local engine but the frames: the checkpoint's image processor in its
Pillow form makes the pixels, the tokenizer sees the whole prompt as one text, and `generate` does the rest.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from corridor_cli.engine.checkpoint import CheckpointInfo
from corridor_cli.engine.generic.load import load_network, silence_transformers
from corridor_cli.engine.local.load import load
from corridor_cli.engine.local.sequences import TokenSequence
from corridor_cli.engine.local.tiles import count_tiles
from corridor_cli.engine.verify import Answer, ReferenceAnswer
from corridor_cli.records import Generation, Request, RequestKey, Role
from corridor_cli.settings import ModelSettings

if TYPE_CHECKING:
    from corridor_cli.records import FrameRef, Pixels

T = TypeVar("T")

_VISION_TILES = 4


class TransformersReference:
    """A `ReferenceCaptioner`: `InternVLForConditionalGeneration.generate`, one frame at a time."""

    def __init__(self, info: CheckpointInfo, device: str, dtype: torch.dtype, max_tiles: int) -> None:
        silence_transformers()
        torch.backends.cudnn.allow_tf32 = False  # its patches are a convolution: fp32 is to be fp32
        from transformers import AutoImageProcessor, AutoTokenizer

        self._info = info
        self._max_tiles = max_tiles
        self._network = load_network(info.path, device, dtype)
        self._tokenizer = AutoTokenizer.from_pretrained(
            info.path, local_files_only=True, trust_remote_code=False
        )
        self._image_processor = AutoImageProcessor.from_pretrained(
            info.path, backend="pil", local_files_only=True, trust_remote_code=False
        )

    @torch.inference_mode()
    def answer(self, prompt: str, frame: Pixels, max_new_tokens: int) -> ReferenceAnswer:
        from PIL import Image
        from transformers import GenerationConfig

        pixels = self._image_processor(
            images=[Image.fromarray(frame)],
            crop_to_patches=self._max_tiles > 1,
            max_patches=self._max_tiles,
            return_tensors="pt",
        )["pixel_values"]
        text = self._text(prompt, len(pixels))
        inputs = self._tokenizer(text, return_tensors="pt", add_special_tokens=False)
        length = inputs["input_ids"].shape[1]
        output = self._network.generate(
            input_ids=inputs["input_ids"].to(self._network.device),
            attention_mask=inputs["attention_mask"].to(self._network.device),
            pixel_values=pixels.to(self._network.device, self._network.dtype),
            generation_config=GenerationConfig(
                do_sample=False,
                max_new_tokens=max_new_tokens,
                eos_token_id=list(self._info.end_token_ids),
                pad_token_id=self._info.end_token_ids[0],
                output_logits=True,
                return_dict_in_generate=True,
            ),
        )
        token_ids = tuple(output.sequences[0, length:].tolist())
        logits = torch.cat(output.logits).float().cpu()
        return ReferenceAnswer(logits[0], token_ids, _words(self._tokenizer, token_ids), logits)

    def _text(self, prompt: str, num_tiles: int) -> str:
        """The prompt with the tokens of one frame in place, as the family's own processor writes it."""
        token = self._tokenizer.convert_ids_to_tokens(self._info.image_token_id)
        content = [{"type": "image"}, {"type": "text", "text": prompt}]
        rendered = f"<|im_start|>user\n{token}\n{prompt}<|im_end|>\n<|im_start|>assistant\n"
        if self._info.chat_template is not None:
            rendered = self._tokenizer.apply_chat_template(
                [{"role": "user", "content": content}],
                chat_template=self._info.chat_template,
                tokenize=False,
                add_generation_prompt=True,
            )
        return str(rendered).replace(token, f"<img>{token * self._info.tokens_per_tile * num_tiles}</img>", 1)


class _NoStore:
    """The frame store of a model that is given its frames directly."""

    def pixels(self, ref: FrameRef) -> Pixels:
        raise KeyError(ref)


class LocalCaptioner:
    """An `OwnCaptioner`: the local engine's network, all frames running together."""

    def __init__(self, settings: ModelSettings) -> None:
        self._loaded = load(settings, _NoStore())

    def answer(self, prompt: str, frames: Sequence[Pixels], max_new_tokens: int) -> list[Answer]:
        sequences = [
            self._sequence(number, prompt, frame, max_new_tokens) for number, frame in enumerate(frames)
        ]
        longest = max(sequence.max_tokens for sequence in sequences)
        generator = self._loaded.make_generator(len(sequences), longest, max_new_tokens)
        first = generator.prefill(sequences, generator.encode(sequences, _VISION_TILES)).float().cpu()
        new_ids: dict[RequestKey, list[int]] = {}
        while generator.running:
            generator.decode()
            new_ids |= {sequence.request.key: ids for sequence, ids in generator.take_finished()}
        answers = []
        for sequence, logits in zip(sequences, first, strict=True):
            ids = new_ids[sequence.request.key]
            answers.append(Answer(logits, tuple(ids), self._loaded.translator.answer(sequence, ids).text))
        return answers

    def _sequence(self, number: int, prompt: str, frame: Pixels, max_new_tokens: int) -> TokenSequence:
        request = Request(RequestKey(0, number, Role.FIRST), prompt, (), Generation(max_new_tokens))
        num_tiles = count_tiles(frame.shape[1], frame.shape[0], self._loaded.rule)
        token_ids = self._loaded.translator.token_ids(prompt, [num_tiles])
        return TokenSequence(request, token_ids, (torch.as_tensor(frame),), num_tiles)


@contextmanager
def opened(make: Callable[[], T]) -> Iterator[T]:
    """What `make` makes; its memory is free again after the block."""
    captioner = make()
    try:
        yield captioner
    finally:
        del captioner
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _words(tokenizer: Any, token_ids: Sequence[int]) -> str:
    text: str = tokenizer.decode(token_ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return text.strip()
