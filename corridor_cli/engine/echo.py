"""The shipped fake: deterministic text from the pixels, and misbehaviour on request. No torch, no model.

A sentence for each frame; a request without frames is answered by one about its prompt. Where a JSON Schema
is to be followed, a small document holds that text. A word counts as a token. It goes through the same
batching and recovery as the real engine. `gpu_pipeline.internvl3.echo` may hold:

    delay_seconds        each batch takes this long
    fail_every           every n-th accepted request fails
    fail_if              requests that match fail (see `_Matcher`)
    oom_above            a batch with more requests runs out of memory
    hang_after           after n answers the engine stops answering
    die_after            after n answers the process kills itself
    die_on               a request that matches kills the process each time it runs
    loop_if              a request that matches is answered in circles, unless repetition is penalised
    max_context_tokens   a longer prompt, with its frames and the most that may answer it, is refused
"""

from __future__ import annotations

import fnmatch
import os
import re
import signal
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from corridor_cli.engine.base import BatchListener, FrameStore
from corridor_cli.engine.batching import Batcher, max_pending
from corridor_cli.engine.echo_json import sample_document
from corridor_cli.engine.recovery import STAGE, BatchSizer, FailureKind, error_caption
from corridor_cli.errors import ModelError
from corridor_cli.records import Caption, EngineInfo, ErrorInfo, Request, RequestKey
from corridor_cli.settings import ModelSettings

if TYPE_CHECKING:
    from corridor_cli.records import Pixels

TILE_PX = 448
AUTO_BATCH_SIZE = 8

