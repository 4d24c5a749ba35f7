"""How figures are told: median and spread, tables, and the machine they were measured on."""

from __future__ import annotations

import os
import platform
import re
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and largest of the rounds."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns of even width, the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def machine_facts(device: str) -> dict[str, Any]:
    """What a figure must never travel without. Versions are those of this process."""
    facts: dict[str, Any] = {
        "cpu": _cpu_name(),
        "usable_cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3, 1),
        "load_average": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }
    import torch
    import transformers

    facts |= {"torch": torch.__version__, "transformers": transformers.__version__}
    if device.startswith("cuda"):
        facts |= {
            "device": torch.cuda.get_device_name(device),
            "device_gib": round(torch.cuda.get_device_properties(device).total_memory / 1024**3, 1),
            "cuda": torch.version.cuda,
        }
    return facts


def _cpu_name() -> str:
    """The processor's name and those of its features that decide how fast 16- and 8-bit arithmetic is."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    name = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^flags\s*:\s*(.+)$", text, re.MULTILINE)
    wanted = {"avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8"}
    found = sorted(wanted & set(flags[1].split())) if flags else []
    return " ".join([name[1].strip() if name else platform.machine(), *found])


def tree_memory_bytes(pid: int) -> tuple[int, int]:
    """Resident memory now and at its peak, of the process and all it started; zeros where /proc is missing.

    Pages of a mapped checkpoint count for each process that has touched them.
    """
    now = peak = 0
    for each in _tree(pid):
        try:
            status = Path(f"/proc/{each}/status").read_text(encoding="utf-8")
        except OSError:  # ended in between, or no /proc
            continue
        sizes = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB$", status, re.MULTILINE))
        now += int(sizes.get("VmRSS", 0)) * 1024
        peak += int(sizes.get("VmHWM", 0)) * 1024
    return now, peak


def _tree(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        for path in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += [int(child) for child in path.read_text(encoding="utf-8").split()]
            except OSError:
                continue
    return found
