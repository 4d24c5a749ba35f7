"""Time the arithmetic of InternVL3-1B on this CPU, piece by piece: what docs/performance.md quotes.

    python scripts/bench_cpu_kernels.py [--repeats 5] [--threads 1] [--only vision|prefill|decode|alloc]

With one thread the clock is that thread's own processor time, which other work disturbs little (its caches,
not its share); with more it is wall time, worth something only on an idle machine. Prints a table, sums by
composition, and one line of JSON last.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from corridor_cli.engine.local.attention import (
    attend_decode,
    attend_full,
    attend_prefill,
    decode_rows,
    prompt_rows,
)
from corridor_cli.engine.local.int8 import OnednnInt8Linear
from corridor_cli.engine.local.linear import Activation, PackedLinear, PlainLinear

DTYPE = torch.bfloat16
LAYERS = 24  # of the vision tower and of the language model alike
TOKENS = 1025
VISION: list[tuple[str, int, int, Activation]] = [
    ("qkv", 1024, 3072, "none"),
    ("out", 1024, 1024, "none"),
    ("fc1", 1024, 4096, "gelu"),
    ("fc2", 4096, 1024, "none"),
]
LANGUAGE: list[tuple[str, int, int, Activation]] = [
    ("qkv", 896, 1152, "none"),
    ("out", 896, 896, "none"),
    ("gate_up", 896, 9728, "silu_mul"),
    ("down", 4864, 896, "none"),
]
LM_HEAD = ("lm_head", 896, 151674)
KINDS = {"plain": PlainLinear, "packed": PackedLinear, "int8": OnednnInt8Linear}


@dataclass(frozen=True, slots=True)
class Row:
    """One piece by one way; `gflops` is the arithmetic of the piece over its median."""

    stage: str
    piece: str
    way: str
    rows: int
    median_ms: float
    min_ms: float
    gflops: float


@dataclass(frozen=True, slots=True)
class Clock:
    """Calls once to warm up, then `repeats` times."""

    repeats: int
    threads: int

    def row(
        self, stage: str, piece: str, way: str, rows: int, flop: float, call: Callable[[], object]
    ) -> Row:
        now = time.thread_time if self.threads == 1 else time.perf_counter
        call()
        seconds = []
        for _ in range(self.repeats):
            start = now()
            call()
            seconds.append(now() - start)
        median = statistics.median(seconds)
        found = Row(stage, piece, way, rows, median * 1e3, min(seconds) * 1e3, flop / median / 1e9)
        times = f"{found.median_ms:9.3f} {found.min_ms:9.3f} {found.gflops:7.0f}"
        print(f"{stage:8} {piece:8} {way:7} {rows:5} {times}", flush=True)
        return found


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape).to(DTYPE)


def linear_rows(
    clock: Clock, stage: str, layers: list[tuple[str, int, int, Activation]], counts: list[int]
) -> Iterator[Row]:
    for name, width, out, activation in layers:
        weight = random(out, width)
        for way, kind in KINDS.items():
            layer = kind(weight, None, activation)
            for count in counts:
                x = random(count, width)
                yield clock.row(stage, name, way, count, 2 * count * width * out, lambda: layer(x))  # noqa: B023


def vision(clock: Clock) -> Iterator[Row]:
    yield from linear_rows(clock, "vision", VISION, [TOKENS, 4 * TOKENS])
    for tiles in (1, 4):
        fused = random(tiles, TOKENS, 3, 16, 64)
        flop = 4 * tiles * TOKENS**2 * 1024
        parts = fused.unbind(2)
        yield clock.row("vision", "attend", "sdpa", tiles * TOKENS, flop, lambda: attend_full(*parts))  # noqa: B023


def prefill(clock: Clock) -> Iterator[Row]:
    yield from linear_rows(clock, "prefill", LANGUAGE, [300, 2400])
    for prompts in (1, 8):
        q, k, v = random(300 * prompts, 14, 64), random(300 * prompts, 2, 64), random(300 * prompts, 2, 64)
        rows = prompt_rows(range(0, 300 * prompts + 1, 300), q.device)
        flop = 2 * prompts * 300**2 * 896
        yield clock.row(
            "prefill", "attend", "sdpa", 300 * prompts, flop, lambda: attend_prefill(q, k, v, rows)  # noqa: B023
        )  # fmt: skip


def decode(clock: Clock) -> Iterator[Row]:
    counts = [1, 8, 16]
    yield from linear_rows(clock, "decode", LANGUAGE, counts)
    name, width, out = LM_HEAD
    yield from linear_rows(clock, "decode", [(name, width, out, "none")], counts)
    heads_first = [random(16, 2, 1024, 64).transpose(1, 2) for _ in range(2)]
    flash = [random(16, 1024, 2, 64) for _ in range(2)]
    for count in counts:
        q = random(count, 14, 64)
        lengths = torch.linspace(300, 400, count).long()
        rows = decode_rows(lengths, int(lengths.max()), int(lengths.max()), DTYPE)
        flop = 4 * int(lengths.sum()) * 896
        for way, (k, v) in (("flash", flash), ("heads", heads_first)):
            yield clock.row("decode", "attend", way, count, flop, lambda: attend_decode(q, k, v, rows))  # noqa: B023


def alloc(clock: Clock) -> Iterator[Row]:
    """Blocks as large as fc1's result for 1 and 4 tiles: new from the kernel each time, or kept."""
    for tiles in (1, 4):
        size = tiles * TOKENS * 4096
        kept = random(size)
        yield clock.row("alloc", "write", "new", tiles * TOKENS, 0, lambda: torch.ones(size, dtype=DTYPE))  # noqa: B023
        yield clock.row("alloc", "write", "kept", tiles * TOKENS, 0, lambda: kept.fill_(1))  # noqa: B023


