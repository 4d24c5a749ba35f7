"""How many sequences, tiles and prompt tokens may be worked on together: free memory and a measured cost.

Keys and values are arithmetic. What the passes need beside them is a straight line in their size: two sizes
are run and measured, and a tenth is added. The measurement is kept for each machine. On a CPU, time decides:
beyond a few sequences a larger batch gains nothing once the processor is busy.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import torch

from corridor_cli.engine.batching import round_batch_size
from corridor_cli.engine.local.failures import is_out_of_memory
from corridor_cli.engine.local.generator import Generator
from corridor_cli.engine.local.load import Loaded
from corridor_cli.engine.local.memory import release_memory
from corridor_cli.engine.local.network import Network
from corridor_cli.engine.local.sequences import TokenSequence
from corridor_cli.engine.local.shape import NetworkShape
from corridor_cli.engine.local.tiles import TileRule
from corridor_cli.errors import ModelError
from corridor_cli.hardware import BEST_BATCH, keep_measurement, kept_measurement
from corridor_cli.records import Generation, Request, RequestKey, Role
from corridor_cli.settings import CaptionSettings, ModelSettings

PROBES = (1, 4)

_MARGIN = 1.1
_STAGE_SHARE = 0.3  # of the budget, at most, for either of the two passes that are not the decode loop
_MAX_TILES = {"cpu": 4, "cuda": 64}
_MAX_TOKENS = {"cpu": 4096, "cuda": 16384}
_CPU_SLOTS = 16
_PROBE_STEPS = 4
_SLOW_SECONDS = 1.0
_EXPECTED_NEW_TOKENS = 64


@dataclass(frozen=True, slots=True)
class Expected:
    """What a typical request asks: its prompt, the most new tokens, the tiles of all its frames."""

    token_ids: tuple[int, ...]
    max_new_tokens: int
    num_tiles: int
    num_frames: int = 1

    @property
    def prompt_tokens(self) -> int:
        return len(self.token_ids)

    @property
    def max_tokens(self) -> int:
        return self.prompt_tokens + self.max_new_tokens


@dataclass(frozen=True, slots=True)
class Costs:
    """Measured: memory that one more tile and one more prompt token need, and the time of each pass."""

    bytes_per_tile: float
    bytes_per_prompt_token: float
    seconds_per_tile: float
    seconds_per_prompt: float
    seconds_per_step: float

    def seconds_per_request(self, expected: Expected, num_slots: int) -> float:
        steps = min(_EXPECTED_NEW_TOKENS, expected.max_new_tokens)
        return (
            expected.num_tiles * self.seconds_per_tile
            + self.seconds_per_prompt
            + steps * self.seconds_per_step / num_slots
        )


@dataclass(frozen=True, slots=True)
class Sizing:
    """The size each stage begins with; slots grow to `slot_limit` at most, within `slot_budget` bytes."""

    num_slots: int
    slot_limit: int
    slot_budget: int
    num_tiles: int
    num_tokens: int
    reasons: tuple[str, ...]


def size_stages(
    costs: Costs,
    bytes_per_slot: int,
    budget: int,
    device: str,
    settings: ModelSettings,
    expected: Expected,
    best_batch: int | None = None,
) -> Sizing:
    """The sizes that fit into `budget` bytes; at least one of each, whether or not that fits.

    `best_batch` is what `auto` begins with where it fits: what `vlmtl bench` found to be enough.
    """
    kind = "cpu" if device == "cpu" else "cuda"
    share = _STAGE_SHARE * budget
    most_tiles = _MAX_TILES[kind] if settings.memory_optimization else 4 * _MAX_TILES[kind]
    tiles = max(1, min(most_tiles, int(share / max(1.0, costs.bytes_per_tile))))
    tokens = min(_MAX_TOKENS[kind], int(share / max(1.0, costs.bytes_per_prompt_token)))
    tokens = max(expected.prompt_tokens, tokens)
    work = max(tiles * costs.bytes_per_tile, tokens * costs.bytes_per_prompt_token)
    slot_budget = max(0, int((budget - work) / _MARGIN))
    fitting = max(1, slot_budget // bytes_per_slot)
    limit = min(fitting, settings.max_batch_size)
    facts = (
        f"{fitting} sequences of {bytes_per_slot / 1024**2:.1f} MiB fit into {budget / 1024**3:.1f} GiB "
        f"beside the passes, max_batch_size is {settings.max_batch_size}"
    )
    if not settings.enable_batch_processing:
        slots, limit, why = 1, 1, "batch processing is off"
    elif settings.batch_size != "auto":
        slots = limit = min(settings.batch_size, settings.max_batch_size)
        why = "as set"
    elif best_batch is not None and best_batch <= limit:
        slots, why = best_batch, f"the best that was measured here (vlmtl bench); {facts}"
    elif kind == "cpu":
        slots = limit = round_batch_size(min(limit, _CPU_SLOTS))
        why = f"more gain little on a processor; {facts}"
    else:
        slots, why = round_batch_size(limit), facts
    reasons = (
        f"batch size: {slots}; {why}",
        f"together: {tiles} tiles of {costs.bytes_per_tile / 1024**2:.1f} MiB, {tokens} prompt tokens",
    )
    return Sizing(slots, limit, slot_budget, tiles, tokens, reasons)


def longest_context(loaded: Loaded, costs: Costs, budget: int, expected: Expected) -> int:
    """Tokens that a single sequence may have, prompt and answer: what the model can hold, or as much of it as
    `budget` bytes allow for its keys and values and for the prefill of its prompt."""
    per_token = loaded.slot_bytes(1) - loaded.slot_bytes(0)
    fitting = int(budget // (_MARGIN * per_token + max(0.0, costs.bytes_per_prompt_token)))
    return min(loaded.network.max_positions, max(fitting, expected.max_tokens))


def best_batch(loaded: Loaded) -> int | None:
    """What a benchmark of this model on this machine recommended; None where there was none."""
    kept = kept_measurement(BEST_BATCH, loaded.measurement_key)
    size = kept.get("batch_size") if isinstance(kept, dict) else None
    return size if isinstance(size, int) and size > 0 else None


def expect(loaded: Loaded, caption: CaptionSettings) -> Expected:
    """What most requests of such settings will ask. Raises `ModelError` when the model cannot hold that."""
    num_tiles = loaded.rule.max_tiles + (loaded.rule.max_tiles > 1)
    num_frames = len(Role) if caption.mode == "scene" else 1
    token_ids = loaded.translator.token_ids(caption.prompt, [num_tiles] * num_frames)
    expected = Expected(tuple(token_ids), caption.max_new_tokens, num_tiles * num_frames, num_frames)
    if expected.max_tokens > loaded.network.max_positions:
        raise ModelError(
            f"A prompt of {expected.prompt_tokens} tokens (up to {expected.num_tiles} tiles) and "
            f"{expected.max_new_tokens} new ones exceed the {loaded.network.max_positions} that "
            f"{loaded.info.model_id} can hold.",
            hint="Shorten caption.prompt, lower caption.max_new_tokens, or lower max_tiles.",
        )
    return expected


def find_costs(loaded: Loaded, expected: Expected) -> Costs:
    """What a typical request costs on this machine: measured once, then read from the cache.

    Raises `ModelError` when the model fails on it, or not even one fits into memory.
    """
    key = f"{loaded.measurement_key}/{expected.prompt_tokens}/{expected.max_new_tokens}"
    kept = kept_measurement("costs", key)
    if isinstance(kept, dict) and kept.keys() == Costs.__dataclass_fields__.keys():
        return Costs(**kept)
    try:
        generator = loaded.make_fitting_generator(PROBES[-1], expected.max_tokens, expected.max_new_tokens)
        costs = measure_costs(generator, loaded.network, typical_sequence(loaded.rule, expected))
        keep_measurement("costs", key, asdict(costs))
        return costs
    except ModelError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a checkpoint's first batch raises: it cannot be used
        problem = f"The model failed on its first batch: {type(error).__name__}: {error}"
        if is_out_of_memory(error):
            problem = f"Device {loaded.device} has too little memory for a single request."
    release_memory(loaded.device)
    raise ModelError(problem, hint="Free memory, lower max_tiles, or use a smaller model.")


def measure_costs(generator: Generator, network: Network, sequence: TokenSequence) -> Costs:
    """Run a few passes of a typical sequence, as many together as `generator` has slots, or `PROBES[-1]`.

    On a CPU memory is reckoned, not measured: other work of the process would drown it.
    """
    num_tiles, device = sequence.num_tiles, network.device

    def encode(count: int) -> Probe:
        group = [sequence] * count
        return _probe(device, lambda: generator.encode(group, count * num_tiles))

    def prefill(count: int) -> Probe:
        generator.clear()
        group, all_visual = [sequence] * count, visual.repeat(count, 1)
        return _probe(device, lambda: generator.prefill(group, all_visual))

    first = encode(1)  # also pays for loading kernels, and for reading weights mapped from their file
    is_quick = first.seconds < _SLOW_SECONDS and generator.num_slots >= PROBES[-1]
    sizes = PROBES if is_quick else (1,)
    visual = generator.encode([sequence], num_tiles)
    tiles, prompts = ([measure(size) for size in sizes] for measure in (encode, prefill))
    steps = _probe(device, lambda: generator.advance(_PROBE_STEPS))
    generator.clear()
    tile_bytes, token_bytes = pass_bytes(network.shape, network.dtype.itemsize)
    return Costs(
        bytes_per_tile=tile_bytes if device == "cpu" else _slope(tiles, sizes) / num_tiles,
        bytes_per_prompt_token=(
            token_bytes if device == "cpu" else _slope(prompts, sizes) / len(sequence.token_ids)
        ),
        seconds_per_tile=tiles[-1].seconds / sizes[-1] / num_tiles,
        seconds_per_prompt=prompts[-1].seconds / sizes[-1],
        seconds_per_step=steps.seconds / _PROBE_STEPS,
    )


def pass_bytes(shape: NetworkShape, itemsize: int) -> tuple[int, int]:
    """Reckoned memory of a tile in the vision pass and of a token in the prefill, beside the weights.

    The widest moment is the MLP: input, residual, and both sides of the activation.
    """
    vision, text = shape.vision, shape.text
    tile = vision.num_positions * (2 * vision.hidden + 2 * vision.intermediate) * itemsize
    token = (2 * text.hidden + 3 * text.intermediate) * itemsize
    return tile, token


def typical_sequence(rule: TileRule, expected: Expected) -> TokenSequence:
    """A synthetic sequence to measure with: its frame makes as many tiles as a frame can."""
    frame = torch.full((rule.tile_px, rule.tile_px * rule.max_tiles, 3), 127, dtype=torch.uint8)
    request = Request(RequestKey(0, 0, Role.FIRST), "", (), Generation(expected.max_new_tokens))
    frames = (frame,) * expected.num_frames
    return TokenSequence(request, list(expected.token_ids), frames, expected.num_tiles)


@dataclass(frozen=True, slots=True)
class Probe:
    """Peak memory above what was held before a pass (0 on a CPU), and its time."""

    memory_bytes: int
    seconds: float


def _probe(device: str, action: Callable[[], object]) -> Probe:
    held = 0
    if device != "cpu":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        held = torch.cuda.memory_allocated(device)
    started = time.perf_counter()
    action()
    if device == "cpu":
        return Probe(0, time.perf_counter() - started)
    torch.cuda.synchronize(device)
    return Probe(torch.cuda.max_memory_allocated(device) - held, time.perf_counter() - started)


def _slope(probes: list[Probe], sizes: Sequence[int]) -> float:
    """Memory for one more, a tenth added; from a single probe all of it counts."""
    low, high = probes[0], probes[-1]
    if len(probes) == 1:
        return _MARGIN * low.memory_bytes
    return _MARGIN * (high.memory_bytes - low.memory_bytes) / (sizes[-1] - sizes[0])
