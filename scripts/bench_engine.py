"""Seconds a frame of this engine and of what a user would take instead, on one checkpoint, interleaved.

    python scripts/make_dummy_checkpoint.py /tmp/dummy-1b
    python scripts/bench_engine.py --checkpoint /tmp/dummy-1b --contestants loop,static8,ours --pairs 5

Contestants: loop (transformers `generate`, one frame at a time), staticN (batches of N), ours, ours-fp32,
ours-int8, vllm (needs --vllm-python). Each has a process of its own; loading and one warm-up are not
counted. Rounds are interleaved: A B C, A B C, … so that whatever else the machine does hits all alike.
On CUDA a contestant's process ends after each of its rounds, because each would take most of the memory.
Prints a table; the last line is one JSON object with every figure.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.telling import machine_facts, spread, table, tree_memory_bytes
from bench.workload import TILE_LAYOUTS, Workload, prompt_of_length

SCRIPTS = Path(__file__).parent


@dataclass
class Contestant:
    """What is known of one of them so far."""

    name: str
    python: str
    rounds: list[dict[str, Any]] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)
    failure: str = ""
    process: subprocess.Popen[str] | None = None


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoint", type=Path, required=True, help="a folder in the -hf layout")
    parser.add_argument("--contestants", default="loop,static8,ours", help="names, with commas between them")
    parser.add_argument("--pairs", type=int, default=5, help="rounds of each contestant")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=32, help="new tokens of each caption, exactly")
    parser.add_argument("--tiles", type=int, choices=sorted(TILE_LAYOUTS), default=1)
    parser.add_argument("--prompt-letters", type=int, default=40, help="length of the user's text")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--warm-up-frames", type=int, default=None, help="default: 1 on a CPU, all on CUDA")
    parser.add_argument("--fresh", action="store_true", help="a new process for every round, on a CPU too")
    parser.add_argument("--vllm-python", default=os.environ.get("VLLM_PYTHON", ""), help="its interpreter")
    parser.add_argument("--json", type=Path, default=None, help="also write the last line to this file")
    return parser.parse_args()


def start(contestant: Contestant, arguments: argparse.Namespace, workload: Workload) -> None:
    """Start its process, and wait until it has loaded and warmed up."""
    is_cuda = arguments.device.startswith("cuda")
    setup = {
        "contestant": contestant.name,
        "checkpoint": str(arguments.checkpoint.resolve()),
        "device": arguments.device,
        "workload": asdict(workload),
        "warm_up_frames": arguments.warm_up_frames or (arguments.frames if is_cuda else 1),
    }
    path = os.pathsep.join([str(SCRIPTS), str(SCRIPTS.parent)])
    contestant.process = subprocess.Popen(
        [contestant.python, "-m", "bench.worker", json.dumps(setup)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1"},
    )
    told = hear(contestant)
    if told:
        contestant.about = {**told["about"], "load_seconds": round(told["load_seconds"], 1)}


def hear(contestant: Contestant) -> dict[str, Any] | None:
    """The next thing it says; None when it ended instead, which is noted."""
    assert contestant.process is not None
    assert contestant.process.stdout is not None
    line = contestant.process.stdout.readline()
    if line:
        told: dict[str, Any] = json.loads(line)
        return told
    contestant.failure = f"ended with exit code {contestant.process.wait()}; its last words are above"
    contestant.process = None
    return None


def work_a_round(contestant: Contestant) -> None:
    """One timed round, with the memory of its processes after it."""
    assert contestant.process is not None
    assert contestant.process.stdin is not None
    contestant.process.stdin.write("go\n")
    contestant.process.stdin.flush()
    told = hear(contestant)
    if told:
        now_bytes, peak_bytes = tree_memory_bytes(contestant.process.pid)
        contestant.rounds.append({**told, "now_bytes": now_bytes, "peak_bytes": peak_bytes})


def end(contestant: Contestant) -> None:
    if contestant.process is None:
        return
    assert contestant.process.stdin is not None
    contestant.process.stdin.close()
    try:
        contestant.process.wait(60)
    except subprocess.TimeoutExpired:
        contestant.process.kill()
        contestant.process.wait()
    contestant.process = None


def run(arguments: argparse.Namespace, workload: Workload) -> list[Contestant]:
    """All rounds of all contestants; one that fails is left out of the rest."""
    names = arguments.contestants.split(",")
    pythons = {"vllm": arguments.vllm_python}
    contestants = [Contestant(name, pythons.get(name, sys.executable)) for name in names]
    is_fresh = arguments.fresh or arguments.device.startswith("cuda")
    for contestant in contestants:
        if not contestant.python:
            contestant.failure = "not measured: --vllm-python is not given"
    try:
        for number in range(arguments.pairs):
            for contestant in contestants:
                if not contestant.failure and contestant.process is None:
                    start(contestant, arguments, workload)
                if not contestant.failure:
                    work_a_round(contestant)
                if is_fresh:
                    end(contestant)
                tell_round(number, contestant, workload)
    finally:
        for contestant in contestants:
            end(contestant)
    return contestants


def tell_round(number: int, contestant: Contestant, workload: Workload) -> None:
    if contestant.failure:
        said = contestant.failure
    else:
        last = contestant.rounds[-1]
        memory = f"{last['now_bytes'] / 1024**3:.2f} GiB, peak {last['peak_bytes'] / 1024**3:.2f}"
        said = f"{last['seconds'] / workload.num_frames:.3f} s a frame, {memory}"
    print(f"round {number + 1} {contestant.name}: {said}", file=sys.stderr, flush=True)


def result_of(contestant: Contestant, first: Contestant, workload: Workload) -> dict[str, Any]:
    """Its figures; ratios are of the medians and of each pair of neighbouring rounds with the first."""
    if not contestant.rounds:
        return {"contestant": contestant.name, "failure": contestant.failure}
    seconds = [each["seconds"] / workload.num_frames for each in contestant.rounds]
    against = [each["seconds"] / workload.num_frames for each in first.rounds]
    ratios = [other / own for other, own in zip(against, seconds, strict=False)]
    wanted = workload.num_frames * workload.output_tokens
    return {
        "contestant": contestant.name,
        "failure": contestant.failure,
        "seconds_per_frame": spread(seconds),
        "times_the_first": spread(ratios) if ratios else None,
        "all_tokens_made": all(each["new_tokens"] == wanted for each in contestant.rounds),
        "prompt_tokens": contestant.rounds[0]["prompt_tokens"],
        "about": contestant.about,
        "rounds": contestant.rounds,
    }


def show(results: list[dict[str, Any]]) -> str:
    first = results[0]["contestant"]
    rows = [
        [
            "contestant",
            "s/frame",
            "least",
            "most",
            "frames/s",
            f"x {first}",
            "least",
            "most",
            "prompt",
            "peak GiB",
        ]
    ]
    for each in results:
        if "seconds_per_frame" not in each:
            rows.append([each["contestant"], "not measured", *[""] * 8])
            continue
        seconds, ratio = each["seconds_per_frame"], each["times_the_first"]
        rows.append(
            [
                each["contestant"] + ("" if each["all_tokens_made"] else " (fewer tokens!)"),
                f"{seconds['median']:.3f}", f"{seconds['min']:.3f}", f"{seconds['max']:.3f}",
                f"{1 / seconds['median']:.3f}",
                *([f"{ratio[key]:.2f}" for key in ("median", "min", "max")] if ratio else ["-"] * 3),
                str(each["prompt_tokens"]),
                f"{max(x['peak_bytes'] for x in each['rounds']) / 1024**3:.2f}",
            ]
        )  # fmt: skip
    return table(rows)


def main() -> int:
    arguments = read_arguments()
    workload = Workload(
        arguments.frames, arguments.tiles, prompt_of_length(arguments.prompt_letters), arguments.tokens
    )
    facts = machine_facts(arguments.device)
    contestants = run(arguments, workload)
    results = [result_of(contestant, contestants[0], workload) for contestant in contestants]
    print("\n".join(f"{name}: {value}" for name, value in facts.items()))
    print(f"workload: {asdict(workload)}\n")
    print(show(results))
    for each in results:
        if each["failure"]:
            print(f"{each['contestant']}: {each['failure']}")
    document = json.dumps({"machine": facts, "workload": asdict(workload), "results": results})
    if arguments.json:
        arguments.json.write_text(document + "\n", encoding="utf-8")
    print(document)
    return 1 if any(contestant.failure and not contestant.rounds for contestant in contestants) else 0


if __name__ == "__main__":
    sys.exit(main())
