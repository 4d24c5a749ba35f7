"""Documents of `vlmtl bench` made by code: nothing in them was measured.

`full_document()` is a sweep on a card with all that can be in one, `minimal_document()` one on a processor
with as little as there can be, `hostile_document()` the former with text that wants to do harm.
"""

from __future__ import annotations

import math
import random
from dataclasses import asdict
from typing import Any

from corridor_cli.bench.document import (
    BenchDocument,
    Choice,
    HardwareUse,
    LongRun,
    Memory,
    PipeResult,
    PointResult,
    RooflineShare,
    Sample,
    Window,
)
from corridor_cli.bench.peaks import DevicePeaks
from corridor_cli.bench.points import BatchSize, Contestant, Point
from corridor_cli.bench.roofline import Bound, Ceilings, Workload, bound
from corridor_cli.bench.statistics import percentiles, spread
from corridor_cli.bench.verdict import judge
from corridor_cli.engine.presets import PRESETS

GIB = 1024**3
DEVICE_BYTES = 80 * GIB
PEAKS = DevicePeaks(
    device="cuda:0", precision="bfloat16", device_name="NVIDIA H100 80GB HBM3", flops_per_second=702e12,
    read_bytes_per_second=3.02e12, copy_bytes_per_second=2.71e12,
    flops_how="product 8192x8192x8192, best of 10 products",
    read_how="sum over 4096 MiB of float32, best of 2 ways",
    measured_at="2026-11-26T19:00:00+00:00", measuring_seconds=4.1, other_work_share=0.01,
)  # fmt: skip
_SHAPE = PRESETS["internvl3-2b"]
_TEXT_TOKENS = 96
_REPEATS = 3


def full_document() -> BenchDocument:
    """A card: a loop, eight batch sizes and `auto`, other axes, a noisy row, one that ran out of memory with
    figures and one without, one that died, peaks, a pipe, a long run and a limit of latency."""
    rows = [point("loop", 1), *(point("engine", size) for size in (1, 2, 4, 8, 16, 32, 64))]
    rows[4] = point("engine", 8, wobble=0.14)
    rows.append(lacking_memory(point("engine", 128), used=96))
    rows.append(failed_point(256, "out_of_memory", "OutOfMemoryError: 61.3 GiB asked for, 12.1 GiB free"))
    rows.append(
        failed_point(512, "died", "the engine ended with signal 9 (killed) while it ran 512 requests")
    )
    rows.append(point("engine", "auto", used=48))
    rows += [point("engine", 8, frames=frames) for frames in (2, 4, 8)]
    rows += [point("engine", 8, tiles=tiles) for tiles in (3, 9)]
    rows += [point("engine", 8, tokens=tokens) for tokens in (16, 256)]
    rows = [related(row, rows[0]) for row in rows]
    verdict = judge(rows, Point("engine", 8, 1, 1, 64), 250)
    assert verdict.recommended is not None
    return BenchDocument(
        schema="vlmtl.bench/1",
        created_at="2026-11-26T19:31:04+00:00",
        command=["vlmtl", "bench", "videos of today", "--batch-sizes", "1,2,4,8,16,32,64,128,256,512,auto"],
        is_complete=True,
        environment=environment("cuda:0"),
        workload={"frames": "64 picked from 3 videos", "prompt": "Describe the scene in one sentence."},
        settings={"effort": {"repeats": _REPEATS, "warm_up": 1, "seconds": 2.0}, "seed": 0},
        peaks=asdict(PEAKS),
        points=rows,
        pipe=pipe(),
        long_run=long_run(verdict.recommended),
        verdict=verdict,
    )


