"""Timelines a second that `vlmtl export` writes to a format, from files made for it.

    python scripts/bench_export.py [--timelines 10000] [--format parquet] [--rounds 5] [--json FILE]

Makes a folder of timelines of about 20 KB each (8 scenes, three picks each, captions of different lengths)
and runs the command on it, as a user would, in a process of its own: starting Python, reading, checking and
writing are all in the time. The first round, not counted, brings files into the page cache; the tables are
removed before each. `--cores 2` binds the command to so many cores. `cpu` is what a round took of processor
time, `others` the share of the processors that other work had meanwhile. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.made_timelines import write_timelines
from bench.telling import machine_facts, spread, table

ROOT = Path(__file__).parents[1]
GOAL = 2000
PACKAGES = ("orjson", "pyarrow", "pydantic", "pysubs2")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--timelines", type=int, default=10_000)
    parser.add_argument("--format", default="parquet", help="one format, or several with commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--json", type=Path, default=None, help="also write the last line to this file")
    return parser.parse_args()


@dataclass(frozen=True, slots=True)
class Round:
    """One export: by the clock, its processor time, and the share of the processors that others had."""

    seconds: float
    cpu_seconds: float
    others_share: float


def export_once(output: Path, formats: str, num_cores: int) -> Round:
    """One export, all of its tables written anew."""
    for path in output.glob("scenes.*"):
        path.unlink()
    shutil.rmtree(output / "hf", ignore_errors=True)
    cores = sorted(os.sched_getaffinity(0))[:num_cores]
    command = [sys.executable, "-m", "corridor_cli", "export", str(output), "--format", formats, "--force"]
    own, busy, started = _cpu_seconds(), _busy_seconds(), time.perf_counter()
    subprocess.run(
        command,
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    seconds, own = time.perf_counter() - started, _cpu_seconds() - own
    others = max(0.0, _busy_seconds() - busy - own)
    return Round(seconds, own, others / (seconds * (psutil.cpu_count() or 1)))


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _busy_seconds() -> float:
    """Processor seconds of everybody since the machine started."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system)


def measure(output: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    num_bytes = write_timelines(output, arguments.timelines)
    export_once(output, arguments.format, arguments.cores)
    rounds = [export_once(output, arguments.format, arguments.cores) for _ in range(max(arguments.rounds, 1))]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {
        "format": arguments.format,
        "timelines": arguments.timelines,
        "bytes_each": round(num_bytes / arguments.timelines),
        "cores": arguments.cores,
        "seconds": spread([each.seconds for each in rounds]),
        "cpu_seconds": spread([each.cpu_seconds for each in rounds]),
        "others_share": spread([each.others_share for each in rounds]),
        "timelines_per_second": spread([arguments.timelines / each.seconds for each in rounds]),
        "peak_memory_mib": round(peak / 1024),
        "rounds": [asdict(each) for each in rounds],
    }


def main() -> None:
    arguments = read_arguments()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder) / "out", arguments)
    rate, seconds = result["timelines_per_second"], result["seconds"]
    cells = {
        "format": result["format"],
        "timelines": f"{result['timelines']:,}",
        "bytes each": f"{result['bytes_each']:,}",
        "seconds": f"{seconds['median']:.2f}",
        "cpu": f"{result['cpu_seconds']['median']:.2f}",
        "timelines/s (least–most)": f"{rate['median']:,.0f} ({rate['min']:,.0f}–{rate['max']:,.0f})",
        "others": f"{result['others_share']['median']:.0%}",
        "peak memory": f"{result['peak_memory_mib']} MiB",
    }
    print(table([list(cells), list(cells.values())]))
    print(f"asked: {GOAL:,} timelines/s to parquet on two cores")
    result |= {
        "machine": machine_facts("cpu") | {"load_average": round(load, 2)},
        "versions": {name: version(name) for name in PACKAGES},
    }
    line = json.dumps(result)
    if arguments.json:
        arguments.json.write_text(line + "\n", encoding="utf-8")
    print(line)


if __name__ == "__main__":
    main()
