"""Frames/s of scanning against decoding alone and against PySceneDetect, and what memory a worker takes.

    python scripts/bench_media.py [--videos FILE …] [--rounds 5] [--json FILE]
    python scripts/bench_media.py --memory FILE … [--json FILE]

Every contestant works on the same file, one after the other, in each round (A B C, A B C, …), bound to one
core or to two as its name says:

    decode             PyAV, one thread, frames thrown away
    scan               the media worker's code: planes, scores, transitions, picks as RGB and JPEG
    scan, 2 cores      the same, decoding ahead, by two threads of FFmpeg
    keyframes          the same with scenes.scan: keyframes
    psd pyav, opencv   PySceneDetect's AdaptiveDetector over each of its readers

Clips of four sizes are drawn by code unless files are named. Ratios are of neighbouring rounds. `cpu` is what
a frame cost in processor time: on a machine with other work it is steadier than the wall clock. With --memory
real worker processes scan the files, and their peak resident memory is told. The last line is one JSON
object.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import av
from bench.media_clips import SIZES, draw_clip, splice_clip
from bench.media_contestants import CONTESTANTS, SETUP, Contestants, Outcome
from bench.telling import machine_facts, spread, table, tree_memory_bytes

from corridor_cli.hosts.media_pool import MediaPool
from corridor_cli.hosts.slots import create_arena
from corridor_cli.records import ScanEnd, ScanJob, SceneFrames

NUM_SLOTS = 12
# (numerator, denominator, goal): how many times the frames/s of one those of the other are.
GOALS = (
    ("scan", "decode", 0.80),
    ("scan, 2 cores", "decode", 0.95),
    ("scan", "psd pyav", 1.4),
    ("scan, 2 cores", "psd pyav, 2 cores", 1.4),
    ("keyframes", "scan", 8.0),
)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=Path, nargs="+", default=[], help="files to take instead of drawing")
    parser.add_argument("--splice", type=Path, help="also take one spliced of the real clips in this folder")
    parser.add_argument("--sizes", default=",".join(SIZES), help="sizes to draw, with commas between them")
    parser.add_argument("--seconds", type=float, default=None, help="length of each drawn clip")
    parser.add_argument("--contestants", default=";".join(CONTESTANTS), help="names, with ; between them")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", type=Path, nargs="+", default=[], help="measure memory on these files")
    parser.add_argument("--json", type=Path, default=None, help="also write the last line to this file")
    return parser.parse_args()


def measure(path: Path, names: list[str], num_rounds: int) -> dict[str, list[Outcome]]:
    """All rounds over one file; one before them, not counted, brings everybody up to speed."""
    outcomes: dict[str, list[Outcome]] = {name: [] for name in names}
    with Contestants(names) as contestants:
        for name in names:
            contestants.timed(name, path)
        for number in range(num_rounds):
            _one_round(path, number, contestants, outcomes)
    return outcomes


def _one_round(path: Path, number: int, contestants: Contestants, outcomes: dict[str, list[Outcome]]) -> None:
    for name, rounds in outcomes.items():
        rounds.append(contestants.timed(name, path))
    told = "  ".join(f"{name} {each[-1].frames / each[-1].seconds:.0f}" for name, each in outcomes.items())
    load = os.getloadavg()[0]
    print(f"{path.name} round {number + 1}, load {load:.1f}, frames/s: {told}", file=sys.stderr, flush=True)


def megabits_per_second(path: Path) -> float:
    """Of the whole file, as its length says: how hard decoding is hangs on it."""
    with av.open(str(path)) as container:
        return round(container.bit_rate / 1e6, 2)


def judge(path: Path, outcomes: dict[str, list[Outcome]]) -> dict[str, Any]:
    """The figures of one file."""
    result: dict[str, Any] = {
        "file": path.name,
        "bytes": path.stat().st_size,
        "megabits_per_second": megabits_per_second(path),
        "contestants": {},
        "ratios": {},
    }
    for name, rounds in outcomes.items():
        result["contestants"][name] = {
            "frames": rounds[0].frames,
            "frames_per_second": spread([each.frames / each.seconds for each in rounds]),
            "cpu_ms_per_frame": spread([1000 * each.cpu_seconds / each.frames for each in rounds]),
            "boundaries": len(rounds[0].starts),
            "decoded": rounds[0].decoded or rounds[0].frames,
            "told": rounds[0].reader,
            "rounds": [asdict(each) | {"starts": ()} for each in rounds],
        }
    for one, other, goal in GOALS:
        if one in outcomes and other in outcomes:
            pairs = list(zip(outcomes[one], outcomes[other], strict=True))
            result["ratios"][f"{one} over {other}"] = {
                "goal": goal,
                "wall": spread([b.seconds / b.frames / (a.seconds / a.frames) for a, b in pairs]),
                "cpu": spread([b.cpu_seconds / b.frames / (a.cpu_seconds / a.frames) for a, b in pairs]),
            }
    if "keyframes" in outcomes and "scan" in outcomes:
        found, wanted = set(outcomes["keyframes"][0].starts), set(outcomes["scan"][0].starts)
        result["keyframes"] = {
            "boundaries_of_full_scan": len(wanted),
            "found": len(wanted & found),
            "found_within_one_frame": sum(any(abs(a - b) <= 1 for b in found) for a in wanted),
            "extra": len(found - wanted),
        }
    return result


def show(results: list[dict[str, Any]]) -> str:
    rows = [["file", "contestant", "frames/s", "least", "most", "cpu ms/frame", "boundaries"]]
    for each in results:
        for name, told in each["contestants"].items():
            speed = [f"{told['frames_per_second'][key]:.0f}" for key in ("median", "min", "max")]
            cpu = f"{told['cpu_ms_per_frame']['median']:.2f}"
            rows.append([each["file"], name, *speed, cpu, str(told["boundaries"])])
    ratios = [["file", "ratio", "goal", "wall", "least", "most", "cpu", "least", "most"]]
    for each in results:
        for name, told in each["ratios"].items():
            values = [
                f"{told[kind][key]:.2f}" for kind in ("wall", "cpu") for key in ("median", "min", "max")
            ]
            ratios.append([each["file"], name, str(told["goal"]), *values])
    found = [f"{each['file']} keyframes: {each['keyframes']}" for each in results if "keyframes" in each]
    return "\n\n".join([table(rows), table(ratios), *found])


def peak_memory(path: Path, **changes: Any) -> dict[str, Any]:
    """A real worker process scans the file, as in a run; its peak resident memory, shared slots included."""
    setup = replace(SETUP, **changes)
    arena_fd = create_arena(NUM_SLOTS, setup.slot_bytes)
    pool = MediaPool(setup, arena_fd, 1, NUM_SLOTS)
    started, end, peak = time.perf_counter(), None, 0
    try:
        pool.start(ScanJob(0, str(path)))
        while end is None:
            time.sleep(0.02)
            _, peak = tree_memory_bytes(pool.pids[0])
            for event in pool.receive():
                for picked in event.picks if isinstance(event, SceneFrames) else ():
                    if picked.frame:
                        pool.free(picked.frame.slot)
                end = event if isinstance(event, ScanEnd) else end
    finally:
        pool.close()
        os.close(arena_fd)
    seconds = time.perf_counter() - started
    return {
        "file": path.name,
        "how": {name: str(value) for name, value in changes.items()},
        "frames": end.num_frames,
        "duration_seconds": float(end.duration),
        "peak_bytes": peak,
        "seconds": round(seconds, 1),
        "error": end.error.message if end.error else None,
    }


def memory_line(told: dict[str, Any]) -> str:
    peak = told["peak_bytes"] / 2**20
    length = f"{told['frames']} frames, {told['duration_seconds']:.0f} s"
    return f"{told['file']} {told['how']}: {length}, peak {peak:.0f} MiB, took {told['seconds']} s"


def clips(arguments: argparse.Namespace, folder: Path) -> Iterator[Path]:
    """The files to work on, drawn when their turn comes."""
    yield from arguments.videos
    if arguments.splice:
        yield splice_clip(folder, arguments.splice)
    if not arguments.videos:
        for size in filter(None, arguments.sizes.split(",")):
            yield draw_clip(folder, size, arguments.seconds)


def main() -> int:
    arguments = read_arguments()
    facts = machine_facts("cpu") | {
        name: version(name) for name in ("av", "scenedetect-headless", "opencv-python-headless", "numpy")
    }
    document: dict[str, Any] = {"machine": facts, "results": [], "memory": []}
    if arguments.memory:
        for path in arguments.memory:
            for changes in ({}, {"reads_ahead": True, "num_threads": 2}):
                told = peak_memory(path, **changes)
                document["memory"].append(told)
                print(memory_line(told), flush=True)
    else:
        with tempfile.TemporaryDirectory() as folder:
            names = arguments.contestants.split(";")
            for clip in clips(arguments, Path(folder)):
                document["results"].append(judge(clip, measure(clip, names, arguments.rounds)))
        print("\n".join(f"{name}: {value}" for name, value in facts.items()) + "\n")
        print(show(document["results"]))
    text = json.dumps(document)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
