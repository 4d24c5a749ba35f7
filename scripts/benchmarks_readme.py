"""Write `docs/benchmarks/README.md` from the results beside it.

    python scripts/benchmarks_readme.py            # write it
    python scripts/benchmarks_readme.py --check    # exit code 8 when it is not what the results say

Every `YYYY-MM-DD-….json` of the folder becomes a section, by what is in it; a file of no known kind is an
error. A page (`.md`) tells of all results whose names begin with its own.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from result_tables import engine, estimates, exports, media, sweep
from result_tables.markdown import Result

FOLDER = Path(__file__).parents[1] / "docs" / "benchmarks"
NOT_CURRENT = 8

_HAND_WRITTEN = {"README.md", "measuring.md"}

INTRODUCTION = """# Benchmarks

<!-- Written by scripts/benchmarks_readme.py from the JSON files of this folder: change those, or that. -->

What was measured so far, each figure with its machine, its versions, its workload and its command; what was
slower than hoped stays too. How to measure, and what each contestant does, is told in
[measuring.md](measuring.md). Nothing here is a test: no test of this project depends on a clock.

Tables side by side are of one run on one machine, in interleaved rounds (A B C, A B C, …), so other work hits
everyone alike; it still widens the spread. A machine is called not quiet when its load average was above 0.5
when the measurement began. Ratios compare rounds that lay side by side, and are what to quote. Figures of
different sections come from different machines or workloads: they cannot be compared."""

Sections = tuple[tuple[str, str, Callable[[Mapping[str, Any]], bool], Callable[[Result], str]], ...]
SECTIONS: Sections = (
    (
        "Against transformers and vLLM",
        "`scripts/bench_engine.py`: the same frames, prompt and number of new tokens for everyone, on a "
        "checkpoint of InternVL3-1B's shape with random weights; each in a process of its own, loading not "
        "counted.",
        engine.is_engines,
        engine.engines,
    ),
    (
        "This engine by `vlmtl bench`",
        "One point a row; the ceiling is what the device's measured peaks would allow.",
        sweep.is_sweep,
        sweep.sweep,
    ),
    (
        "The pipe beside the engine",
        "`scripts/bench_tiny.py`: the bare engine on the picks of videos, the whole pipe on those same "
        "picks, and the whole pipe on the videos.",
        engine.is_pipe,
        engine.pipe,
    ),
    (
        "Scans against decoding and PySceneDetect",
        "`scripts/bench_media.py`: all a media worker does (probing, decoding, looking, three picks a scene) "
        "against PyAV that only decodes and PySceneDetect's `AdaptiveDetector`.",
        media.is_scans,
        media.scans,
    ),
    (
        "Scene boundaries against PySceneDetect",
        "`scripts/eval_scenes.py`: what is found of labelled boundaries.",
        media.is_boundaries,
        media.boundaries,
    ),
    (
        "Readers",
        "`scripts/bench_readers.py`: every frame's planes, and 24 known picks.",
        media.is_readers,
        media.readers,
    ),
    (
        "Exports",
        "`scripts/bench_export.py`: many timelines into one table.",
        exports.is_exports,
        exports.exports,
    ),
    (
        "Estimates against their runs",
        "`scripts/check_estimate.py`: `vlmtl estimate` and, right after it, the run it is about.",
        estimates.is_estimates,
        estimates.estimates,
    ),
    ("Accelerators", "`scripts/gpu_check.sh`.", sweep.is_steps, sweep.steps),
)


def read_results(folder: Path) -> list[Result]:
    """Every file of results, the newest first. Raises `ValueError` for a name without a date."""
    pages = [path.stem for path in folder.glob("*.md") if path.name not in _HAND_WRITTEN]
    results = []
    for path in sorted(folder.glob("*.json"), reverse=True):
        date = re.match(r"\d{4}-\d\d-\d\d(?=-)", path.name)
        if date is None:
            raise ValueError(f"{path.name}: allowed: YYYY-MM-DD-what.json")
        named = [page for page in pages if path.stem == page or path.stem.startswith(f"{page}-")]
        page = f"{max(named, key=len)}.md" if named else None
        document = json.loads(path.read_text(encoding="utf-8"))
        results.append(Result(path.name, date[0], page, document))
    return results


def readme_of(folder: Path) -> str:
    """The page, with a section for each kind of results there is. Raises `ValueError` for another kind."""
    results = read_results(folder)
    for result in results:
        if not any(is_kind(result.document) for _, _, is_kind, _ in SECTIONS):
            raise ValueError(f"{result.name}: of no kind that scripts/result_tables knows")
    parts = [INTRODUCTION]
    if not any(_is_of_card(result.document) for result in results):
        parts.append("**Nothing was measured on a GPU yet**: `scripts/gpu_check.sh all` will measure one.")
    for title, about, is_kind, told in SECTIONS:
        found = [told(result) for result in results if is_kind(result.document)]
        parts += [f"## {title}\n\n{about}", *found] if found else []
    pages = sorted((path for path in folder.glob("*.md") if path.name not in _HAND_WRITTEN), reverse=True)
    links = [f"* [{_first_heading(path)}]({path.name})" for path in pages]
    parts.append("\n".join(["## Pages", "", *links]))
    return "\n\n".join(parts) + "\n"


def _is_of_card(document: Mapping[str, Any]) -> bool:
    """Whether a CUDA device was measured: only then do the scripts tell one, and the peaks are its own."""
    environments = [
        document.get("machine"),
        *(step["environment"] for step in document.get("steps", {}).values()),
    ]
    has_device = any("device" in (each or {}) for each in environments)
    return has_device or str((document.get("peaks") or {}).get("device")).startswith("cuda")


def _first_heading(path: Path) -> str:
    return path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing, and say whether it is current")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the results are")
    arguments = parser.parse_args(given)
    page = arguments.folder / "README.md"
    wanted = readme_of(arguments.folder)
    if not arguments.check:
        page.write_text(wanted, encoding="utf-8")
        return 0
    if page.is_file() and page.read_text(encoding="utf-8") == wanted:
        return 0
    print(f"{page} is not what the results say: run python scripts/benchmarks_readme.py", file=sys.stderr)
    return NOT_CURRENT


if __name__ == "__main__":
    sys.exit(main())
