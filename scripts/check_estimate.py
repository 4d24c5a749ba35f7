"""How near does `vlmtl estimate` come to the run it is about?

    python scripts/check_estimate.py FOLDER                          three rounds with the tiny model
    python scripts/check_estimate.py FOLDER --rounds 5 --json FILE -- --engine echo

A round is an estimate and then the run itself, into a new folder; options after -- go to both. Times are of
whole processes, from the outside. Prints a line a round; exit code 8 when the median of estimated over real
time is further from 1 than --within says.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from corridor_cli.runners.other_work import OtherWork  # noqa: E402

CHECK_FAILED = 8
FINISHED = (0, 3)


@dataclass(frozen=True)
class Round:
    """One estimate beside its run. Ranges are (low, expected, high); other work is the share of the
    processors that other processes had."""

    load_before: float
    other_work_in_sample: float
    other_work_in_run: float
    estimate_seconds: float
    share_of_material: float
    estimated: dict[str, tuple[float, float, float]]
    real: dict[str, float]

    @property
    def ratio(self) -> float:
        """Estimated over real time of the run."""
        return self.estimated["seconds"][1] / self.real["seconds"]


def vlmtl(*arguments: str | Path) -> tuple[float, str]:
    """Wall seconds and stdout of a command; ends the script where the command did not do its work."""
    began = time.monotonic()
    command = [sys.executable, "-m", "corridor_cli", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=False)
    if done.returncode not in FINISHED:
        sys.exit(f"check_estimate: vlmtl {arguments[0]} ended with exit code {done.returncode}")
    return time.monotonic() - began, done.stdout


def measure(folder: Path, options: list[str]) -> Round:
    """An estimate, and the run right after it."""
    load_before = os.getloadavg()[0]
    estimate_seconds, text = vlmtl("estimate", folder, "--json", "-q", *options)
    told = json.loads(text)
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / "out"
        others = OtherWork()
        run_seconds, text = vlmtl("run", folder, output, "--json", "-q", *options)
        other_work = others.share()
        outcome = json.loads(text)
        timelines = sum(path.stat().st_size for path in output.rglob("*.timeline.json"))
        pictures = sum(path.stat().st_size for path in output.rglob("*.frames/*.jpg"))
    real = {
        "seconds": run_seconds,
        "scenes": float(outcome["num_scenes"]),
        "captions": float(outcome["num_captions"]),
        "timeline_bytes": float(timelines),
        "picture_bytes": float(pictures),
    }
    ranges = {name: told.get(name) or (told["disk"] or {}).get(name) for name in real}
    estimated = {
        name: (each["low"], each["expected"], each["high"])
        for name, each in ranges.items()
        if each is not None
    }
    if "seconds" not in estimated:
        sys.exit("check_estimate: the estimate could not tell how long the run would take")
    sample = told["sample"]
    return Round(
        load_before,
        sample["other_work"],
        other_work,
        estimate_seconds,
        sample["share_of_material"],
        estimated,
        real,
    )


def line_of(number: int, each: Round) -> str:
    """One round for people."""
    parts = []
    for name, real in each.real.items():
        if name in each.estimated:
            low, expected, high = each.estimated[name]
            inside = "in" if low <= real <= high else "NOT in"
            parts.append(f"{name} {expected:,.0f} for {real:,.0f}, {inside} {low:,.0f} to {high:,.0f}")
    first = f"round {number}: estimated over real time {each.ratio:.2f}; load {each.load_before:.1f}"
    busy = (
        f"other work {each.other_work_in_sample:.0%} in the sample, {each.other_work_in_run:.0%} in the run"
    )
    cost = f"estimating took {each.estimate_seconds:.0f} s and saw {each.share_of_material:.0%}"
    return "\n    ".join([f"{first}; {busy}", cost, *parts])


def split_options(words: list[str]) -> tuple[list[str], list[str]]:
    """What is the script's own, and what goes to `vlmtl`."""
    if "--" not in words:
        return words, ["--model", "tiny"]
    place = words.index("--")
    return words[:place], words[place + 1 :]


def main() -> int:
    own, options = split_options(sys.argv[1:])
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="the videos")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--within", type=float, default=0.2, help="how far from 1 the median ratio may be")
    parser.add_argument("--json", type=Path, help="write all numbers there")
    arguments = parser.parse_args(own)
    if arguments.rounds < 1:
        parser.error(f"--rounds is {arguments.rounds}, allowed: 1 or more")
    rounds = []
    for number in range(1, arguments.rounds + 1):
        rounds.append(measure(arguments.folder.resolve(), options))
        print(line_of(number, rounds[-1]), flush=True)
    middle = median(each.ratio for each in rounds)
    print(f"median of estimated over real time: {middle:.2f}")
    if arguments.json is not None:
        document: dict[str, Any] = {
            "options": options,
            "median_ratio": middle,
            "rounds": [asdict(each) | {"ratio": each.ratio} for each in rounds],
        }
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")
    return 0 if abs(middle - 1) <= arguments.within else CHECK_FAILED


if __name__ == "__main__":
    sys.exit(main())
