"""Whether the engine's answers on a device are those of the CPU and of transformers, whatever the batches."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.checks import Options, Result
from bench.dummy_checkpoint import dummy_config, write_dummy_checkpoint
from bench.ours import Bench, settings_with
from bench.reference import Reference
from bench.workload import Pixels
from corridor_cli.engine.local.tiles import TileRule, cut_tiles
from corridor_cli.records import Generation, Request, RequestKey, Role
from corridor_cli.settings import ModelSettings

COLOURS = ((220, 30, 30), (30, 170, 50), (30, 60, 220), (240, 220, 30), (245, 245, 245), (12, 12, 12))
SIZES = ((640, 360), (480, 480), (360, 640), (112, 112))
PROMPTS = ("What is this?", "Describe this video frame: the light, the colours, and what can be seen.")
TILE_GOAL = 2  # of 255
_OOM_HEADROOM_BYTES = 48 * 1024**2
_DUMMY_FRAMES = 4
_DUMMY_TOKENS = 24


def check_all(options: Options) -> list[Result]:
    """Every check that can be made on the device."""
    pictures = draw_pictures(8 if options.is_quick else 96)
    results = [
        check_tiles(options, pictures),
        check_against_cpu(options, pictures, 1),
        check_against_cpu(options, pictures, 6),
        check_arrangement(options, pictures),
        check_transformers_tiny(options, pictures),
        check_out_of_memory(options, pictures),
    ]
    return results if options.is_quick else [*results, *check_transformers_dummy(options)]


def draw_pictures(count: int) -> list[Pixels]:
    """A bright block on a ground, in four sizes in turn: uint8 (height, width, 3)."""
    rng = np.random.default_rng(7)
    pictures = []
    for number in range(count):
        width_px, height_px = SIZES[number % len(SIZES)]
        picture = np.empty((height_px, width_px, 3), np.uint8)
        picture[:] = COLOURS[number % 6]
        top, left = rng.integers(0, height_px // 2), rng.integers(0, width_px // 2)
        bright = COLOURS[(number + 1 + number // 6) % 6]
        picture[top : top + height_px // 2, left : left + width_px // 2] = bright
        pictures.append(picture)
    return pictures


def texts_of(settings: ModelSettings, pictures: Sequence[Pixels], tokens: int = 64) -> list[str]:
    """Captions in the order of the pictures; prompts alternate."""
    bench = Bench(settings, pictures)
    captions, _ = bench.caption(_mixed(bench, tokens))
    bench.close()
    return [caption.text for caption in captions]


def _mixed(bench: Bench, tokens: int) -> list[Request]:
    requests = bench.requests(PROMPTS[0], tokens)
    return [replace(request, prompt=PROMPTS[i % 2]) for i, request in enumerate(requests)]


def equal(check: str, ours: Sequence[str], reference: Sequence[str], must: bool = True) -> Result:
    """How many texts are the same; without `must` it is told and not judged."""
    same = sum(a == b for a, b in zip(ours, reference, strict=True))
    return Result(check, same == len(ours) if must else None, f"{same} of {len(ours)} captions equal")


def check_tiles(options: Options, pictures: Sequence[Pixels]) -> Result:
    """Tiles cut on the device against those cut on the CPU, in steps of a pixel's 255."""
    rule = TileRule(448, 6, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    largest = 0.0
    for picture in pictures[:8]:
        frame = torch.from_numpy(picture)
        difference = cut_tiles(frame.to(options.device), rule).cpu() - cut_tiles(frame, rule)
        largest = max(largest, float(difference.abs().max()) * 255)
    return Result(
        "tiles equal the CPU's",
        largest <= TILE_GOAL + 1e-3,
        f"at most {largest:.1f}/255 apart (goal {TILE_GOAL})",
    )


def check_against_cpu(options: Options, pictures: Sequence[Pixels], max_tiles: int) -> Result:
    base = ModelSettings(model="tiny", max_tiles=max_tiles, batch_size=16, device="cpu")
    ours = texts_of(ModelSettings(model="tiny", max_tiles=max_tiles, device=options.device), pictures)
    return equal(f"tiny: captions equal the CPU's, max_tiles {max_tiles}", ours, texts_of(base, pictures))


def check_arrangement(options: Options, pictures: Sequence[Pixels]) -> Result:
    """Another order and other lengths beside it change no caption."""
    bench = Bench(ModelSettings(model="tiny", device=options.device), pictures)
    requests = _mixed(bench, 64)
    straight, _ = bench.caption(requests)
    again = [replace(request, key=RequestKey(9999, i, Role.FIRST)) for i, request in enumerate(requests)]
    short = [
        replace(request, key=RequestKey(9998, i, Role.LAST), generation=Generation(1 + i % 5))
        for i, request in enumerate(requests)
    ]
    shuffled = random.Random(7).sample([*again, *short], 2 * len(requests))
    answers, _ = bench.caption(shuffled)
    bench.close()
    by_key = {caption.key: caption.text for caption in answers}
    return equal(
        "tiny: captions do not depend on order and company",
        [by_key[request.key] for request in again],
        [caption.text for caption in straight],
    )


def check_transformers_tiny(options: Options, pictures: Sequence[Pixels]) -> Result:
    """fp32, one picture and several at once, against `generate`."""
    reference = Reference.load("tiny", 2, options.device, torch.float32)
    settings = ModelSettings(model="tiny", max_tiles=2, device=options.device, precision="fp32")
    return _compare("tiny, fp32: captions equal transformers'", settings, reference, pictures[:8], 32, True)


def check_transformers_dummy(options: Options) -> list[Result]:
    """A real shape with random weights: fp32 must agree token by token, bfloat16 is measured."""
    results = []
    pictures = draw_pictures(_DUMMY_FRAMES)
    with tempfile.TemporaryDirectory() as folder:
        write_dummy_checkpoint(Path(folder), dummy_config("internvl3-1b"))
        for name, dtype, must in (("fp32", torch.float32, True), ("bf16", torch.bfloat16, False)):
            settings = settings_with(model=folder, max_tiles=2, device=options.device, precision=name)
            reference = Reference.load(folder, 2, options.device, dtype)
            check = f"dummy 1B, {name}: captions equal transformers'"
            results.append(_compare(check, settings, reference, pictures, _DUMMY_TOKENS, must))
            del reference
    return results


def _compare(
    check: str,
    settings: ModelSettings,
    reference: Reference,
    pictures: Sequence[Pixels],
    tokens: int,
    must: bool,
) -> Result:
    """Each picture alone, then all of them in one request."""
    bench = Bench(settings, pictures)
    requests = _mixed(bench, tokens)
    refs = tuple(frame for request in requests for frame in request.frames)
    together = Request(RequestKey(9999, 0, Role.FIRST), PROMPTS[0], refs, Generation(tokens))
    captions, _ = bench.caption([*requests, together])
    bench.close()
    expected = [
        *(reference.answer([picture], PROMPTS[i % 2], tokens) for i, picture in enumerate(pictures)),
        reference.answer(pictures, PROMPTS[0], tokens),
    ]
    return equal(check, [caption.text for caption in captions], expected, must)


def check_out_of_memory(options: Options, pictures: Sequence[Pixels]) -> Result:
    """A limit a little above what is held: the allocator itself then raises."""
    name = "out of memory is survived"
    if not options.device.startswith("cuda"):
        return Result(name, None, "not measured: needs CUDA")
    device = options.device
    wanted: dict[str, Any] = {"model": "tiny", "device": device}
    reference = texts_of(ModelSettings(**wanted, batch_size=1), pictures)
    bench = Bench(ModelSettings(**wanted, batch_size=96, memory_optimization=False), pictures)
    bench.stats.clear()
    torch.cuda.empty_cache()
    allowed = torch.cuda.memory_reserved(device) + _OOM_HEADROOM_BYTES
    torch.cuda.set_per_process_memory_fraction(
        allowed / torch.cuda.get_device_properties(device).total_memory, device
    )
    try:
        captions, _ = bench.caption(_mixed(bench, 64))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
        bench.close()
    num_retries = sum(each.num_oom_retries for each in bench.stats)
    same = equal(name, [caption.text for caption in captions], reference)
    return Result(name, bool(same.holds and num_retries), f"{num_retries} retries, {same.figure}")
