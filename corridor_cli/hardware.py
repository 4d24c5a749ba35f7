"""What this machine has, and what is chosen from it, each choice with its reason.

A fact that cannot be had is None. Nothing imports torch until an accelerator is asked for, so main may use
the processor's facts freely.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from corridor_cli.errors import ModelError

if TYPE_CHECKING:
    import torch

T = TypeVar("T")

MEASURE_SECONDS = 0.2
_MATRIX_SIDE = 1024

# The file of `keep_measurement` where a benchmark leaves the best batch size for each model and machine.
BEST_BATCH = "best_batch"
_MIN_SPEEDUP = 1.2
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Choice(Generic[T]):
    """A value with the reason it was chosen."""

    value: T
    reason: str


def num_usable_cpus() -> int:
    """Processors this process may run on: its affinity, capped by the container's quota."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota()
    return affinity if quota is None else max(1, min(affinity, int(quota)))


def cpu_quota() -> float | None:
    """Processors' worth of time the container may use; None where it has no quota."""
    try:
        quota, period = (_CGROUP / "cpu.max").read_text().split()
        return int(quota) / int(period)
    except (OSError, ValueError):  # no such file, or "max": no quota
        return None


def available_memory_bytes() -> int:
    """Main memory that can be had without swapping, capped by the container's limit."""
    import psutil

    available = int(psutil.virtual_memory().available)
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        # What was read from files counts as used until something else wants the room: without taking it off,
        # a container that has read a few videos would seem full.
        cached = re.search(r"^inactive_file (\d+)$", (_CGROUP / "memory.stat").read_text(), re.MULTILINE)
        used = int((_CGROUP / "memory.current").read_text()) - int(cached[1] if cached else 0)
    except (OSError, ValueError):
        return available
    return max(0, min(available, limit - used))


def choose_device(requested: str) -> Choice[str]:
    """`cpu` or `cuda:n` for a setting of `auto`, `cpu`, `cuda` or `cuda:n`. Raises `ModelError`."""
    if requested == "cpu":
        return Choice("cpu", "device: cpu, as asked")
    import torch

    num_devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if requested == "auto":
        if num_devices:
            return Choice("cuda:0", f"device: cuda:0, the first of {num_devices} CUDA devices")
        return Choice("cpu", "device: cpu, because torch sees no CUDA device")
    kind, _, ordinal = requested.partition(":")
    if kind != "cuda" or not (ordinal.isdecimal() or requested == "cuda"):
        raise ModelError(f"Device {requested!r} is unknown; allowed: auto, cpu, cuda, cuda:0, cuda:1, …")
    if int(ordinal or 0) >= num_devices:
        there = ", ".join(["cpu", *(f"cuda:{n}" for n in range(num_devices))])
        build = "" if torch.version.cuda else f" This torch ({torch.__version__}) is built without CUDA."
        raise ModelError(
            f"Device {requested!r} does not exist; there is: {there}.{build}", hint="Use `--device auto`."
        )
    return Choice(f"cuda:{int(ordinal or 0)}", f"device: {requested}, as asked")


def choose_threads(is_small_model: bool) -> Choice[int]:
    """Threads for arithmetic on the processor; `OMP_NUM_THREADS` has the last word.

    Threads of a small model mostly wait for each other: with other work on both of two cores, ten captions
    of a 77,000-parameter model took 0.06 s on one thread and 0.4 to 3 s on two.
    """
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked) > 0:
        return Choice(int(asked), f"threads: {asked}, from OMP_NUM_THREADS")
    if is_small_model:
        return Choice(1, "threads: 1, because the model is small")
    usable = num_usable_cpus()
    return Choice(usable, f"threads: {usable}, the usable processors")


def free_device_bytes(device: str) -> int:
    """Memory that can still be allocated on the device, other processes' use taken off."""
    if device == "cpu":
        return available_memory_bytes()
    import torch

    free, _ = torch.cuda.mem_get_info(device)
    return int(free) + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def peak_process_bytes() -> int:
    """The most main memory this process has held at once."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB


def total_device_bytes(device: str) -> int:
    """All memory of the device."""
    if device == "cpu":
        import psutil

        return int(psutil.virtual_memory().total)
    import torch

    return int(torch.cuda.mem_get_info(device)[1])


def choose_dtype(device: str, precision: str, is_small_model: bool) -> Choice[str]:
    """The torch dtype for a precision of `auto`, `bf16`, `fp16`, `fp32`, or of what `int8` leaves as it is.

    `auto` and `int8` take bfloat16 where a measurement, made once a machine and kept, shows it the faster.
    """
    names = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}
    if precision in names:
        return Choice(names[precision], f"precision: {precision}, as set")
    if precision == "auto" and is_small_model:
        return Choice("float32", "precision: float32, because the model is small")
    key = machine_key(device)
    kept = kept_measurement("precision", key)
    is_kept = isinstance(kept, int | float)
    speedup = float(kept) if isinstance(kept, int | float) else measure_bfloat16_speedup(device)
    if not is_kept:
        keep_measurement("precision", key, round(speedup, 3))
    verb = "measured before" if is_kept else "measured"
    name = "bfloat16" if speedup >= _MIN_SPEEDUP else "float32"
    chosen = f"int8, as set, beside {name}" if precision == "int8" else name
    return Choice(name, f"precision: {chosen}, because bfloat16 runs {speedup:.2f}x as fast here ({verb})")


def measure_bfloat16_speedup(device: str) -> float:
    """Matrix products a second in bfloat16 over float32, each for half of `MEASURE_SECONDS`.

    On processors without 16-bit arithmetic bfloat16 can be 44 to 500 times slower (pytorch 146508), so no
    list of processors is trusted.
    """
    import torch

    rates = [_product_rate(device, dtype) for dtype in (torch.float32, torch.bfloat16)]
    return rates[1] / rates[0]


def _product_rate(device: str, dtype: torch.dtype) -> float:
    import torch

    side = torch.ones(_MATRIX_SIDE, _MATRIX_SIDE, device=device, dtype=dtype)

    def product() -> None:
        torch.mm(side, side)
        if device != "cpu":
            torch.cuda.synchronize(device)

    product()  # the first one also loads the library's kernels
    started = time.perf_counter()
    count = 0
    while (elapsed := time.perf_counter() - started) < MEASURE_SECONDS / 2 or not count:
        product()
        count += 1
    return count / elapsed


def machine_key(device: str) -> str:
    """Names this machine's device and torch: measurements made elsewhere do not count."""
    import torch

    name = (
        platform.processor() or platform.machine() if device == "cpu" else torch.cuda.get_device_name(device)
    )
    return f"{platform.node()}/{name}/{torch.__version__}"


def kept_measurement(name: str, key: str) -> object:
    """What `keep_measurement` wrote under `key` in the file `name`; None when there is nothing to be had."""
    try:
        return json.loads(_measurement_file(name).read_bytes())[key]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep_measurement(name: str, key: str, value: object) -> None:
    """Write a measurement down; a cache that cannot be written only means measuring again."""
    path = _measurement_file(name)
    try:
        kept = json.loads(path.read_bytes()) if path.is_file() else {}
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps({**kept, key: value}), encoding="utf-8")
        temporary.replace(path)
    except (OSError, ValueError, TypeError):
        return


def cache_folder() -> Path:
    """Where measurements are kept; it need not be there yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")) / "vlmtl"


def _measurement_file(name: str) -> Path:
    return cache_folder() / f"{name}.json"