STAGES = {"vision": vision, "prefill": prefill, "decode": decode, "alloc": alloc}


def composed(rows: list[Row]) -> dict[str, float]:
    """Seconds of all layers, pieces added up: a tile, a prompt of 300, a step. No norms or residuals."""
    times = {(row.stage, row.piece, row.way, row.rows): row.median_ms / 1e3 for row in rows}

    def total(stage: str, way: str, count: int, attend: str) -> float:
        key = (stage, way, count)
        layer = sum(s for (st, p, w, n), s in times.items() if (st, w, n) == key and p != "lm_head")
        head = times.get((stage, "lm_head", way, count), 0.0)
        return LAYERS * (layer + times[(stage, "attend", attend, count)]) + head

    sums = {}
    stages = {row.stage for row in rows}
    for way in KINDS:
        if "vision" in stages:
            sums[f"vision tile, {way}, 1 at once"] = total("vision", way, TOKENS, "sdpa")
            sums[f"vision tile, {way}, 4 at once"] = total("vision", way, 4 * TOKENS, "sdpa") / 4
        if "prefill" in stages:
            sums[f"prefill of 300, {way}, 1 at once"] = total("prefill", way, 300, "sdpa")
            sums[f"prefill of 300, {way}, 8 at once"] = total("prefill", way, 2400, "sdpa") / 8
        if "decode" in stages:
            sums |= {f"step of {n}, {way}": total("decode", way, n, "flash") for n in (1, 8, 16)}
    return sums


def processor() -> str:
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return names[0].split(":", 1)[1].strip() if names else "unknown"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", choices=STAGES)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clock = Clock(options.repeats, options.threads)
    print("stage    piece    way      rows median_ms    min_ms GFLOP/s")
    with torch.inference_mode():
        rows = [row for name in ([options.only] if options.only else STAGES) for row in STAGES[name](clock)]
    sums = composed(rows)
    for name, seconds in sums.items():
        print(f"{name:34} {seconds:7.3f} s")
    machine = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "torch": torch.__version__,
        "amx": torch.cpu._is_amx_tile_supported(),
        "python": platform.python_version(),
        "clock": "thread" if options.threads == 1 else "wall",
        "threads": options.threads,
    }
    print(json.dumps({"machine": machine, "rows": [asdict(row) for row in rows], "seconds": sums}))


if __name__ == "__main__":
    main()
