"""One batch through any image-text-to-text network of transformers: greedy `generate`, left-padded."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from corridor_cli.engine.base import FrameStore
from corridor_cli.engine.generic.load import max_context_tokens
from corridor_cli.engine.generic.prompt import PromptBuilder
from corridor_cli.engine.generic.rules import RowRules
from corridor_cli.engine.json_grammar import INVALID_JSON, JsonGrammar, JsonGrammars
from corridor_cli.engine.local.failures import failure_kind
from corridor_cli.engine.recovery import STAGE, FailureKind, error_caption
from corridor_cli.hardware import free_device_bytes, peak_process_bytes
from corridor_cli.records import Caption, ErrorInfo, FinishReason, Request

if TYPE_CHECKING:
    from corridor_cli.records import Pixels


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text with its frames, uint8 (height, width, 3) each, how many tokens may answer it, and how they are
    chosen."""

    text: str
    frames: Sequence[Pixels]
    max_new_tokens: int
    repetition_penalty: float = 1.0
    grammar: JsonGrammar | None = None

    @property
    def asks(self) -> bool:
        """Whether it asks for more than the likeliest tokens."""
        return self.repetition_penalty != 1 or self.grammar is not None


@dataclass(frozen=True, slots=True)
class Answer:
    """How long the prompt became, and its new token ids, the end token included; None when it is too long."""

    prompt_tokens: int
    new_ids: list[int] | None


