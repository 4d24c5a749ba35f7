"""From a request to the tokens and frames the network reads, and from new tokens to its caption."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from corridor_cli.engine.base import FrameStore
from corridor_cli.engine.checkpoint import CheckpointInfo
from corridor_cli.engine.json_grammar import INVALID_JSON, JsonGrammar, JsonGrammars
from corridor_cli.engine.local.prompt import PromptBuilder
from corridor_cli.engine.local.tiles import TileRule, count_tiles
from corridor_cli.engine.local.timing import passing_range
from corridor_cli.engine.recovery import STAGE, error_caption
from corridor_cli.records import Caption, ErrorInfo, FinishReason, FrameRef, Request


@dataclass(frozen=True, slots=True)
class TokenSequence:
    """A request made ready: token ids with the image tokens in place, frames uint8 (height, width, 3), which
    may be none, and what its answer must follow, if anything."""

    request: Request
    token_ids: list[int]
    frames: tuple[torch.Tensor, ...]
    num_tiles: int
    grammar: JsonGrammar | None = None

    @property
    def limit(self) -> int:
        return self.request.generation.max_new_tokens

    @property
    def max_tokens(self) -> int:
        """Tokens it needs room for, prompt and answer."""
        return len(self.token_ids) + self.limit


class Courier:
    """Copies frames to a CUDA device on a stream of its own, while the device works on others."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def send(self, pixels: torch.Tensor) -> torch.Tensor:
        """Bytes of any shape, on the device. Its own stream waits for the copy, and so must whoever reads."""
        with torch.cuda.stream(self._stream), passing_range("copy"):
            sent = pixels.pin_memory().to(self._device, non_blocking=True)
        # The copy's memory belongs to that stream: it may be used again only when this one is done with it.
        sent.record_stream(torch.cuda.current_stream(self._device))
        return sent

    def wait(self) -> None:
        """Let whatever is launched from now on find the frames sent so far."""
        torch.cuda.current_stream(self._device).wait_stream(self._stream)


class Translator:
    """Knows one checkpoint's prompt layout, tiles and tokenizer.

    `max_context_tokens` bounds prompt and answer together, `num_logits` is how many tokens the network tells
    apart.
    """

    def __init__(
        self,
        info: CheckpointInfo,
        tokenizer: Any,
        frames: FrameStore,
        *,
        rule: TileRule,
        device: str,
        max_context_tokens: int,
        num_logits: int,
    ) -> None:
        self._end_token_ids = frozenset(info.end_token_ids)
        self._tokenizer = tokenizer
        self._frames = frames
        self._builder = PromptBuilder(tokenizer, info)
        self._rule = rule
        self._courier = Courier(device) if device != "cpu" else None
        self._max_context_tokens = max_context_tokens
        self._grammars = JsonGrammars(tokenizer, info.end_token_ids, num_logits)

    def read(self, request: Request) -> TokenSequence | ErrorInfo:
        """The sequence of a request. Raises whatever the frame store raises for pixels it has lost, and
        `SchemaError` for a schema that cannot be followed."""
        schema = request.generation.json_schema
        grammar = None if schema is None else self._grammars.compiled(schema)
        counts = [count_tiles(ref.width_px, ref.height_px, self._rule) for ref in request.frames]
        token_ids = self.token_ids(request.prompt, counts)
        limit = request.generation.max_new_tokens
        if len(token_ids) + limit > self._max_context_tokens:
            return ErrorInfo(
                STAGE,
                "ContextOverflow",
                f"{len(token_ids)} prompt tokens and {limit} new ones exceed the {self._max_context_tokens} "
                "the model can hold; shorten the prompt, send fewer frames, or lower max_tiles",
            )
        frames = tuple(map(self._pixels, request.frames))
        return TokenSequence(request, token_ids, frames, sum(counts), grammar)

    def answer(self, sequence: TokenSequence, new_ids: list[int]) -> Caption:
        """The caption of a sequence that has ended; the end token is among `new_ids`."""
        finish: FinishReason = "stop" if new_ids and new_ids[-1] in self._end_token_ids else "length"
        grammar = sequence.grammar
        if finish == "stop" and grammar is not None and not grammar.is_document(new_ids):
            return error_caption(sequence.request, INVALID_JSON, len(sequence.token_ids))
        text = self._tokenizer.decode(new_ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return Caption(sequence.request.key, text.strip(), len(sequence.token_ids), len(new_ids), finish)

    def token_ids(self, prompt: str, tiles_per_frame: list[int]) -> list[int]:
        """The ids of a request with such a prompt and such frames."""
        return self._builder.build(prompt, tiles_per_frame)

    def wait_for_frames(self) -> None:
        """Let the passes launched from now on find the frames of all sequences read so far."""
        if self._courier:
            self._courier.wait()

    def _pixels(self, ref: FrameRef) -> torch.Tensor:
        """The frame's pixels: on a CPU those in shared memory, else on their way to the device."""
        pixels = self._frames.pixels(ref)
        return self._courier.send(torch.as_tensor(pixels)) if self._courier else torch.as_tensor(pixels)