def minimal_document() -> BenchDocument:
    """A processor: two batch sizes of one repeat each, no loop, peaks, power, passes or first tokens."""
    rows = []
    for size, rate in ((1, 0.212), (4, 0.431)):
        found = sample(rate, size, 1, 1, 32, True, random.Random(size))
        found = found.model_copy(update={"pass_seconds": {}, "first_token_ms": [], "time_per_token_ms": []})
        row = from_samples("engine", size, 1, 1, 32, [found])
        memory = Memory(peak_host_bytes=int((4.1 + 0.2 * size) * GIB))
        rows.append(row.model_copy(update={"memory": memory}))
    return BenchDocument(
        schema="vlmtl.bench/1",
        created_at="2026-11-26T18:02:11+00:00",
        command=["vlmtl", "bench", "--batch-sizes", "1,4"],
        is_complete=False,
        environment=environment("cpu"),
        workload={},
        settings={},
        peaks=None,
        points=rows,
        verdict=None,
    )


HOSTILE = '<script>alert("x")</script>&<img src=http://evil.example/a.png onerror=alert(1)>'


def hostile_document() -> BenchDocument:
    """The full one with markup, formulas, control characters, surrogates and endless names from outside."""
    document = full_document()
    rows = list(document.points)
    rows[9] = failed_point(256, "failed", f"=cmd|' /C calc'!A0 {HOSTILE}")
    rows[10] = failed_point(512, "died", f"\x1b[2J| **bold** ]]> </svg></style>\n# head {HOSTILE}")
    changed: dict[str, Any] = {
        "points": rows,
        "command": ["vlmtl", "bench", f"/videos/{HOSTILE}", "``` `$(rm -rf x)`", "bad\udcffname\u202e"],
        "environment": environment("cuda:0")
        | {"model": f"org/{'endless-' * 60}{HOSTILE}", "device_name": f"card {HOSTILE}", HOSTILE: HOSTILE},
        "workload": {"prompt": f"line\nline {HOSTILE}", "lists": [HOSTILE, 1, None]},
    }
    if document.verdict is not None:
        changed["verdict"] = document.verdict.model_copy(update={"notes": [HOSTILE, "=1+1"]})
    return document.model_copy(update=changed)


def environment(device: str) -> dict[str, Any]:
    """Facts of a machine, a card's or a processor's."""
    is_card = device != "cpu"
    return {
        "vlmtl": "0.4.0",
        "cpu": "AMD EPYC 9554 avx2 avx512_bf16",
        "usable_cpus": 16,
        "memory_bytes": 128 * GIB,
        "load_average": 0.3,
        "system": "Linux 6.8",
        "python": "3.11.7",
        "engine": "local",
        "model": "dummy:internvl3-2b" if is_card else "OpenGVLab/InternVL3-1B-hf",
        "revision": None,
        "device": device,
        "dtype": "bfloat16" if is_card else "float32",
        "quantization": None,
        "torch": "2.13.0",
        "device_name": PEAKS.device_name if is_card else "cpu",
    } | ({"device_memory_bytes": DEVICE_BYTES} if is_card else {})


def point(
    contestant: Contestant, size: BatchSize, *, frames: int = 1, tiles: int = 1, tokens: int = 64,
    used: int | None = None, wobble: float = 0.012,
) -> PointResult:  # fmt: skip
    """A point at a share of the ceiling that grows with the batch."""
    number = used or (size if isinstance(size, int) else 1)
    best = ceiling(number, frames, tiles, tokens)
    reached = 0.18 if contestant == "loop" else 0.78 / (1 + number / 180) - 0.35 / number**0.5
    seed = random.Random(f"{contestant} {number} {frames} {tiles} {tokens}")
    samples = []
    for repeat in range(_REPEATS):
        rate = best.frames_per_second * reached * (1 + wobble * (repeat - 1) + seed.uniform(-0.002, 0.002))
        samples.append(sample(rate, number, frames, tiles, tokens, contestant == "engine", seed))
    row = from_samples(contestant, size, frames, tiles, tokens, samples)
    held = (9.2 + 0.31 * number * frames * (1 + 0.1 * tiles) * (1 + tokens / 640)) * GIB
    hot = min(1.0, 0.3 + number / 64)
    return row.model_copy(
        update={
            "batch_size_used": number,
            "memory": Memory(
                peak_allocated_bytes=int(held),
                peak_reserved_bytes=int(1.08 * held),
                peak_device_bytes=int(1.08 * held + 0.6 * GIB),
                peak_host_bytes=int(2.4 * GIB),
            ),
            "hardware": HardwareUse(
                device_busy_percent=60 + 39 * hot, device_watts_mean=210 + 430 * hot,
                device_watts_max=260 + 435 * hot, device_celsius_max=48 + 21 * hot,
                device_sm_mhz_mean=1980 - 60 * hot,
                throttle_reasons=["power cap"] if number >= 64 else [], tree_cpu_percent=118.0,
                machine_cpu_percent=9.0, joules=9000.0, joules_source="card", sampler_cpu_share=0.006,
            ),
            "joules_per_frame": (210 + 430 * hot) / (row.frames_per_second or 1.0),
            "reasons": ["batch_size: as asked"],
        }
    )  # fmt: skip


