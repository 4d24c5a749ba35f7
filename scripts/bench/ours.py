"""This project's engine under a fixed workload, through its protocol and nothing else."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from bench.workload import Pixels
from corridor_cli.engine.base import Engine
from corridor_cli.engine.create import create_engine
from corridor_cli.records import (
    BatchStarted,
    BatchStats,
    Caption,
    FrameRef,
    Generation,
    Request,
    RequestKey,
    Role,
)
from corridor_cli.settings import CaptionSettings, ModelSettings


@dataclass
class MemoryStore:
    """Pictures by slot, in plain memory: frames that were decoded before."""

    pictures: list[Pixels] = field(default_factory=list)

    def pixels(self, ref: FrameRef) -> Pixels:
        return self.pictures[ref.slot]

    def refs(self) -> list[FrameRef]:
        return [FrameRef(i, picture.shape[1], picture.shape[0]) for i, picture in enumerate(self.pictures)]


class Bench:
    """A started engine and its frames. `on_batch` events are kept in `stats`; `caption` says what will be
    asked."""

    def __init__(
        self, settings: ModelSettings, frames: Sequence[Pixels], caption: CaptionSettings | None = None
    ) -> None:
        self.store = MemoryStore(list(frames))
        self.stats: list[BatchStats] = []
        self.engine: Engine = create_engine(settings, self.store, self._on_batch, caption)
        self.info = self.engine.start()
        self._num_rounds = 0

    def _on_batch(self, event: BatchStarted | BatchStats) -> None:
        if isinstance(event, BatchStats):
            self.stats.append(event)

    def requests(self, prompt: str, output_tokens: int) -> list[Request]:
        """One request a frame; each call makes keys of its own."""
        self._num_rounds += 1
        return [
            Request(RequestKey(self._num_rounds, i, Role.FIRST), prompt, (ref,), Generation(output_tokens))
            for i, ref in enumerate(self.store.refs())
        ]

    def caption(self, requests: Sequence[Request]) -> tuple[list[Caption], float]:
        """The captions in the order of the requests, and the seconds from the first request to the last
        caption. Raises `RuntimeError` when a request is answered by an error."""
        waiting = list(reversed(requests))
        answers: dict[RequestKey, Caption] = {}
        num_open = 0
        started = time.perf_counter()
        while len(answers) < len(requests):
            while waiting and num_open < self.info.max_pending:
                self.engine.submit(waiting.pop())
                num_open += 1
            for caption in self.engine.poll(1.0):
                answers[caption.key] = caption
                num_open -= 1
        seconds = time.perf_counter() - started
        errors = [caption.error for caption in answers.values() if caption.error]
        if errors:
            raise RuntimeError(f"{len(errors)} of {len(requests)} requests failed: {errors[0]}")
        return [answers[request.key] for request in requests], seconds

    def prompt_with_tokens(self, num_tokens: int, tokens_of_tiles: int) -> str:
        """A text that makes prompts of about `num_tokens` beside the `tokens_of_tiles` of a frame's pictures:
        found by asking, because a tokenizer may merge letters."""
        from bench.workload import prompt_of_length

        num_letters = num_tokens
        for _ in range(6):
            request = self.requests(prompt_of_length(num_letters), 1)[0]
            (caption,), _ = self.caption([request])
            found = caption.prompt_tokens - tokens_of_tiles
            if found == num_tokens:
                break
            letters_a_token = max(1.0, num_letters / found)
            num_letters = max(1, num_letters + round((num_tokens - found) * letters_a_token))
        return prompt_of_length(num_letters)

    def close(self) -> None:
        self.engine.close()


def settings_with(**wanted: Any) -> ModelSettings:
    """Model settings by name. Raises `SystemExit` naming those this version does not have."""
    unknown = sorted(set(wanted) - {each.name for each in fields(ModelSettings)})
    if unknown:
        raise SystemExit(f"this version has no setting {', '.join(unknown)} in gpu_pipeline.internvl3")
    return ModelSettings(**wanted)
