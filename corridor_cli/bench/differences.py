"""What else differs between two benchmarks: machine, versions, model, workload, settings, peaks.

The tables of the documents are compared as they are, name by name, since each version may tell more.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

from corridor_cli.bench.document import BenchDocument

Kind = Literal["machine", "model", "workload", "environment", "settings", "peaks"]

# Parts of a name that say of what it is.
_MACHINE = {
    "machine",
    "cpu",
    "cpus",
    "processor",
    "processors",
    "device",
    "gpu",
    "accelerator",
    "architecture",
}
_MODEL = {"model", "preset", "revision", "precision", "dtype", "quantization"}
# Told to be read, but another at every run.
_PASSING = {
    "load_average", "measured_at", "measuring_seconds", "other_work_share", "is_kept", "available_bytes",
    "free_bytes", "created_at", "hostname", "pid",
}  # fmt: skip
# Peaks are measured: the same device gives another figure each time.
_NEAR_PEAK = 0.05


@dataclass(frozen=True, slots=True)
class Difference:
    """A fact with two values; None where a file does not tell it."""

    kind: Kind
    name: str
    before: Any
    after: Any


def find_differences(before: BenchDocument, after: BenchDocument) -> list[Difference]:
    """All of them, the machine's first. Facts that are others at every run (load, times) are left out."""
    found = []
    for section in ("environment", "workload", "settings", "peaks"):
        facts_before, facts_after = (_facts(getattr(document, section)) for document in (before, after))
        for name in {**facts_before, **facts_after}:
            values = facts_before.get(name), facts_after.get(name)
            if not _is_passing(name) and not _is_alike(section, *values):
                found.append(Difference(_kind_of(section, name), name, *values))
    kinds = get_args(Kind)
    return sorted(found, key=lambda difference: kinds.index(difference.kind))


def _facts(table: Any) -> dict[str, Any]:
    return dict(_flat(table, "")) if table else {}


def _flat(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The leaves of nested tables under names with dots; a list is a leaf."""
    if not isinstance(value, dict):
        yield name, value
        return
    for key, inner in value.items():
        yield from _flat(inner, f"{name}.{key}" if name else str(key))


def _is_passing(name: str) -> bool:
    return name.rpartition(".")[2] in _PASSING


def _is_alike(section: str, before: Any, after: Any) -> bool:
    are_numbers = all(isinstance(each, (int, float)) for each in (before, after))
    if section == "peaks" and are_numbers:
        return math.isclose(before, after, rel_tol=_NEAR_PEAK)
    return bool(before == after)


def _kind_of(section: str, name: str) -> Kind:
    words = set(re.split(r"[._]", name.lower()))
    if section in ("environment", "peaks") and words & _MACHINE:
        return "machine"
    if words & _MODEL:
        return "model"
    kinds: dict[str, Kind] = {"workload": "workload", "settings": "settings", "peaks": "peaks"}
    return kinds.get(section, "environment")