class GenericModel:
    """A loaded network with its processor; a `CaptionModel`. Frames have at most
    `max_frame_px` squared pixels."""

    def __init__(
        self,
        network: Any,
        processor: Any,
        frames: FrameStore,
        *,
        end_token_ids: tuple[int, ...],
        max_frame_px: int,
    ) -> None:
        self._network = network
        self._tokenizer = processor.tokenizer
        self._frames = frames
        self._end_token_ids = end_token_ids
        self._builder = PromptBuilder(processor)
        self.device = str(network.device)
        self.max_frame_px = max_frame_px
        self.max_context_tokens = max_context_tokens(network.config.get_text_config())
        pad = self._tokenizer.pad_token_id
        self._pad_token_id = pad if pad is not None else end_token_ids[0]
        network.generation_config = _greedy(network.generation_config, self._pad_token_id)
        self._grammars = JsonGrammars(self._tokenizer, end_token_ids, _num_logits(network))

    def caption(self, requests: Sequence[Request]) -> list[Caption]:
        """One caption for each request; those too long for the model's context get an error."""
        prompts = [self._prompt(request) for request in requests]
        answers = self.generate(prompts, self._end_token_ids)
        return [self._caption(*each) for each in zip(requests, prompts, answers, strict=True)]

    @torch.inference_mode()
    def generate(self, prompts: Sequence[Prompt], end_token_ids: Sequence[int]) -> list[Answer]:
        """An answer for each prompt, cut at its own limit; those without frames run apart from the others."""
        is_text = [not prompt.frames for prompt in prompts]
        if any(is_text) and not all(is_text):
            parts = {
                kind: iter(self.generate([p for p in prompts if (not p.frames) == kind], end_token_ids))
                for kind in (False, True)
            }
            return [next(parts[kind]) for kind in is_text]
        inputs = self._builder.build([(prompt.text, prompt.frames) for prompt in prompts])
        lengths = inputs["attention_mask"].sum(dim=1).tolist()
        fits = [self._fits(length, prompt) for length, prompt in zip(lengths, prompts, strict=True)]
        if all(fits):
            rows = self._run(inputs, prompts, end_token_ids)
            return [
                Answer(length, _cut(row, prompt.max_new_tokens, end_token_ids))
                for length, row, prompt in zip(lengths, rows, prompts, strict=True)
            ]
        # Built again without them: how a family lays out the pixels of a batch is its own business.
        kept = [prompt for prompt, is_fitting in zip(prompts, fits, strict=True) if is_fitting]
        answers = iter(self.generate(kept, end_token_ids) if kept else [])
        return [
            next(answers) if is_fitting else Answer(length, None)
            for is_fitting, length in zip(fits, lengths, strict=True)
        ]

    def num_tiles(self, request: Request) -> int:
        """Frames: what a family's processor makes of each is known only once it has."""
        return len(request.frames)

    def failure_kind(self, error: Exception) -> FailureKind:
        return failure_kind(error)

    def release_memory(self) -> None:
        """Collect what a failed batch left; this is the one place where the allocator's cache is emptied."""
        gc.collect()
        if self.device != "cpu":
            torch.cuda.empty_cache()

    def memory_bytes(self) -> tuple[int | None, int | None]:
        """On CUDA the peak since the last call, on a CPU the process's own peak; and what is free."""
        free_bytes = free_device_bytes(self.device)
        if self.device == "cpu":
            return peak_process_bytes(), free_bytes
        peak_bytes = torch.cuda.max_memory_allocated(self.device)
        torch.cuda.reset_peak_memory_stats(self.device)
        return peak_bytes, free_bytes

    def _run(
        self, inputs: dict[str, torch.Tensor], prompts: Sequence[Prompt], end_token_ids: Sequence[int]
    ) -> list[list[int]]:
        """The rows of new ids; after its end a row is only padding."""
        moved = {name: self._moved(value) for name, value in inputs.items()}
        if any(prompt.asks for prompt in prompts):
            rules = RowRules(
                [each.repetition_penalty for each in prompts], [each.grammar for each in prompts]
            )
            moved["logits_processor"] = [rules]
        output = self._network.generate(
            **moved,
            max_new_tokens=max(prompt.max_new_tokens for prompt in prompts),
            eos_token_id=list(end_token_ids) or None,
        )
        length = inputs["input_ids"].shape[1]
        if self._network.config.is_encoder_decoder:
            output = output[:, 1:]
        elif output.shape[1] >= length and torch.equal(output[:, :length], moved["input_ids"]):
            output = output[:, length:]  # some families give the new ids only
        rows: list[list[int]] = output.tolist()
        return rows

    def _moved(self, value: Any) -> Any:
        """On the device, and in the network's precision where it is a fraction."""
        if not isinstance(value, torch.Tensor):
            return value
        return value.to(self.device, self._network.dtype if value.is_floating_point() else None)

    def _prompt(self, request: Request) -> Prompt:
        frames = [self._frames.pixels(ref) for ref in request.frames]
        asked = request.generation
        grammar = None if asked.json_schema is None else self._grammars.compiled(asked.json_schema)
        return Prompt(request.prompt, frames, asked.max_new_tokens, asked.repetition_penalty, grammar)

    def _fits(self, length: int, prompt: Prompt) -> bool:
        limit = self.max_context_tokens
        return limit is None or length + prompt.max_new_tokens <= limit

    def _caption(self, request: Request, prompt: Prompt, answer: Answer) -> Caption:
        if answer.new_ids is None:
            message = (
                f"{answer.prompt_tokens} prompt tokens and {request.generation.max_new_tokens} new ones "
                f"exceed the {self.max_context_tokens} the model can hold; shorten the prompt"
            )
            return error_caption(request, ErrorInfo(STAGE, "ContextOverflow", message))
        ids = answer.new_ids
        finish: FinishReason = "stop" if ids and ids[-1] in self._end_token_ids else "length"
        if finish == "stop" and prompt.grammar is not None and not prompt.grammar.is_document(ids):
            return error_caption(request, INVALID_JSON, answer.prompt_tokens)
        text = self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return Caption(request.key, text.strip(), answer.prompt_tokens, len(ids), finish)


def _greedy(given: Any, pad_token_id: int) -> Any:
    """Greedy decoding with the checkpoint's own marks of a beginning, and none of its sampling settings."""
    from transformers import GenerationConfig

    names = ("bos_token_id", "decoder_start_token_id", "forced_bos_token_id", "cache_implementation")
    kept = {name: value for name in names if (value := getattr(given, name, None)) is not None}
    return GenerationConfig(do_sample=False, pad_token_id=pad_token_id, **kept)


def _num_logits(network: Any) -> int:
    """How many tokens the network tells apart; vocabularies are padded to round numbers."""
    head = network.get_output_embeddings()
    return int(network.config.get_text_config().vocab_size if head is None else head.weight.shape[0])


def _cut(row: list[int], max_new_tokens: int, end_token_ids: Sequence[int]) -> list[int]:
    """The row up to its first end token or its limit; after the end `generate` only pads."""
    row = row[:max_new_tokens]
    ends = (position for position, token in enumerate(row) if token in end_token_ids)
    return row[: next(ends, len(row) - 1) + 1]
