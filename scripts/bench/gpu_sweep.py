"""`vlmtl bench` on an accelerator: a sweep ends well there, and what only a card can tell is told."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.checks import Options, Result

CHECK = "vlmtl bench"
# What the command line needs beside the engine.
NEEDED = ("typer", "rich", "pydantic", "yaml", "av", "PIL")
MAX_SAMPLER_SHARE = 0.02
NUM_COMPARED = 16
_SECONDS = 480


def run_sweep(options: Options) -> list[Result]:
    """The sweep's own verdict, and what its document must hold."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        return [Result(CHECK, None, f"not run: this Python lacks {', '.join(missing)}")]
    what = ["--model", "tiny", "--seconds", "0.2", "--duration", "5s"] if options.is_quick else _REAL
    sizes = ["--batch-sizes", "1,4" if options.is_quick else "1,16,64,256,auto"]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "corridor_cli", "bench", *what, *sizes, "--device", options.device]
        subprocess.run([*command, "--out", folder], check=True, timeout=_SECONDS, stdout=sys.stderr)
        document = json.loads((Path(folder) / "bench.json").read_bytes())
    return judge(document, options)


_REAL = [
    "--load-format", "dummy", "--preset", "internvl3-2b", "--frames", "1,4", "--tiles", "1,3",
    "--output-tokens", "96,32", "--duration", "60s",
]  # fmt: skip


def judge(document: dict[str, Any], options: Options) -> list[Result]:
    """What a sweep's document says, line by line."""
    points, verdict = document["points"], document["verdict"]
    bad = [f"{p['contestant']} {p['batch_size']}: {p['error']}" for p in points if p["status"] != "measured"]
    costs = [p["hardware"]["sampler_cpu_share"] for p in points if p["hardware"]["sampler_cpu_share"]]
    best = max((p["share_of_roofline"] or 0.0 for p in points), default=0.0)
    names = ("device_busy_percent", "device_watts_mean", "device_celsius_max", "device_sm_mhz_mean")
    unknown = [name for name in names if all(p["hardware"][name] is None for p in points)]
    on_card = options.device != "cpu"
    recommended = verdict["recommended"]
    told = f"batch size {recommended['batch_size']}, {recommended['frames_per_second']:.4g} frames/s"
    return [
        Result(f"{CHECK}: all points measured", not bad, "; ".join(bad) or f"{len(points)} points"),
        Result(f"{CHECK}: verdict", recommended is not None, told, {"verdict": verdict}),
        Result(f"{CHECK}: share of the roofline", None, f"{best:.1%}", {"peaks": document["peaks"]}),
        Result(
            f"{CHECK}: the sampler's cost",
            max(costs, default=1.0) < MAX_SAMPLER_SHARE,
            f"{max(costs, default=1.0):.2%} of one core (under 2 %)",
        ),
        Result(
            f"{CHECK}: the card's own figures",
            not unknown if on_card else None,
            f"unknown: {', '.join(unknown)}" if unknown else "all known",
            {"points": [{"asked": p["batch_size"], "hardware": p["hardware"]} for p in points]},
        ),
        *_of_engine(document, on_card=on_card),
    ]


def _of_engine(document: dict[str, Any], *, on_card: bool) -> list[Result]:
    """What the engine's own points must tell on a card; on a processor some of it nobody can know."""
    points = [p for p in document["points"] if p["contestant"] == "engine" and p["status"] == "measured"]
    held = ("peak_allocated_bytes", "peak_reserved_bytes", "peak_device_bytes", "peak_host_bytes")
    lacking = [name for name in held if any(p["memory"][name] is None for p in points)]
    shares = ("mfu_vision", "mfu_prefill", "mbu_steps")
    lacking += [name for name in shares if any((p["roofline"] or {}).get(name) is None for p in points)]
    lacking += ["joules_per_frame"] if any(p["joules_per_frame"] is None for p in points) else []
    compared = [p for p in points if p["agreement_with_batch_1"] is not None]
    few = [p["batch_size"] for p in compared if p["num_captions_compared"] < NUM_COMPARED]
    least = min((p["agreement_with_batch_1"] for p in compared), default=0.0)
    long_run = document["long_run"]
    told = "none" if long_run is None else f"{long_run['seconds']:.0f} s, drift {long_run['drift']:.3f}"
    return [
        Result(
            f"{CHECK}: memory, shares of the peaks, energy",
            not lacking if on_card else None,
            f"unknown at some points: {', '.join(lacking)}" if lacking else "all known",
        ),
        Result(
            f"{CHECK}: captions compared with batch size 1",
            bool(compared) and not few,
            f"too few at {few}" if few else f"{least:.0%} or more are the same",
        ),
        Result(f"{CHECK}: a long run", long_run is not None, told, {"long_run": long_run}),
    ]
