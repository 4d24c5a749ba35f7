"""What a figure must never travel without: the machine and the versions it was measured with."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from corridor_cli import __version__
from corridor_cli.engine.local.shape import NetworkShape
from corridor_cli.hardware import num_usable_cpus
from corridor_cli.records import EngineInfo

# The features that decide how fast 16- and 8-bit arithmetic is.
_FEATURES = {"avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8"}


def machine_facts() -> dict[str, Any]:
    """The machine's, as far as they can be had without loading a model."""
    return {
        "vlmtl": __version__,
        "cpu": _cpu_name(),
        "usable_cpus": num_usable_cpus(),
        "memory_bytes": int(psutil.virtual_memory().total),
        "load_average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def engine_facts(info: EngineInfo, shape: NetworkShape | None) -> dict[str, Any]:
    """What an engine says of itself, once it has started, and the sizes of its network where known."""
    sizes = {} if shape is None else {"shape": asdict(shape)}
    told = {name: int(text) if name.endswith("_bytes") else text for name, text in info.environment.items()}
    return {
        "engine": info.engine,
        "model": info.model_id,
        "revision": info.revision,
        "device": info.device,
        "dtype": info.dtype,
        "quantization": info.quantization,
        **told,
        **sizes,
    }


def _cpu_name() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    name = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^flags\s*:\s*(.+)$", text, re.MULTILINE)
    found = sorted(_FEATURES & set(flags[1].split())) if flags else []
    return " ".join([name[1].strip() if name else platform.machine(), *found])
