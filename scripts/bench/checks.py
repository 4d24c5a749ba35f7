"""The outcome of a check on an accelerator, and how the outcomes of all steps are told and kept."""

from __future__ import annotations

import gc
import json
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.telling import table


@dataclass(frozen=True, slots=True)
class Options:
    """How a step is to be run. `is_quick` takes the tiny model and little work: a rehearsal, not a figure."""

    device: str
    is_quick: bool


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table: what was checked, whether it holds (None: not judged), and the figure."""

    check: str
    holds: bool | None
    figure: str
    details: dict[str, Any] = field(default_factory=dict)


def at_least(check: str, value: float | None, goal: float, options: Options, unit: str = "") -> Result:
    """A figure with a goal; a rehearsal is told and not judged."""
    if value is None:
        return Result(check, None, "not measured", {"goal": goal})
    told = f"{value:,.4g}{unit}"
    if options.is_quick:
        return Result(check, None, f"{told} (rehearsal, goal {goal:g}{unit})", {"value": value})
    return Result(check, value >= goal, f"{told} (goal {goal:g}{unit})", {"value": value, "goal": goal})


def attempt(check: str, action: Callable[[], Result | list[Result]]) -> list[Result]:
    """The results of a check; one that breaks is a result too, and the others are still made."""
    print(f"gpu_check: {check} …", file=sys.stderr, flush=True)
    try:
        found = action()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the rest must still be measured
        traceback.print_exc()
        first_line = next(iter(str(error).strip().splitlines()), "")
        found = Result(check, False, f"broke: {type(error).__name__}: {first_line[:200]}")
    results = found if isinstance(found, list) else [found]
    for result in results:
        told = f"gpu_check: {result.check}: {result.figure} {result.details or ''}"
        print(told, file=sys.stderr, flush=True)
    return results


def let_go(options: Options) -> None:
    """Free what a check held, for the next one."""
    gc.collect()
    if options.device.startswith("cuda"):
        import torch

        with suppress(RuntimeError):  # the check has broken the device: the next one will say so
            torch.cuda.empty_cache()


def keep(path: Path, step: str, facts: dict[str, Any], results: Sequence[Result], seconds: float) -> None:
    """Write one step into the document at `path`; what it holds of other steps stays."""
    document = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"steps": {}}
    document["steps"][step] = {
        "environment": facts,
        "seconds": round(seconds, 1),
        "results": [asdict(result) for result in results],
    }
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def read(path: Path, step: str) -> list[Result]:
    """What `keep` wrote of a step; nothing when it did not get that far."""
    if not path.is_file():
        return []
    steps = json.loads(path.read_text(encoding="utf-8"))["steps"]
    return [Result(**each) for each in steps.get(step, {}).get("results", [])]


def show(results: Sequence[Result]) -> str:
    verdicts = {True: "holds", False: "FAILS", None: "-"}
    return table([["check", "", ""], *([each.check, verdicts[each.holds], each.figure] for each in results)])
