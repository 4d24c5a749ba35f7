"""What a device could do at best: the ceiling that measured speeds are held against.

For a shape and a workload the products and the bytes are counted, never measured. A product of (m, k) and
(k, n) is 2·m·k·n FLOP; norms, activations, biases, rotations and pixels do not count. Vision, projector and
prefill are bound by arithmetic, a decode step by arithmetic or by reading the weights and the cached keys and
values, whichever takes longer; nothing overlaps. The formula stands in docs/performance.md, "The ceiling". A
function that lacks a fact answers None.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from corridor_cli.engine.local.shape import NetworkShape, TextShape

_NUMBER_BYTES = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0}


@dataclass(frozen=True, slots=True)
class Workload:
    """What each request asks: `frames` of `tiles` each and `prompt_tokens` of text beside them, answered by
    `output_tokens`; `batch_size` requests run together."""

    tiles: int
    prompt_tokens: int
    output_tokens: int
    batch_size: int = 1
    frames: int = 1

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            least = 1 if field.name in ("output_tokens", "batch_size") else 0
            if value < least:
                raise ValueError(f"{field.name}: got {value}, allowed: {least} or more")


@dataclass(frozen=True, slots=True)
class Ceilings:
    """The most a device was seen to do: FLOP a second in the precision at hand, bytes read a second."""

    flops_per_second: float | None
    bytes_per_second: float | None


@dataclass(frozen=True, slots=True)
class Bound:
    """The best a device could do with a workload.

    `_seconds` of the four parts are those of one request; a request's share of a decode step, which
    `step_seconds` takes for the whole batch, is 1 / batch_size. `frames_per_second` is 0 without frames.
    """

    vision_seconds: float
    projector_seconds: float
    prefill_seconds: float
    decode_seconds: float
    step_seconds: float
    is_step_bound_by_memory: bool
    requests_per_second: float
    frames_per_second: float


def vision_flops(shape: NetworkShape) -> int:
    """FLOP of the vision encoder for one tile, the embedding of its patches included."""
    vision = shape.vision
    tokens = vision.num_positions
    layer = 2 * tokens * (4 * vision.hidden**2 + 2 * vision.hidden * vision.intermediate)
    layer += 4 * tokens**2 * vision.hidden
    embedding = 2 * vision.patches_per_side**2 * 3 * vision.patch_px**2 * vision.hidden
    return vision.num_layers * layer + embedding


def projector_flops(shape: NetworkShape) -> int:
    """FLOP of the projector for one tile."""
    wide, hidden = 4 * shape.vision.hidden, shape.text.hidden
    return 2 * shape.tokens_per_tile * (wide * hidden + hidden**2)


def body_weights(text: TextShape) -> int:
    """Numbers in the matrices of all language layers; neither embeddings nor head."""
    heads = text.num_heads * text.head_dim
    layer = text.hidden * text.qkv_width + heads * text.hidden + 3 * text.hidden * text.intermediate
    return text.num_layers * layer


def head_weights(text: TextShape) -> int:
    """Numbers in the head. Tied to the embeddings or not, every step multiplies and reads them all."""
    return text.vocab_size * text.hidden


def request_tokens(shape: NetworkShape, workload: Workload) -> int:
    """Tokens of a request's prompt, those of its tiles included."""
    return workload.prompt_tokens + workload.frames * workload.tiles * shape.tokens_per_tile


def prefill_flops(shape: NetworkShape, num_tokens: int) -> int:
    """FLOP to read one prompt. Each token sees itself and those before it: half of the square."""
    text = shape.text
    attention = 2 * text.num_heads * text.head_dim * text.num_layers * num_tokens**2
    return 2 * num_tokens * body_weights(text) + attention + 2 * head_weights(text)


def step_flops(shape: NetworkShape, batch_size: int, cached_tokens: float) -> float:
    """FLOP of one decode step; each sequence sees `cached_tokens`, its newest one included."""
    text = shape.text
    attention = 4 * text.num_heads * text.head_dim * text.num_layers * cached_tokens
    return batch_size * (2 * (body_weights(text) + head_weights(text)) + attention)


