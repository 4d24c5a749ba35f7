"""The readers against each other on the CPU: full scans and 24 known picks, by codec and size.

    python scripts/bench_readers.py [--rounds N] [--heights 480,1080] [--codecs h264,vp9] [FILE ...]

On clips drawn by code, or on the FILEs named. Rounds are interleaved (A B C, A B C, …); median and spread are
told, and the figures as one line of JSON at the end. One decoding thread each. The table is by processor
time, summed over threads, which other work on the machine changes little and which is what counts where every
processor has a worker; times by the clock stand in the JSON. What a reader leaves to PyAV says why.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.decode_clips import ENCODERS, SIZES, draw_busy
from bench.readers import fetch, known_picks, scan
from bench.telling import machine_facts, spread, table

from corridor_cli.errors import VlmtlError
from corridor_cli.media.torchcodec_reader import load_torchcodec

READERS = ("pyav", "decord", "torchcodec")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=240, help="of each drawn clip")
    parser.add_argument("--heights", default="480,720,1080")
    parser.add_argument("--codecs", default="h264,hevc,vp9,av1")
    parser.add_argument("--folder", type=Path, default=None, help="keep the drawn clips here")
    parser.add_argument("--json", type=Path, default=None)
    arguments = parser.parse_args()
    arguments.heights = [int(height) for height in arguments.heights.split(",")]
    arguments.codecs = arguments.codecs.split(",")
    if unknown := [*(set(arguments.codecs) - set(ENCODERS)), *(set(arguments.heights) - set(SIZES))]:
        parser.error(
            f"unknown: {unknown}; codecs are {', '.join(ENCODERS)}, heights {', '.join(map(str, SIZES))}"
        )
    return arguments


def main() -> int:
    arguments = read_arguments()
    load_torchcodec()  # what importing it takes is told apart, not measured
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        files = arguments.files or [
            draw_busy(folder, codec, SIZES[height], arguments.frames)
            for codec in arguments.codecs
            for height in arguments.heights
        ]
        facts = machine_facts("cpu")
        results = [measure(path, arguments.rounds) for path in files]
    rows = [["clip", *(f"{reader} {what}" for reader in READERS for what in ("f/s", "picks s"))]]
    rows += [[each["clip"], *(told(each[reader]) for reader in READERS)] for each in results]
    rows = [[cell for part in row for cell in (part if isinstance(part, tuple) else (part,))] for row in rows]
    print(table(rows))
    document = {"environment": facts, "rounds": arguments.rounds, "results": results}
    if arguments.json:
        arguments.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(document))
    return 0


def measure(path: Path, rounds: int) -> dict[str, Any]:
    """Scans and picks of one file by every reader, round by round."""
    picks = known_picks(path)
    result: dict[str, Any] = {"clip": path.name, **{reader: {} for reader in READERS}}
    num_frames = scan(path, "pyav", "cpu").num_frames
    jobs: dict[str, Callable[[str], object]] = {
        "scan": lambda reader: scan(path, reader, "cpu"),
        "picks": lambda reader: fetch(path, reader, picks),
    }
    values: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        for (name, job), reader in product(jobs.items(), READERS):
            if f"{name}_failure" in result[reader]:
                continue
            clock, processor = time.perf_counter(), time.process_time()
            try:
                job(reader)
            except VlmtlError as error:
                result[reader][f"{name}_failure"] = error.message
                continue
            took = {"seconds": time.perf_counter() - clock, "cpu_seconds": time.process_time() - processor}
            for unit, seconds in took.items():
                values.setdefault((reader, f"{name}_{unit}"), []).append(seconds)
                if name == "scan":
                    fps = "cpu_fps" if unit == "cpu_seconds" else "fps"
                    values.setdefault((reader, f"scan_{fps}"), []).append(num_frames / seconds)
    for (reader, name), measured in values.items():
        result[reader][name] = spread([round(value, 4) for value in measured])
    print(f"bench_readers: {path.name} {result}", file=sys.stderr, flush=True)
    return result


def told(figures: dict[str, Any]) -> tuple[str, str]:
    cells = []
    for name, digits in (("scan_cpu_fps", 0), ("picks_cpu_seconds", 2)):
        each = figures.get(name)
        cells.append(
            f"{each['median']:.{digits}f} ({each['min']:.{digits}f}-{each['max']:.{digits}f})"
            if each
            else "-"
        )
    return cells[0], cells[1]


if __name__ == "__main__":
    sys.exit(main())
