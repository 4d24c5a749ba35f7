"""One batch through the network: tiles, vision, language, text.

Greedy decoding by transformers' `generate`, left-padded, so a batch may mix prompts, tile counts and limits.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from corridor_cli.engine.base import FrameStore
from corridor_cli.engine.checkpoint import CheckpointInfo
from corridor_cli.engine.local.failures import failure_kind
from corridor_cli.engine.local.prompt import PromptBuilder
from corridor_cli.engine.local.tiles import TileRule, count_tiles, cut_tiles
from corridor_cli.engine.recovery import STAGE, FailureKind, error_caption
from corridor_cli.hardware import free_device_bytes, peak_process_bytes
from corridor_cli.records import Caption, ErrorInfo, FinishReason, Request

if TYPE_CHECKING:
    from corridor_cli.records import Pixels


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request made ready: its token ids with the image tokens in place, and its frames."""

    token_ids: list[int]
    frames: Sequence[Pixels]
    max_new_tokens: int


class LocalModel:
    """A loaded network; a `CaptionModel`. `vision_tiles` bounds the tiles encoded together."""

    def __init__(
        self,
        info: CheckpointInfo,
        network: Any,
        tokenizer: Any,
        frames: FrameStore,
        *,
        max_tiles: int,
        vision_tiles: int | None,
    ) -> None:
        from transformers import GenerationConfig

        self._info = info
        self._network = network
        self._tokenizer = tokenizer
        self._frames = frames
        self._vision_tiles = vision_tiles
        self._builder = PromptBuilder(tokenizer, info)
        self.rule = TileRule(info.tile_px, max_tiles, info.image_mean, info.image_std)
        self.device = str(network.device)
        self.max_context_tokens = int(network.config.text_config.max_position_embeddings)
        self._pad_token_id = (
            tokenizer.pad_token_id if tokenizer.pad_token_id is not None else info.end_token_ids[0]
        )
        # The checkpoint's own sampling settings must not leak into greedy decoding.
        network.generation_config = GenerationConfig(do_sample=False, pad_token_id=self._pad_token_id)

    def caption(self, requests: Sequence[Request]) -> list[Caption]:
        """One caption for each request; those too long for the model's context get an error."""
        prompts = [self._prompt(request) for request in requests]
        ready = [prompt for prompt in prompts if isinstance(prompt, Prompt)]
        outputs = iter(self.generate(ready, self._info.end_token_ids) if ready else [])
        return [
            self._answer(request, prompt, next(outputs))
            if isinstance(prompt, Prompt)
            else error_caption(request, prompt)
            for request, prompt in zip(requests, prompts, strict=True)
        ]

    def build_prompt(self, text: str, frames: Sequence[Pixels], max_new_tokens: int) -> Prompt:
        """The prompt for these frames: uint8 (height, width, 3) each."""
        counts = [count_tiles(frame.shape[1], frame.shape[0], self.rule) for frame in frames]
        return Prompt(self._builder.build(text, counts), frames, max_new_tokens)

    @torch.inference_mode()
    def generate(self, prompts: Sequence[Prompt], end_token_ids: Sequence[int]) -> list[list[int]]:
        """New token ids of each prompt, the end token included, cut at the prompt's own limit."""
        length = max(len(prompt.token_ids) for prompt in prompts)
        rows = [[self._pad_token_id] * (length - len(p.token_ids)) + p.token_ids for p in prompts]
        mask = [[0] * (length - len(p.token_ids)) + [1] * len(p.token_ids) for p in prompts]
        token_ids = torch.tensor(rows, device=self.device)
        attention_mask = torch.tensor(mask, device=self.device)
        embeddings = self._network.get_input_embeddings()(token_ids)
        is_visual = (token_ids == self._info.image_token_id) & attention_mask.bool()
        features = self._encode_frames([frame for prompt in prompts for frame in prompt.frames])
        embeddings[is_visual] = features.flatten(0, 1).to(embeddings.dtype)
        output = self._network.generate(
            inputs_embeds=embeddings,
            attention_mask=attention_mask,
            max_new_tokens=max(prompt.max_new_tokens for prompt in prompts),
            eos_token_id=list(end_token_ids) or None,
        )
        return [
            _cut(row, prompt.max_new_tokens, end_token_ids)
            for row, prompt in zip(output.tolist(), prompts, strict=True)
        ]

    def num_tiles(self, request: Request) -> int:
        return sum(count_tiles(ref.width_px, ref.height_px, self.rule) for ref in request.frames)

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

    def _prompt(self, request: Request) -> Prompt | ErrorInfo:
        frames = [self._frames.pixels(ref) for ref in request.frames]
        prompt = self.build_prompt(request.prompt, frames, request.generation.max_new_tokens)
        needed = len(prompt.token_ids) + prompt.max_new_tokens
        if needed > self.max_context_tokens:
            return ErrorInfo(
                STAGE,
                "ContextOverflow",
                f"{len(prompt.token_ids)} prompt tokens and {prompt.max_new_tokens} new ones exceed the "
                f"{self.max_context_tokens} the model can hold; shorten the prompt or lower max_tiles",
            )
        return prompt

    def _encode_frames(self, frames: Sequence[Pixels]) -> torch.Tensor:
        """Visual features of all tiles of all frames, in order: (tiles, tokens_per_tile, hidden)."""
        tiles = torch.cat(
            [
                cut_tiles(torch.tensor(frame, device=self.device), self.rule).to(self._network.dtype)
                for frame in frames
            ]
        )
        chunks = torch.split(tiles, self._vision_tiles or len(tiles))
        return torch.cat(
            [self._network.get_image_features(pixel_values=chunk).pooler_output for chunk in chunks]
        )

    def _answer(self, request: Request, prompt: Prompt, new_ids: list[int]) -> Caption:
        finish: FinishReason = "stop" if new_ids and new_ids[-1] in self._info.end_token_ids else "length"
        text = self._tokenizer.decode(new_ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return Caption(request.key, text.strip(), len(prompt.token_ids), len(new_ids), finish)


def _cut(row: list[int], max_new_tokens: int, end_token_ids: Sequence[int]) -> list[int]:
    """The row up to its first end token or its limit; after the end `generate` only pads."""
    row = row[:max_new_tokens]
    ends = (position for position, token in enumerate(row) if token in end_token_ids)
    return row[: next(ends, len(row) - 1) + 1]