def step_bytes(
    shape: NetworkShape,
    batch_size: int,
    cached_tokens: float,
    *,
    bytes_per_weight: float = 2,
    bytes_per_kv: float = 2,
) -> float:
    """Bytes one decode step reads: all weights once, and every sequence's keys and values."""
    text = shape.text
    weights = bytes_per_weight * (body_weights(text) + head_weights(text))
    return weights + batch_size * cached_tokens * bytes_per_kv * text.kv_numbers_per_token


def mean_cached_tokens(shape: NetworkShape, workload: Workload) -> float:
    """Tokens a sequence sees in the middle of its decode steps."""
    return request_tokens(shape, workload) + workload.output_tokens / 2


def request_flops(shape: NetworkShape | None, workload: Workload) -> float | None:
    """FLOP of one request from its tiles to its last token."""
    if shape is None:
        return None
    tiles = workload.frames * workload.tiles * (vision_flops(shape) + projector_flops(shape))
    steps = workload.output_tokens * step_flops(shape, 1, mean_cached_tokens(shape, workload))
    return tiles + prefill_flops(shape, request_tokens(shape, workload)) + steps


def request_step_bytes(
    shape: NetworkShape | None,
    workload: Workload,
    *,
    bytes_per_weight: float | None = 2,
    bytes_per_kv: float | None = 2,
) -> float | None:
    """Bytes a request's share of its decode steps reads: one less than it has new tokens, for the prefill
    gives the first."""
    if shape is None or bytes_per_weight is None or bytes_per_kv is None:
        return None
    cached = mean_cached_tokens(shape, workload)
    step = step_bytes(
        shape, workload.batch_size, cached, bytes_per_weight=bytes_per_weight, bytes_per_kv=bytes_per_kv
    )
    return (workload.output_tokens - 1) * step / workload.batch_size


def bound(
    shape: NetworkShape | None,
    ceilings: Ceilings,
    workload: Workload,
    *,
    bytes_per_weight: float | None = 2,
    bytes_per_kv: float | None = 2,
) -> Bound | None:
    """The best possible time of each part of a request; None when a peak or the shape is unknown.

    As many decode steps as output tokens are counted, though the prefill already gives the first token.
    """
    arithmetic, memory = ceilings.flops_per_second, ceilings.bytes_per_second
    if shape is None or not arithmetic or not memory or bytes_per_weight is None or bytes_per_kv is None:
        return None
    cached, batch_size = mean_cached_tokens(shape, workload), workload.batch_size
    moved = step_bytes(
        shape, batch_size, cached, bytes_per_weight=bytes_per_weight, bytes_per_kv=bytes_per_kv
    )
    reading, computing = moved / memory, step_flops(shape, batch_size, cached) / arithmetic
    step = max(reading, computing)
    num_tiles = workload.frames * workload.tiles
    vision = num_tiles * vision_flops(shape) / arithmetic
    projector = num_tiles * projector_flops(shape) / arithmetic
    prefill = prefill_flops(shape, request_tokens(shape, workload)) / arithmetic
    decode = workload.output_tokens * step / batch_size
    rate = 1 / (vision + projector + prefill + decode)
    return Bound(
        vision, projector, prefill, decode, step, reading > computing, rate, rate * workload.frames
    )  # fmt: skip


def weight_bytes(dtype: str, quantization: str | None) -> float | None:
    """Bytes a weight takes in a precision as `EngineInfo` names it; None for one that is not known here."""
    if quantization is not None:
        return {"int8": 1.0}.get(quantization)
    return _NUMBER_BYTES.get(dtype)


def number_bytes(dtype: str) -> float | None:
    """Bytes a cached number takes: the cache is kept in the dtype, whatever the weights are quantised to."""
    return _NUMBER_BYTES.get(dtype)


def mfu(flops: float | None, seconds: float | None, peak_flops_per_second: float | None) -> float | None:
    """Model FLOP utilisation: the share (0 to 1) of the peak that `flops` in `seconds` made use of."""
    return _share(flops, seconds, peak_flops_per_second)


def mbu(num_bytes: float | None, seconds: float | None, peak_bytes_per_second: float | None) -> float | None:
    """Model bandwidth utilisation: the share (0 to 1) of the peak that reading `num_bytes` made use of."""
    return _share(num_bytes, seconds, peak_bytes_per_second)


def _share(amount: float | None, seconds: float | None, peak: float | None) -> float | None:
    if amount is None or not seconds or not peak:
        return None
    return amount / seconds / peak
