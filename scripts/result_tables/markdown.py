"""The parts that every section is made of: tables, spreads, and what a figure never travels without."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_QUIET_LOAD = 0.5


@dataclass(frozen=True, slots=True)
class Result:
    """A file of results: `date` is that of its name (YYYY-MM-DD), `page` the one that tells of it, if any."""

    name: str
    date: str
    page: str | None
    document: dict[str, Any]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    escaped = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in escaped)


def ranged(spread: Mapping[str, float], decimals: int) -> str:
    """`median (least–most)`."""
    median, least, most = (f"{spread[name]:,.{decimals}f}" for name in ("median", "min", "max"))
    return f"{median} ({least}–{most})"


def gib(num_bytes: float | None) -> str:
    return "-" if num_bytes is None else f"{num_bytes / 1024**3:.1f} GiB"


def device_name(facts: Mapping[str, Any]) -> str:
    """The card where there is one, else the processor without its features, which `machine_line` tells."""
    words = str(facts.get("device") or facts["cpu"]).split()
    return " ".join(word for word in words if not word.startswith(("avx", "amx")))


def machine_line(facts: Mapping[str, Any]) -> str:
    """The machine in one sentence, from what the scripts' `machine_facts` told."""
    parts = [f"{facts['usable_cpus']} cores of {facts['cpu']}", f"{facts['memory_gib']} GiB"]
    if facts.get("device"):
        parts.append(f"{facts['device']} with {facts['device_gib']} GiB (CUDA {facts['cuda']})")
    else:
        parts.append("no GPU")
    load = facts["load_average"]
    parts.append(f"load average {load} when it began{', not quiet' if load > _QUIET_LOAD else ''}")
    told = {"cpu", "usable_cpus", "memory_gib", "device", "device_gib", "cuda", "load_average"}
    known = told | {"system", "command"}
    versions = [str(facts["system"])]
    versions += [
        f"{name} {value}" for name, value in facts.items() if name not in known | {"system", "command"}
    ]
    return f"Machine: {'; '.join(parts)}. {', '.join(versions)}."


def command_block(command: str) -> str:
    """The command as typed, without where the results went and without folders of the machine."""
    shown = re.sub(r"\s--json(\s+|=)\S+", "", command)
    shown = re.sub(r"(?<!\S)/(?:[^\s/]+/)*bin/", "FOLDER/bin/", shown)
    shown = re.sub(r"(?<!\S)/(?:[^\s/]+/)*([^\s/]+)", r"\1", shown)
    return f"```\npython scripts/{shown}\n```"


def heading(text: str, result: Result) -> str:
    return f"### {text}, {result.date}"


def source_line(result: Result) -> str:
    """Where the figures are, and where they are talked about."""
    told = f" What it shows and does not: [{result.page}]({result.page})." if result.page else ""
    return f"All numbers: [{result.name}]({result.name}).{told}"