_CHANNELS = {"red": 0, "green": 1, "blue": 2}
_COLOURS = {
    "black": (0, 0, 0), "white": (255, 255, 255), "gray": (128, 128, 128), "red": (255, 0, 0),
    "green": (0, 160, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0), "cyan": (0, 255, 255),
    "purple": (160, 0, 200), "orange": (255, 140, 0),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class EchoSettings:
    """How the fake misbehaves; the defaults are good manners."""

    delay_seconds: float = 0.0
    fail_every: int = 0
    fail_if: str = ""
    oom_above: int = 0
    hang_after: int = -1
    die_after: int = -1
    die_on: str = ""
    loop_if: str = ""
    max_context_tokens: int = 0

    @classmethod
    def from_table(cls, table: dict[str, str | int | float | bool]) -> EchoSettings:
        """Check the table of the configuration. Raises `ModelError` for unknown keys and wrong types."""
        allowed = {field.name: type(field.default) for field in fields(cls)}
        for key, value in table.items():
            if key not in allowed:
                raise ModelError(f"echo.{key} is unknown; allowed: {', '.join(allowed)}.")
            wanted = (int, float) if allowed[key] is float else (allowed[key],)
            if isinstance(value, bool) or not isinstance(value, wanted):
                raise ModelError(f"echo.{key} is {value!r}; {allowed[key].__name__} is needed.")
        return cls(**table)  # type: ignore[arg-type]  # checked above


class _Matcher:
    """Tells requests by key, `video:scene:role` with `*` and `?`, or by mean colour, as `red>200`."""

    def __init__(self, text: str) -> None:
        self._pattern = text if text.count(":") == 2 else None
        colour = re.fullmatch(r"(red|green|blue)\s*([<>])\s*(\d+)", text)
        self._colour = (_CHANNELS[colour[1]], colour[2], int(colour[3])) if colour else None
        if text and not self._pattern and not self._colour:
            raise ModelError(
                f"echo cannot match {text!r}; allowed: video:scene:role, or a colour as red>200."
            )

    def matches(self, key: RequestKey, frames: Sequence[Pixels]) -> bool:
        if self._pattern:
            return fnmatch.fnmatchcase(f"{key.video}:{key.scene}:{key.role}", self._pattern)
        if self._colour is None:
            return False
        channel, sign, bound = self._colour
        means = [float(frame[..., channel].mean()) for frame in frames]
        return any(mean > bound if sign == ">" else mean < bound for mean in means)


class EchoFailure(Exception):
    """The failure the fake was told to have."""


class EchoModel:
    """Turns pixels into text; a `CaptionModel`."""

    def __init__(self, settings: EchoSettings, frames: FrameStore) -> None:
        self.settings = settings
        self._frames = frames
        self._fails = _Matcher(settings.fail_if)
        self._dies = _Matcher(settings.die_on)
        self._loops = _Matcher(settings.loop_if)
        self._to_fail: set[RequestKey] = set()
        self._num_accepted = 0
        self._num_answered = 0

    def accepted(self, request: Request) -> None:
        """Count a request; whether it is an n-th one does not depend on how batches are cut."""
        self._num_accepted += 1
        if self.settings.fail_every and self._num_accepted % self.settings.fail_every == 0:
            self._to_fail.add(request.key)

    def caption(self, requests: Sequence[Request]) -> list[Caption]:
        time.sleep(self.settings.delay_seconds)
        if self.settings.oom_above and len(requests) > self.settings.oom_above:
            raise MemoryError(f"echo was told to fit {self.settings.oom_above} requests, got {len(requests)}")
        captions = [self._caption(request) for request in requests]
        self._num_answered += len(captions)
        return captions

    def _caption(self, request: Request) -> Caption:
        frames = [self._frames.pixels(ref) for ref in request.frames]
        if 0 <= self.settings.die_after <= self._num_answered or self._dies.matches(request.key, frames):
            os.kill(os.getpid(), signal.SIGKILL)
        while 0 <= self.settings.hang_after <= self._num_answered:
            time.sleep(1.0)
        if request.key in self._to_fail or self._fails.matches(request.key, frames):
            raise EchoFailure("echo was told to fail on this request")
        prompt_tokens = len(request.prompt.split()) + len(frames)
        limit = request.generation.max_new_tokens
        if 0 < self.settings.max_context_tokens < prompt_tokens + limit:
            return error_caption(request, self._overflow(prompt_tokens, limit), prompt_tokens)
        told = " ".join(describe_pixels(frame) for frame in frames) or describe_prompt(request.prompt)
        if request.generation.json_schema is not None:
            told = sample_document(request.generation.json_schema, told)
        words = told.split()
        if request.generation.repetition_penalty == 1.0 and self._loops.matches(request.key, frames):
            words = ["round", "and"] * limit
        return Caption(
            key=request.key,
            text=" ".join(words[:limit]),
            prompt_tokens=prompt_tokens,
            output_tokens=min(len(words), limit),
            finish_reason="stop" if len(words) <= limit else "length",
        )

    def _overflow(self, prompt_tokens: int, limit: int) -> ErrorInfo:
        return ErrorInfo(
            STAGE,
            "ContextOverflow",
            f"{prompt_tokens} prompt tokens and {limit} new ones exceed the "
            f"{self.settings.max_context_tokens} that echo was told to hold",
        )

    def num_tiles(self, request: Request) -> int:
        return len(request.frames)

    def failure_kind(self, error: Exception) -> FailureKind:
        return FailureKind.OUT_OF_MEMORY if isinstance(error, MemoryError) else FailureKind.REQUEST

    def release_memory(self) -> None:
        """Nothing is held."""

    def memory_bytes(self) -> tuple[int | None, int | None]:
        return None, None


def describe_pixels(frame: Pixels) -> str:
    """One sentence about a uint8 (height, width, 3) picture; equal pixels give equal words."""
    red, green, blue = (float(x) for x in frame.reshape(-1, 3).mean(axis=0))
    colour = min(
        _COLOURS,
        key=lambda name: sum((a - b) ** 2 for a, b in zip(_COLOURS[name], (red, green, blue), strict=True)),
    )
    light = ("dark", "dim", "bright")[min(2, int((0.299 * red + 0.587 * green + 0.114 * blue) // 86))]
    checksum = zlib.crc32(frame.tobytes())
    return f"A {light} {frame.shape[1]}x{frame.shape[0]} frame, mostly {colour} ({checksum:08x})."


def describe_prompt(prompt: str) -> str:
    """One sentence about a prompt; equal prompts give equal words."""
    num_words, checksum = len(prompt.split()), zlib.crc32(prompt.encode("utf-8", "surrogatepass"))
    return f"An answer to a prompt of {num_words} {'word' if num_words == 1 else 'words'} ({checksum:08x})."


class EchoEngine:
    """The engine protocol over `EchoModel`."""

    def __init__(self, settings: ModelSettings, frames: FrameStore, on_batch: BatchListener) -> None:
        self._settings = settings
        self._model = EchoModel(EchoSettings.from_table(settings.echo), frames)
        size = AUTO_BATCH_SIZE if settings.batch_size == "auto" else settings.batch_size
        self._batch_size = min(size, settings.max_batch_size) if settings.enable_batch_processing else 1
        self._batcher = Batcher(self._model, BatchSizer(self._batch_size, self._batch_size), on_batch)

    def start(self) -> EngineInfo:
        delay_seconds = self._model.settings.delay_seconds
        return EngineInfo(
            engine="echo",
            model_id="echo",
            revision=None,
            device="cpu",
            dtype="none",
            tile_px=TILE_PX,
            max_tiles=self._settings.max_tiles,
            batch_size=self._batch_size,
            max_pending=max_pending(self._batch_size, self._settings.async_frame_loading),
            seconds_per_request=delay_seconds / self._batch_size if delay_seconds else None,
            reasons=("the echo engine needs no model",),
            max_context_tokens=self._model.settings.max_context_tokens or None,
        )

    def submit(self, request: Request) -> None:
        self._model.accepted(request)
        self._batcher.submit(request)

    def poll(self, timeout_seconds: float) -> list[Caption]:
        return self._batcher.poll(timeout_seconds)

    def close(self) -> None:
        """Nothing is held."""
