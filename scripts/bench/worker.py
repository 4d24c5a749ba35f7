"""One contestant in a process of its own: loads, warms up, then works one round for each line it is sent.

    python -m bench.worker '{"contestant": "loop", …}'      lines on stdin, JSON lines on the real stdout

A library's own chatter on stdout is turned to stderr. It ends when stdin does.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.workload import Pixels, Workload

Round = Callable[[list[Pixels]], tuple[int, int]]

# The settings of `gpu_pipeline.internvl3` behind each name; a version without such a setting says so.
OURS: dict[str, dict[str, Any]] = {
    "ours": {},
    "ours-bf16": {"precision": "bf16"},
    "ours-fp32": {"precision": "fp32"},
    "ours-int8": {"precision": "int8"},
}


def prepare(name: str, folder: Path, workload: Workload, device: str) -> tuple[Round, dict[str, Any]]:
    """Load a contestant; what runs a round, and what is worth telling about it."""
    if name in OURS:
        return _ours(name, folder, workload, device)
    if name == "vllm":
        from bench.vllm_offline import VllmOffline

        return VllmOffline(folder, workload).caption, {"vllm": _version("vllm")}
    batch = re.fullmatch(r"static(\d+)", name)
    if name != "loop" and not batch:
        raise SystemExit(f"unknown contestant {name!r}; known: loop, staticN, vllm, {', '.join(OURS)}")
    import torch

    from bench.reference import Reference

    reference = Reference.load(str(folder), workload.max_tiles, device, torch.bfloat16)
    batch_size = int(batch[1]) if batch else 1

    def caption(frames: list[Pixels]) -> tuple[int, int]:
        return reference.caption(frames, workload.prompt, workload.output_tokens, batch_size)

    return caption, {"dtype": "bfloat16"}


def _ours(name: str, folder: Path, workload: Workload, device: str) -> tuple[Round, dict[str, Any]]:
    from bench.ours import Bench, settings_with
    from corridor_cli.settings import CaptionSettings

    settings = settings_with(model=str(folder), max_tiles=workload.max_tiles, device=device, **OURS[name])
    caption_settings = CaptionSettings(prompt=workload.prompt, max_new_tokens=workload.output_tokens)
    bench = Bench(settings, workload.frames(), caption_settings)

    def caption(frames: list[Pixels]) -> tuple[int, int]:
        requests = bench.requests(workload.prompt, workload.output_tokens)[: len(frames)]
        captions, _ = bench.caption(requests)
        return captions[0].prompt_tokens, sum(caption.output_tokens for caption in captions)

    info = bench.info
    about = {"dtype": info.dtype, "quantization": info.quantization, "batch_size": info.batch_size}
    return caption, {**about, "reasons": list(info.reasons)}


def main() -> None:
    """Serve rounds until stdin ends."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def tell(**what: Any) -> None:
        out.write(json.dumps(what) + "\n")

    setup = json.loads(sys.argv[1])
    workload = Workload(**setup["workload"])
    frames = workload.frames()
    started = time.perf_counter()
    run, about = prepare(setup["contestant"], Path(setup["checkpoint"]), workload, setup["device"])
    loaded = time.perf_counter()
    run(frames[: setup["warm_up_frames"]])
    about |= {"torch": _version("torch"), "transformers": _version("transformers")}
    tell(load_seconds=loaded - started, warm_up_seconds=time.perf_counter() - loaded, about=about)
    for _ in sys.stdin:
        started = time.perf_counter()
        prompt_tokens, new_tokens = run(frames)
        seconds = time.perf_counter() - started
        tell(seconds=seconds, prompt_tokens=prompt_tokens, new_tokens=new_tokens, device_bytes=_device_peak())


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    for name in (package, f"{package}-cpu"):  # vLLM's CPU build goes by another name in the registries
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "unknown"


def _device_peak() -> int | None:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return None
    return int(torch.cuda.max_memory_allocated())


if __name__ == "__main__":
    main()