def ceiling(size: int, frames: int, tiles: int, tokens: int) -> Bound:
    """The roofline of the 2B's shape with `PEAKS`."""
    workload = Workload(tiles, _TEXT_TOKENS, tokens, batch_size=size, frames=frames)
    found = bound(_SHAPE, Ceilings(PEAKS.flops_per_second, PEAKS.read_bytes_per_second), workload)
    assert found is not None
    return found


def sample(
    rate: float, size: int, frames: int, tiles: int, tokens: int, is_busy: bool, seed: random.Random
) -> Sample:
    """A repeat of `rate` frames/s; `is_busy` is whether passes fill most of the time."""
    count = max(size * 2, 40)
    request_ms = 1000 * frames * size / rate
    latencies = [
        request_ms * seed.uniform(0.93, 1.0) * (1.35 if seed.random() < 0.03 else 1) for _ in range(count)
    ]
    best = ceiling(size, frames, tiles, tokens)
    passes = {
        "tile": 0.00002 * frames * tiles,
        "vision": (best.vision_seconds + best.projector_seconds) / 1.2,
        "prefill": best.prefill_seconds / 1.05,
        "steps": best.decode_seconds,
    }
    busy = 0.97 - 0.2 / size**0.5 if is_busy else 0.3
    scale = busy * frames / rate / sum(passes.values())
    return Sample(
        seconds=count * frames / rate,
        num_requests=count,
        num_frames=count * frames,
        num_tiles=count * frames * tiles,
        prompt_tokens=count * (_TEXT_TOKENS + 256 * frames * tiles),
        output_tokens=count * tokens,
        latencies_ms=latencies,
        waits_ms=[seed.uniform(0.1, 0.4) for _ in range(count)],
        first_token_ms=[value * seed.uniform(0.28, 0.36) for value in latencies],
        time_per_token_ms=[value * 0.66 / tokens for value in latencies],
        pass_seconds={name: seconds * scale * count for name, seconds in passes.items()},
    )


def from_samples(
    contestant: Contestant, size: BatchSize, frames: int, tiles: int, tokens: int, samples: list[Sample]
) -> PointResult:
    """What the repeats come to, as `measure.py` reckons it."""
    rates = spread([each.num_frames / each.seconds for each in samples])
    requests = sum(each.num_requests for each in samples)
    pooled = {
        name: [value for each in samples for value in getattr(each, field)]
        for name, field in (
            ("latency_ms", "latencies_ms"),
            ("wait_ms", "waits_ms"),
            ("ttft_ms", "first_token_ms"),
            ("tpot_ms", "time_per_token_ms"),
        )
    }
    names = sorted({name for each in samples for name in each.pass_seconds})
    busy = sum(sum(each.pass_seconds.values()) for each in samples)
    return PointResult(
        contestant=contestant,
        batch_size=size,
        frames=frames,
        tiles=tiles,
        output_tokens=tokens,
        status="measured",
        batch_size_used=size if isinstance(size, int) else None,
        start_seconds=11.4,
        warm_up_seconds=1.9,
        samples=samples,
        is_noisy=rates.relative > 0.1,
        prompt_tokens=_TEXT_TOKENS + 256 * frames * tiles,
        mean_output_tokens=float(tokens),
        frames_per_second=rates.median,
        frames_per_second_spread=rates,
        requests_per_second=rates.median / frames,
        output_tokens_per_second=rates.median / frames * tokens,
        pass_seconds_per_request={
            name: sum(each.pass_seconds[name] for each in samples) / requests for name in names
        },
        busy_share=busy / sum(each.seconds for each in samples) if busy else None,
        caption_marks=[1, 2, 3, 4],
    ).model_copy(update={name: percentiles(values) for name, values in pooled.items() if values})


