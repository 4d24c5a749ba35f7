"""Frames/s of an InternVL3 size at one tile count, how busy the GPU was, and the one-frame loop beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from bench.busy import BusySampler
from bench.checks import Options, Result, at_least, attempt, let_go
from bench.ours import Bench, settings_with
from bench.reference import Reference
from bench.workload import TILE_LAYOUTS, Pixels, draw_frame
from corridor_cli.records import Request
from corridor_cli.settings import CaptionSettings

# 60 % of what the arithmetic of one H200 allows, with 96 new tokens and a prompt of 100 beside the pictures.
GOALS = {
    "internvl3-1b": {1: 413, 3: 156, 9: 53},
    "internvl3-2b": {1: 233, 3: 94, 9: 33},
    "internvl3-8b": {1: 67, 3: 31, 9: 11},
}
BUSY_GOAL_PERCENT = 95
LOOP_GOAL = 20
OUTPUT_TOKENS = 96
PROMPT_TOKENS = 100
_MEASURED_SECONDS = 20.0
_NUM_PICTURES = 32
_LOOP_FRAMES = 4
_MAX_REQUESTS = 20_000


def measure_tiles(preset: str, tiles: int, options: Options, tell: Callable[[list[Result]], None]) -> None:
    """The rows of one size at one tile count; the loop runs when the engine has let go of the memory."""
    name = f"{preset}, {tiles} tile{'s' * (tiles > 1)}"
    width_px, height_px, max_tiles = TILE_LAYOUTS[tiles]
    pictures = [draw_frame(number, width_px, height_px) for number in range(_NUM_PICTURES)]
    found: dict[str, Any] = {}

    def engine() -> list[Result]:
        ours = found["ours"] = measure_engine(preset, tiles, pictures, options)
        speed = at_least(f"{name}: frames/s", ours["frames_per_second"], GOALS[preset][tiles], options)
        lengths = f"{ours['prompt_tokens']} + {ours['output_tokens']:g} tokens each"
        busy = f"{name}: GPU busy ({ours['busy_source']})"
        return [
            Result(speed.check, speed.holds, speed.figure, {**speed.details, **ours}),
            Result(
                f"{name}: captions are whole", ours["is_whole"], f"{ours['num_requests']} captions, {lengths}"
            ),
            at_least(busy, ours["busy_percent"], BUSY_GOAL_PERCENT, options, " %"),
        ]

    def loop() -> Result:
        rate = measure_loop(preset, max_tiles, pictures, options)
        ratio = found["ours"]["frames_per_second"] / rate if "ours" in found else None
        result = at_least(f"{name}: times the one-frame loop of transformers", ratio, LOOP_GOAL, options)
        return Result(
            result.check, result.holds, result.figure, {**result.details, "loop_frames_per_second": rate}
        )

    tell(attempt(f"{name}: frames/s", engine))
    let_go(options)
    tell(attempt(f"{name}: the one-frame loop of transformers", loop))


def measure_engine(preset: str, tiles: int, pictures: list[Pixels], options: Options) -> dict[str, Any]:
    """Frames/s over about twenty seconds, from the first request to the last caption, after a warm-up."""
    max_tiles = TILE_LAYOUTS[tiles][2]
    wanted: dict[str, Any] = {"device": options.device, "max_tiles": max_tiles}
    wanted |= {"model": "tiny"} if options.is_quick else {"load_format": "dummy", "preset": preset}
    started = time.perf_counter()
    caption = CaptionSettings(max_new_tokens=_tokens(options))
    bench = Bench(settings_with(**wanted), pictures, caption)
    loaded = time.perf_counter()
    tokens_per_tile = 16 if options.is_quick else 256
    prompt = bench.prompt_with_tokens(PROMPT_TOKENS, tokens_per_tile * tiles)
    size = 2 if options.is_quick else bench.info.max_pending
    _, first_seconds = bench.caption(_requests(bench, prompt, size, options))
    _, seconds = bench.caption(_requests(bench, prompt, size, options))
    wanted_requests = size if options.is_quick else int(_MEASURED_SECONDS / seconds * size)
    num_requests = min(_MAX_REQUESTS, max(2 * size, wanted_requests))
    requests = _requests(bench, prompt, num_requests, options)
    with BusySampler(options.device) as busy:
        captions, seconds = bench.caption(requests)
    num_tokens = sum(each.output_tokens for each in captions)
    memory = [each.peak_memory_bytes for each in bench.stats if each.peak_memory_bytes is not None]
    bench.close()
    return {
        "frames_per_second": num_requests / seconds,
        "num_requests": num_requests,
        "seconds": seconds,
        "batch_size": bench.info.batch_size,
        "dtype": bench.info.dtype,
        "load_seconds": round(loaded - started, 1),
        "first_batch_seconds": round(first_seconds, 2),
        "prompt_tokens": captions[0].prompt_tokens,
        "output_tokens": num_tokens / num_requests,
        "is_whole": None if options.is_quick else num_tokens == OUTPUT_TOKENS * num_requests,
        "busy_percent": busy.percent,
        "busy_source": busy.source,
        "peak_memory_bytes": max(memory, default=None),
        "reasons": list(bench.info.reasons),
    }


def _tokens(options: Options) -> int:
    return 8 if options.is_quick else OUTPUT_TOKENS


def _requests(bench: Bench, prompt: str, count: int, options: Options) -> list[Request]:
    """So many requests, the pictures taken in turn."""
    found: list[Request] = []
    while len(found) < count:
        found += bench.requests(prompt, _tokens(options))
    return found[:count]


def measure_loop(preset: str, max_tiles: int, pictures: list[Pixels], options: Options) -> float:
    """Frames/s of transformers' `generate`, one frame at a time."""
    if options.is_quick:
        reference = Reference.load("tiny", max_tiles, options.device, torch.float32)
    else:
        reference = Reference.dummy(preset, max_tiles, options.device, torch.bfloat16)
    prompt = reference.prompt_with_tokens(PROMPT_TOKENS)
    count = 1 if options.is_quick else _LOOP_FRAMES
    reference.caption(pictures[:1], prompt, _tokens(options), 1)
    started = time.perf_counter()
    # Token lists come back: it has waited for the device. A caption cut short counts for its part.
    _, num_new = reference.caption(pictures[:count], prompt, _tokens(options), 1)
    return num_new / _tokens(options) / (time.perf_counter() - started)
