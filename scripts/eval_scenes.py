"""How well scene boundaries are found: this project's detectors and PySceneDetect's on the same files.

    python scripts/eval_scenes.py [--videos FOLDER] [--half tuning|held-out|both] [--json FILE]

Draws and encodes some hundred labelled files (cuts, dissolves, fades; flashes, pans, zooms, grain, darkness
and changes of light, which are no boundaries; six codecs; some with a rate that varies) into a cache folder,
with stretches of real clips between the drawn ones when a folder of them is given. Every file follows from
its seed: those with even seeds are for tuning, those with odd ones were never looked at while tuning.

A boundary counts as found when it is reported within a frame of a cut, or within a frame of the interval of a
dissolve or fade; each label takes one, and what is left over is a false alarm. `--list` tells each miss and
each false alarm of the tuning half.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import av
from bench.telling import table
from scenes_set.contenders import contenders
from scenes_set.files import HALVES, SIZE, VERSION, Recipe, draw, read_labels, recipes
from scenes_set.score import Miss, Score, score_file

NUM_FILES = 84


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=Path, help="folder of the labelled real clips, if it is there")
    parser.add_argument("--half", choices=[*HALVES, "both"], default="both")
    parser.add_argument("--files", type=int, default=NUM_FILES, help="how many files, in both halves")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, help="folder for the files; default: a temporary one")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", action="append", help="run this detector only; may be given again")
    parser.add_argument("--list", action="store_true", help="tell what is wrong in the tuning half")
    parser.add_argument("--json", type=Path, help="write all figures there")
    return parser.parse_args(arguments)


def run_file(recipe: Recipe, folder: Path, videos: Path | None, names: Sequence[str]) -> dict[str, Any]:
    """Draw one file unless it is there, and run every detector on it: boundaries by detector."""
    warnings.simplefilter("ignore")
    av.logging.set_level(None)
    path = draw(recipe, folder, videos)
    every = contenders()
    found, seconds = {}, {}
    for name in names:
        began = time.process_time()
        found[name] = every[name](path)
        seconds[name] = time.process_time() - began
    return {"boundaries": found, "seconds": seconds, "labels": read_labels(path)}


def summarize(results: dict[Recipe, dict[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """Figures by half and detector."""
    halves: dict[str, Any] = {}
    for half in HALVES:
        files = {recipe: result for recipe, result in results.items() if recipe.half == half}
        if not files:
            continue
        by_name: dict[str, Any] = {}
        for name in names:
            total, by_codec = Score(), {}
            for recipe, result in files.items():
                score, _ = score_file(result["boundaries"][name], result["labels"])
                total.add(score)
                by_codec.setdefault(recipe.codec.name, Score()).add(score)
            by_name[name] = {
                **total.as_json(),
                "f1_by_codec": {codec: each.figures()["f1"] for codec, each in by_codec.items()},
                "cpu_seconds": round(sum(each["seconds"][name] for each in files.values()), 1),
            }
        halves[half] = {
            "files": len(files),
            "boundaries": sum(len(each["labels"]["labels"]) for each in files.values()),
            "frames": sum(each["labels"]["num_frames"] for each in files.values()),
            "detectors": by_name,
        }
    return halves


def tell(halves: dict[str, Any]) -> str:
    """The figures as tables."""
    parts = []
    for half, facts in halves.items():
        rows = [["detector", "kind", "found", "missed", "false", "precision", "recall", "F1"]]
        for name, figures in facts["detectors"].items():
            for kind in ("all", "cut", "dissolve", "fade"):
                one = figures[kind]
                shares = [f"{one[share]:.3f}" for share in ("precision", "recall", "f1")]
                rows.append([name, kind, *(str(one[n]) for n in ("found", "missed", "false")), *shares])
        head = f"{half}: {facts['boundaries']} boundaries in {facts['files']} files, {facts['frames']} frames"
        parts.append(f"{head}\n\n{table(rows)}")
    return "\n\n".join(parts)


def list_misses(results: dict[Recipe, dict[str, Any]], names: Sequence[str]) -> list[str]:
    """Each miss and false alarm of the tuning half. Those of the other half are nobody's business."""
    lines = []
    for recipe, result in results.items():
        if recipe.half != "tuning":
            continue
        for name in names:
            _, misses = score_file(result["boundaries"][name], result["labels"])
            lines += [_line(recipe, name, miss) for miss in misses]
    return lines


def _line(recipe: Recipe, name: str, miss: Miss) -> str:
    fields = asdict(miss)
    place = f"{fields['frame']}" if miss.frame == miss.end else f"{miss.frame}-{miss.end}"
    return f"{recipe.name}  {name}: {miss.what} {miss.kind} at {place} ({', '.join(miss.tags)})"


def facts(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the figures were measured with."""
    import cv2
    import scenedetect

    others = {"scenedetect": scenedetect.__version__, "opencv": cv2.__version__}
    return {
        "set_version": VERSION,
        "size": SIZE,
        "files": arguments.files,
        "first_seed": arguments.first_seed,
        "with_real_clips": arguments.videos is not None,
        "machine": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "versions": {**{name: version(name) for name in ("av", "numpy", "pillow")}, **others},
    }


def main(given: Sequence[str] | None = None) -> int:
    """Draw, run, count, tell."""
    arguments = read_arguments(given)
    names = arguments.only or list(contenders())
    kind = "real" if arguments.videos else "drawn"
    root = arguments.cache or Path(tempfile.gettempdir()) / "vlmtl-scenes-set"
    folder = root / f"v{VERSION}-{kind}"
    chosen = [
        recipe
        for recipe in recipes(arguments.files, arguments.first_seed)
        if arguments.half in ("both", recipe.half)
    ]
    with ProcessPoolExecutor(arguments.workers) as pool:
        futures = {each: pool.submit(run_file, each, folder, arguments.videos, names) for each in chosen}
        results = {}
        for recipe, future in futures.items():
            results[recipe] = future.result()
            print(f"{len(results)}/{len(chosen)} {recipe.name}", file=sys.stderr)
    halves = summarize(results, names)
    if arguments.list:
        print("\n".join(list_misses(results, names)), end="\n\n")
    print(tell(halves))
    if arguments.json:
        document = {"set": facts(arguments), "halves": halves}
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
