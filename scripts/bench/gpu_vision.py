"""What compiling the vision pass takes and wins: the two figures that `engine/local/compiled.py` assumes."""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch

from bench.checks import Options, Result
from bench.ours import MemoryStore, settings_with
from corridor_cli.engine.local.compiled import compile_encoder
from corridor_cli.engine.local.load import load
from corridor_cli.engine.local.vision import Encode

CHECK = "vision compiled, times the plain pass"
_PRESET = "internvl3-1b"
_COMPILED_TILES = 32
_MAX_DIFFERENCE = 0.05  # of the outputs' own norm: rounding in another order, and nothing worse


def measure_compiling(options: Options) -> Result:
    """All presets have the same vision encoder, so one is measured."""
    wanted: dict[str, Any] = {"model": "tiny"} if options.is_quick else {"preset": _PRESET}
    wanted |= {} if options.is_quick else {"load_format": "dummy"}
    network = load(settings_with(device=options.device, **wanted), MemoryStore()).network
    side = network.shape.vision.image_px
    tiles = torch.randn(_COMPILED_TILES, 3, side, side, device=options.device, dtype=network.dtype)
    plain = network.vision.encode
    with torch.inference_mode():
        plain_seconds = _pass_seconds(plain, tiles, options)
        started = time.perf_counter()
        compiled = torch.compile(plain, backend="aot_eager") if options.is_quick else compile_encoder(plain)
        encoded = compiled(tiles)
        _wait(options)
        compile_seconds = time.perf_counter() - started
        difference = float((encoded - plain(tiles)).float().norm() / encoded.float().norm())
        compiled_seconds = _pass_seconds(compiled, tiles, options)
    ratio = plain_seconds / compiled_seconds
    details = {
        "tiles": _COMPILED_TILES,
        "plain_seconds": plain_seconds,
        "compiled_seconds": compiled_seconds,
        "compile_seconds": compile_seconds,
        "saved_share": 1 - compiled_seconds / plain_seconds,
        "relative_difference": difference,
    }
    told = f"{ratio:.2f}, after {compile_seconds:.0f} s of compiling; outputs differ by {difference:.4f}"
    return Result(CHECK, None if options.is_quick else difference < _MAX_DIFFERENCE, told, details)


def _pass_seconds(encode: Encode, tiles: torch.Tensor, options: Options) -> float:
    """The median of some passes, each waited for."""
    seconds = []
    for _ in range(2 if options.is_quick else 12):
        started = time.perf_counter()
        encode(tiles)
        _wait(options)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[len(seconds) // 4 :])


def _wait(options: Options) -> None:
    if options.device.startswith("cuda"):
        torch.cuda.synchronize(options.device)
