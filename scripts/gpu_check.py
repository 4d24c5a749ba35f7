"""Correctness of the engine on an accelerator, against the CPU: captions, tiles, batches, real out-of-memory.

    python scripts/gpu_check.py [--device cuda:0] [--json FILE]

Works on generated frames, so no decoder is needed; torch and transformers are those it finds. A check that
cannot be made on the given device says "not measured". Exit code 8 when a check says no.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from corridor_cli.engine.local.engine import LocalEngine
from corridor_cli.records import BatchStats, Caption, FrameRef, Generation, Request, RequestKey, Role
from corridor_cli.settings import ModelSettings

NUM_FRAMES = 96
COLOURS = ((220, 30, 30), (30, 170, 50), (30, 60, 220), (240, 220, 30), (245, 245, 245), (12, 12, 12))
PROMPTS = ("What is this?", "Describe this video frame: the light, the colours, and what can be seen.")
OOM_HEADROOM_BYTES = 48 * 1024**2


@dataclass
class Result:
    """One line of the table: what was checked, whether it holds (None: not measured), and the figure."""

    check: str
    holds: bool | None
    figure: str


@dataclass
class Frames:
    """Generated frames, uint8 (height, width, 3): a bright square or bar on a ground, of four sizes."""

    pictures: list[np.ndarray] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(7)
        for i in range(NUM_FRAMES):
            height, width = ((360, 640), (480, 480), (640, 360), (112, 112))[i % 4]
            picture = np.empty((height, width, 3), np.uint8)
            picture[:] = COLOURS[i % 6]
            top, left = rng.integers(0, height // 2), rng.integers(0, width // 2)
            picture[top : top + height // 2, left : left + width // 2] = COLOURS[(i + 1 + i // 6) % 6]
            self.pictures.append(picture)

    def pixels(self, ref: FrameRef) -> np.ndarray:
        return self.pictures[ref.slot]

    def requests(self) -> list[Request]:
        return [
            Request(
                RequestKey(0, i, Role.FIRST),
                PROMPTS[i % 2],
                (FrameRef(i, picture.shape[1], picture.shape[0]),),
                Generation(64),
            )
            for i, picture in enumerate(self.pictures)
        ]


def caption_all(
    settings: ModelSettings, frames: Frames, prepare: Callable[[], None] | None = None
) -> tuple[list[str], list[BatchStats], float]:
    """The texts in the order of the frames, what the batches cost, and the seconds after loading."""
    stats: list[BatchStats] = []
    engine = LocalEngine(
        settings, frames, lambda event: stats.append(event) if isinstance(event, BatchStats) else None
    )
    engine.start()
    stats.clear()
    if prepare:
        prepare()
    started = time.perf_counter()
    answers: list[Caption] = []
    for request in frames.requests():
        engine.submit(request)
    while len(answers) < NUM_FRAMES:
        answers += engine.poll(1.0)
    seconds = time.perf_counter() - started
    engine.close()
    answers.sort(key=lambda caption: caption.key.scene)
    errors = [caption.error for caption in answers if caption.error]
    assert not errors, errors[0]
    return [caption.text for caption in answers], stats, seconds


def agreement(ours: Sequence[str], reference: Sequence[str]) -> Result:
    same = sum(a == b for a, b in zip(ours, reference, strict=True))
    return Result("", same == len(ours), f"{same} of {len(ours)} captions equal")


def check_captions(device: str, max_tiles: int, frames: Frames) -> Result:
    base = ModelSettings(model="tiny", max_tiles=max_tiles, batch_size=16, device="cpu")
    reference, _, _ = caption_all(base, frames)
    ours, _, _ = caption_all(ModelSettings(model="tiny", max_tiles=max_tiles, device=device), frames)
    result = agreement(ours, reference)
    return Result(f"captions equal the CPU's, {max_tiles} tiles at most", result.holds, result.figure)


def check_out_of_memory(device: str, frames: Frames) -> Result:
    """A limit a little above what the weights take: the allocator itself then raises."""
    name = "out of memory is survived"
    if not device.startswith("cuda"):
        return Result(name, None, "not measured: needs CUDA")
    reference, _, _ = caption_all(ModelSettings(model="tiny", device=device, batch_size=1), frames)

    def tighten() -> None:
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.empty_cache()
        allowed = torch.cuda.memory_reserved(device) + OOM_HEADROOM_BYTES
        torch.cuda.set_per_process_memory_fraction(allowed / total, device)

    try:
        ours, stats, _ = caption_all(
            ModelSettings(model="tiny", device=device, batch_size=96, memory_optimization=False),
            frames,
            tighten,
        )
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
    num_retries = sum(each.num_oom_retries for each in stats)
    same = agreement(ours, reference)
    return Result(name, bool(same.holds and num_retries), f"{num_retries} retries, {same.figure}")


def check_speed(device: str, frames: Frames) -> Result:
    _, stats, seconds = caption_all(ModelSettings(model="tiny", device=device), frames)
    sizes = "+".join(str(each.batch_size) for each in stats)
    return Result("tiny model, frames/s (no goal)", None, f"{NUM_FRAMES / seconds:.0f} in batches {sizes}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda:0" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--json", type=Path, default=None, help="also write the results to this file")
    arguments = parser.parse_args()
    device, frames = arguments.device, Frames()
    results = [
        check_captions(device, 1, frames),
        check_captions(device, 6, frames),
        check_out_of_memory(device, frames),
        check_speed(device, frames),
    ]
    import transformers

    environment = {
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else platform.machine(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
        "command": " ".join(sys.argv),
    }
    if arguments.json:
        document = {"environment": environment, "results": [asdict(result) for result in results]}
        arguments.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(", ".join(f"{name} {value}" for name, value in environment.items()))
    for result in results:
        verdict = {True: "holds", False: "FAILS", None: "-"}[result.holds]
        print(f"{result.check:<45} {verdict:<6} {result.figure}")
    return 8 if any(result.holds is False for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
