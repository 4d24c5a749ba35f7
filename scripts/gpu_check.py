"""Correctness and speed on an accelerator, in steps of under nine minutes, offline.

    python scripts/gpu_check.py STEP [--device cuda:0] [--json FILE] [--quick]

STEP is correctness, vision, table-1b, table-2b, table-8b, job, media, bench, or all in turn. A step keeps
its results in FILE beside those of other steps. Works on generated frames and random weights; torch and
transformers are those it finds. What cannot be measured on this machine says so. --quick takes the tiny
model and next to no work, which rehearses every step on a CPU in minutes. Exit code 8 when a check says no.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

if TYPE_CHECKING:
    from bench.checks import Result

STEPS = ("correctness", "vision", "table-1b", "table-2b", "table-8b", "job", "media", "bench")
TILES = (1, 3, 9)
CHECKS_FAILED = 8
STEP_SECONDS = 9 * 60 - 15
# Without these the engine cannot be imported; `docs/benchmarks/measuring.md` says how to carry them along.
NEEDED = ("annotated_types", "numpy", "psutil", "safetensors", "tokenizers", "torch", "transformers")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("step", choices=[*STEPS, "all"])
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda:N")
    parser.add_argument("--json", type=Path, default=None, help="keep the results in this file")
    parser.add_argument("--quick", action="store_true", help="rehearse: tiny model, next to no work")
    parser.add_argument("--tiles", type=int, choices=TILES, default=None, help="of a table only this column")
    return parser.parse_args()


def main() -> int:
    missing = [package for package in NEEDED if find_spec(package) is None]
    if missing:
        print(
            f"gpu_check: this Python ({sys.executable}) lacks {', '.join(missing)}: wheels to be carried "
            "along, see docs/benchmarks/measuring.md.",
            file=sys.stderr,
        )
        return 2
    arguments = read_arguments()
    import torch
    from bench.checks import show

    if arguments.device == "auto":
        arguments.device = "cuda:0" if torch.cuda.is_available() else "cpu"
    with tempfile.TemporaryDirectory() as folder:
        arguments.json = arguments.json or Path(folder) / "results.json"
        if arguments.device == "cpu" and not arguments.quick:
            print("gpu_check: on a CPU only the rehearsal makes sense: add --quick.", file=sys.stderr)
            return 2
        results = run(arguments)
    print(show(results))
    return CHECKS_FAILED if any(result.holds is False for result in results) else 0


def run(arguments: argparse.Namespace) -> list[Result]:
    """The results of the step, kept in the file."""
    from bench.checks import Options, keep, read
    from bench.telling import machine_facts

    options = Options(arguments.device, arguments.quick)
    facts = machine_facts(arguments.device)
    print(", ".join(f"{name} {value}" for name, value in facts.items()), flush=True)
    if arguments.step == "all":
        return [result for step in STEPS for result in run_apart(arguments, step, [], STEP_SECONDS)]
    started = time.perf_counter()
    results: list[Result] = []

    def tell(more: list[Result]) -> None:
        """Kept at once: what comes later may break or outlast its time."""
        results.extend(more)
        keep(arguments.json, _name(arguments), facts, results, time.perf_counter() - started)

    if arguments.step.startswith("table") and arguments.tiles is None:
        results += run_table(arguments, started)
        keep(arguments.json, _name(arguments), facts, results, time.perf_counter() - started)
    elif arguments.step.startswith("table"):
        from bench.gpu_table import measure_tiles

        preset = f"internvl3-{arguments.step.removeprefix('table-')}"
        measure_tiles(preset, arguments.tiles, options, tell)
    elif arguments.step == "vision":
        from bench.checks import attempt
        from bench.gpu_vision import CHECK, measure_compiling

        tell(attempt(CHECK, lambda: measure_compiling(options)))
    elif arguments.step == "media":
        from bench.gpu_media import measure_media

        measure_media(options, tell)
    elif arguments.step == "bench":
        from bench.checks import attempt
        from bench.gpu_sweep import CHECK as SWEEP
        from bench.gpu_sweep import run_sweep

        tell(attempt(SWEEP, lambda: run_sweep(options)))
    elif arguments.step == "job":
        from bench.gpu_job import run_job

        run_job(options, tell)
    else:
        from bench.gpu_correctness import check_all

        check_all(options, tell)
    return read(arguments.json, _name(arguments))


def _name(arguments: argparse.Namespace) -> str:
    return arguments.step if arguments.tiles is None else f"{arguments.step}-tiles-{arguments.tiles}"


def run_table(arguments: argparse.Namespace, started: float) -> list[Result]:
    """Each tile count in a process of its own: the memory of one never stands in the way of the next."""
    results = []
    for number, tiles in enumerate(TILES):
        left_seconds = STEP_SECONDS - (time.perf_counter() - started)
        share_seconds = left_seconds / (len(TILES) - number)
        results += run_apart(arguments, arguments.step, ["--tiles", str(tiles)], share_seconds)
    return results


def run_apart(
    arguments: argparse.Namespace, step: str, more: Sequence[str], limit_seconds: float
) -> list[Result]:
    """A step in a process of its own; when it breaks or takes too long, that is a result too."""
    from bench.checks import Result, read

    name = f"{step}-tiles-{more[1]}" if more else step
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "own.json"
        command = [sys.executable, __file__, step, "--device", arguments.device, "--json", str(own), *more]
        command += ["--quick"] * arguments.quick
        code: int | None = None
        try:
            # Its table goes to stderr: ours, at the end, is the one to read.
            code = subprocess.run(command, stdout=sys.stderr, timeout=limit_seconds).returncode
            why = f"ended with exit code {code}"
        except subprocess.TimeoutExpired:
            why = f"did not end within {limit_seconds:.0f} s"
        results = read(own, name)
        if own.is_file() and not more:
            merge(own, arguments.json)
    is_complete = code in (0, CHECKS_FAILED)
    return results if is_complete and results else [*results, Result(name, False, why)]


def merge(own: Path, into: Path) -> None:
    """Add the steps of one document to another."""
    import json

    document = json.loads(into.read_text(encoding="utf-8")) if into.is_file() else {"steps": {}}
    document["steps"] |= json.loads(own.read_text(encoding="utf-8"))["steps"]
    into.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    sys.exit(main())