def lacking_memory(row: PointResult, used: int) -> PointResult:
    """The point after memory ran out: it went on with fewer requests together."""
    problem = f"memory ran out at {row.batch_size} requests together; {used} were run"
    update = {"status": "out_of_memory", "error": problem, "batch_size_used": used, "num_oom_retries": 2}
    return row.model_copy(update=update)


def failed_point(size: int, status: str, error: str) -> PointResult:
    """A point of which nothing came."""
    return PointResult.model_validate(
        {
            "contestant": "engine", "batch_size": size, "frames": 1, "tiles": 1, "output_tokens": 64,
            "status": status, "error": error,
        }
    )  # fmt: skip


def related(row: PointResult, loop: PointResult) -> PointResult:
    """The point with what follows from the loop and the ceiling."""
    if row.frames_per_second is None or row.contestant == "loop":
        return row
    best = ceiling(row.batch_size_used or 1, row.frames, row.tiles, row.output_tokens)
    taken = row.pass_seconds_per_request
    share = row.frames_per_second / best.frames_per_second
    is_centre = (row.frames, row.tiles, row.output_tokens) == (loop.frames, loop.tiles, loop.output_tokens)
    vision = best.vision_seconds + best.projector_seconds
    return row.model_copy(
        update={
            "speedup_over_loop": row.frames_per_second / (loop.frames_per_second or 1.0)
            if is_centre
            else None,
            "agreement_with_batch_1": 1.0 if row.batch_size == 1 else 0.9375,
            "num_captions_compared": 16,
            "share_of_roofline": share,
            "roofline": RooflineShare(
                frames_per_second=best.frames_per_second,
                share=share,
                vision_seconds=vision,
                prefill_seconds=best.prefill_seconds,
                decode_seconds=best.decode_seconds,
                is_step_bound_by_memory=best.is_step_bound_by_memory,
                mfu_vision=vision / taken["vision"],
                mfu_prefill=best.prefill_seconds / taken["prefill"],
                mbu_steps=best.decode_seconds / taken["steps"],
            ),
        }
    )


def pipe() -> PipeResult:
    """A run over three videos."""
    return PipeResult(
        batch_size=32, num_videos=3, num_scenes=412, num_captions=1180, video_seconds=5400.0,
        wall_seconds=9.8,
        scenes_per_second=42.0, captions_per_second=120.4, times_real_time=551.0,
        seconds_by_stage={
            "decode": 31.0, "tile": 0.4, "vision": 1.9, "prefill": 1.0, "steps": 2.2, "write": 0.17,
        },
        busy_share=0.56, starved_share=0.44, exit_code=0,
    )  # fmt: skip


def long_run(choice: Choice) -> LongRun:
    """Half an hour that grows warm and loses 3 % of its pace."""
    windows, rate = [], choice.frames_per_second or 0.0
    for number in range(60):
        warm = 1 - math.exp(-number / 9)
        slow = 1 - 0.03 * warm + 0.004 * math.sin(number)
        hardware = HardwareUse(
            device_watts_mean=600 + 85 * warm, device_celsius_max=46 + 24 * warm,
            device_sm_mhz_mean=1980 - 75 * warm, throttle_reasons=["power cap"] if number > 24 else [],
        )  # fmt: skip
        window = Window(
            start_seconds=30.0 * number, seconds=30.0, frames_per_second=rate * slow, hardware=hardware
        )
        windows.append(window)
    return LongRun(
        batch_size=choice.batch_size, seconds=1800.0, frames_per_second=rate * 0.975, windows=windows,
        drift=0.972, throttle_reasons=["power cap"],
    )  # fmt: skip
