"""What main and an engine tell each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from corridor_cli.records.common import ErrorInfo, FrameRef, Role

FinishReason = Literal["stop", "length"]


class RequestKey(NamedTuple):
    """Names a request within a run: the video's ordinal, the scene's index, and the role of its pick.

    `role` None: all picks of the scene together. `part` names a step of the video's summary, which is about
    no one scene (-1).
    """

    video: int
    scene: int
    role: Role | None
    part: str = ""


@dataclass(frozen=True, slots=True)
class Generation:
    """How tokens are chosen: greedy, at most `max_new_tokens`.

    `repetition_penalty` above 1 makes those less likely that the answer has already: a positive logit is
    divided by it, a negative one multiplied. With `json_schema`, the text of a JSON Schema, only tokens are
    chosen that can still become such a document.
    """

    max_new_tokens: int
    repetition_penalty: float = 1.0
    json_schema: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """Frames and prompt for one caption; without frames the prompt alone is answered.

    `attempt` counts deaths of the engine while it held this request: above 0 it runs alone, so that the next
    death names its cause.
    """

    key: RequestKey
    prompt: str
    frames: tuple[FrameRef, ...]
    generation: Generation
    attempt: int = 0


class CaptionTiming(NamedTuple):
    """What a request took inside its engine, in seconds.

    It waited for its turn; from then on count the time to its first token, which is None where only whole
    batches are timed, and to its last.
    """

    waited_seconds: float
    first_token_seconds: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Caption:
    """The answer to one request: text with token counts and finish reason, or an error and no text. `timing`
    is None where nothing was run for it. `retry_of` says what was wrong with a first answer in whose place
    this one stands."""

    key: RequestKey
    text: str
    prompt_tokens: int
    output_tokens: int
    finish_reason: FinishReason | None
    error: ErrorInfo | None = None
    retry_of: str | None = None
    timing: CaptionTiming | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class BatchStats:
    """What one batch cost. Memory is in bytes, None where the device does not say.

    `pass_seconds` is the device's time by pass (tile, vision, prefill, steps); empty where they are not told
    apart.
    """

    batch_size: int
    num_tiles: int
    wall_seconds: float
    output_tokens: int
    peak_memory_bytes: int | None
    free_memory_bytes: int | None
    num_oom_retries: int = 0
    next_batch_size: int | None = None
    pass_seconds: dict[str, float] = field(default_factory=dict)
    peak_reserved_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class BatchStarted:
    """The keys an engine is about to run together: the suspects should it die."""

    keys: tuple[RequestKey, ...]


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine is, once started. `batch_size` is the one it begins with, `reasons` says why; `degraded`
    is what it does less well than was asked for. What was measured under the same `measurement_key` (machine,
    model, precision) holds for this engine. A request's prompt, its frames and its answer may come to
    `max_context_tokens` together; None where nobody knows."""

    engine: str
    model_id: str
    revision: str | None
    device: str
    dtype: str
    tile_px: int
    max_tiles: int
    batch_size: int
    max_pending: int
    seconds_per_request: float | None = None
    reasons: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    quantization: str | None = None
    degraded: tuple[str, ...] = ()
    measurement_key: str | None = None
    max_context_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Fatal:
    """The engine cannot go on. `kind` is the name of an error in `errors.py`."""

    kind: str
    message: str
    hint: str = ""
