"""Whether the engine's answers on a device are those of the CPU and of transformers, whatever the batches."""

from __future__ import annotations

import gc
import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.checks import Options, Result, attempt, let_go
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
SCHEMA = (
    '{"type": "object", "required": ["light", "tags"], "additionalProperties": false, "properties": {'
    '"light": {"type": "string", "maxLength": 30}, '
    '"tags": {"type": "array", "items": {"type": "string", "maxLength": 9}, "maxItems": 3}}}'
)
ASKED = (
    Generation(64),
    Generation(64, repetition_penalty=1.3),
    Generation(96, json_schema=SCHEMA),
    Generation(96, repetition_penalty=1.2, json_schema=SCHEMA),
)
TILE_GOAL = 2  # of 255
_LEAST_OOM_BYTES = 8 * 1024**2
_DUMMY_FRAMES = 4
_DUMMY_TOKENS = 24


def check_all(options: Options, tell: Callable[[list[Result]], None]) -> None:
    """Every check that can be made on the device; each is told as soon as it is made."""
    pictures = draw_pictures(8 if options.is_quick else 96)
    torch.backends.cudnn.allow_tf32 = False  # fp32 of the reference's convolution is to be fp32
    checks: dict[str, Callable[[], Result]] = {
        "tiles": lambda: check_tiles(options, pictures),
        "ways": lambda: check_ways(options),
        "tiny against the CPU, one tile": lambda: check_against_cpu(options, pictures, 1),
        "tiny against the CPU, 6 tiles": lambda: check_against_cpu(options, pictures, 6),
        "arrangement": lambda: check_arrangement(options, pictures),
        "penalties, JSON, no frames": lambda: check_asked(options, pictures),
        "tiny against transformers": lambda: check_transformers_tiny(options, pictures),
        "out of memory": lambda: check_out_of_memory(options, pictures),
    }
    if not options.is_quick:
        checks["dummy 1B, fp32"] = lambda: check_transformers_dummy(options, "fp32", torch.float32, True)
        checks["dummy 1B, bf16"] = lambda: check_transformers_dummy(options, "bf16", torch.bfloat16, False)
        checks["dummy 1B, int8"] = lambda: check_int8(options)
    for name, check in checks.items():
        tell(attempt(name, check))
        let_go(options)


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


def check_asked(options: Options, pictures: Sequence[Pixels]) -> Result:
    """Penalties, JSON and prompts alone, beside captions that ask for nothing: on CUDA their graphs end at
    the logits."""
    has_json = find_spec("llguidance") is not None
    asked = [each for each in ASKED if each.json_schema is None or has_json]
    texts = []
    for device in (options.device, "cpu"):
        bench = Bench(ModelSettings(model="tiny", device=device, precision="fp32", batch_size=16), pictures)
        requests = [
            replace(request, generation=asked[i % len(asked)], frames=request.frames if i % 5 else ())
            for i, request in enumerate(_mixed(bench, 64))
        ]
        captions, _ = bench.caption(requests)
        bench.close()
        texts.append([caption.text for caption in captions])
    what = "JSON" if has_json else "no JSON (llguidance is missing)"
    return equal(f"tiny: penalties, {what} and no frames give what the CPU gives", *texts)


def check_transformers_tiny(options: Options, pictures: Sequence[Pixels]) -> Result:
    """fp32, one picture and several at once, against `generate`."""
    reference = Reference.load("tiny", 2, options.device, torch.float32)
    settings = ModelSettings(model="tiny", max_tiles=2, device=options.device, precision="fp32")
    return _compare("tiny, fp32: captions equal transformers'", settings, reference, pictures[:8], 32, True)


def check_transformers_dummy(options: Options, name: str, dtype: torch.dtype, must: bool) -> Result:
    """A real shape with random weights: fp32 must agree token by token, bfloat16 is measured."""
    with tempfile.TemporaryDirectory() as folder:
        write_dummy_checkpoint(Path(folder), dummy_config("internvl3-1b"))
        settings = settings_with(model=folder, max_tiles=2, device=options.device, precision=name)
        reference = Reference.load(folder, 2, options.device, dtype)
        check = f"dummy 1B, {name}: captions equal transformers'"
        return _compare(check, settings, reference, draw_pictures(_DUMMY_FRAMES), _DUMMY_TOKENS, must)


def check_int8(options: Options) -> Result:
    """That int8 runs on the device, and how far it goes with bfloat16 on random weights; not judged."""
    pictures = draw_pictures(_DUMMY_FRAMES)
    texts = [
        texts_of(
            settings_with(
                load_format="dummy", preset="internvl3-1b", device=options.device, precision=precision
            ),
            pictures,
            _DUMMY_TOKENS,
        )
        for precision in ("bf16", "int8")
    ]
    return equal("dummy 1B: int8 runs; captions as in bf16", texts[1], texts[0], must=False)


def check_ways(options: Options) -> Result:
    """Whether attention and decode steps go the quick way on this device, in bfloat16."""
    wanted = settings_with(model="tiny", device=options.device, precision="bf16")
    bench = Bench(wanted, draw_pictures(1))
    reasons = list(bench.info.reasons)
    bench.close()
    told = [reason for reason in reasons if reason.startswith(("attention", "decode steps"))]
    if not options.device.startswith("cuda"):
        return Result("flash attention and graphs", None, "not measured: needs CUDA", {"reasons": reasons})
    is_quick = any("flash" in each for each in told) and any(" graphs of " in each for each in told)
    return Result("flash attention and graphs", is_quick, "; ".join(told), {"reasons": reasons})


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
    """Half of what the passes took a moment ago is denied them: the allocator itself then raises.

    The slots are allocated once, at the start, so the limit is set after it.
    """
    name = "out of memory is survived"
    if not options.device.startswith("cuda"):
        return Result(name, None, "not measured: needs CUDA")
    device = options.device
    wanted: dict[str, Any] = {"model": "tiny", "device": device, "precision": "fp32", "max_tiles": 6}
    bench = Bench(ModelSettings(**wanted, batch_size=96, memory_optimization=False), pictures)
    try:
        torch.cuda.empty_cache()
        held = torch.cuda.memory_reserved(device)
        torch.cuda.reset_peak_memory_stats(device)
        reference, _ = bench.caption(_mixed(bench, 64))
        needed = torch.cuda.max_memory_reserved(device) - held
        if needed < _LEAST_OOM_BYTES:
            return Result(name, None, f"not measured: the passes took {needed / 1024**2:.1f} MiB only")
        gc.collect()
        torch.cuda.empty_cache()
        bench.stats.clear()
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction((held + needed // 2) / total, device)
        captions, _ = bench.caption(_mixed(bench, 64))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
        bench.close()
    num_retries = sum(each.num_oom_retries for each in bench.stats)
    same = equal(name, [caption.text for caption in captions], [caption.text for caption in reference])
    told = f"{num_retries} retries with {needed / 2 / 1024**2:.0f} MiB less, {same.figure}"
    return Result(name, bool(same.holds and num_retries), told)
