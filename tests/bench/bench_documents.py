"""Results of `vlmtl bench` with the speeds that a test wants, in the real schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from corridor_cli.bench.document import BenchDocument, Memory, PointResult, Sample
from corridor_cli.bench.points import BatchSize, Contestant
from corridor_cli.bench.statistics import is_noisy, percentiles, spread


def sample(frames_per_second: float, *, num_requests: int = 8, first_token_ms: float = 20.0) -> Sample:
    """A repeat of that speed; requests take from 1 to 1.7 times the time of a frame."""
    one_ms = 1000 / frames_per_second
    return Sample(
        seconds=num_requests / frames_per_second,
        num_requests=num_requests,
        num_frames=num_requests,
        num_tiles=num_requests,
        prompt_tokens=318,
        output_tokens=32 * num_requests,
        latencies_ms=[one_ms * (1 + number / 10) for number in range(num_requests)],
        waits_ms=[0.0] * num_requests,
        first_token_ms=[first_token_ms] * num_requests,
        time_per_token_ms=[one_ms / 32] * num_requests,
        pass_seconds={"vision": 0.1},
    )


def point(
    speeds: Sequence[float] = (10.0, 10.1, 9.9),
    *,
    batch_size: BatchSize = 8,
    contestant: Contestant = "engine",
    memory: Memory | None = None,
    **more: Any,
) -> PointResult:
    """A measured point with a repeat for each speed."""
    samples = [sample(each) for each in speeds]
    latencies = [value for each in samples for value in each.latencies_ms]
    fields: dict[str, Any] = {
        "contestant": contestant,
        "batch_size": batch_size,
        "frames": 1,
        "tiles": 1,
        "output_tokens": 32,
        "status": "measured",
        "samples": samples,
        "batch_size_used": batch_size if isinstance(batch_size, int) else 16,
        "prompt_tokens": 318,
        "mean_output_tokens": 32.0,
        "frames_per_second": spread(speeds).median,
        "frames_per_second_spread": spread(speeds),
        "is_noisy": is_noisy(spread(speeds)),
        "latency_ms": percentiles(latencies),
        "memory": memory or Memory(),
        **more,
    }
    return PointResult(**fields)


def failed_point(batch_size: BatchSize = 8, status: str = "out_of_memory") -> PointResult:
    return PointResult(
        contestant="engine",
        batch_size=batch_size,
        frames=1,
        tiles=1,
        output_tokens=32,
        status=status,  # type: ignore[arg-type]
        error="no room for 1.2 GiB",
    )


def document(points: Sequence[PointResult], **changed: Any) -> BenchDocument:
    fields: dict[str, Any] = {
        "created_at": "2026-11-26T10:00:00+00:00",
        "command": ["bench", "--preset", "internvl3-1b"],
        "is_complete": True,
        "environment": {
            "cpu": "AMD EPYC",
            "usable_cpus": 2,
            "load_average": 0.3,
            "versions": {"torch": "2.13"},
        },
        "workload": {"model": "dummy:internvl3-1b", "prompt_characters": 40},
        "settings": {"gpu_pipeline": {"internvl3": {"precision": "bf16"}}},
        "peaks": {"device_name": "AMD EPYC", "flops_per_second": 4e11, "measured_at": "2026-11-26"},
        "points": list(points),
        **changed,
    }
    return BenchDocument(**fields)


def write(path: Path, bench: BenchDocument) -> Path:
    path.write_text(json.dumps(bench.as_json()), encoding="utf-8")
    return path
