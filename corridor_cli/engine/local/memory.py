"""The device's memory: what is held, what is free, and giving back what a failed stage left."""

from __future__ import annotations

import ctypes
import gc
import sys

import torch

from corridor_cli.engine.checkpoint import CheckpointInfo
from corridor_cli.errors import ModelError
from corridor_cli.hardware import free_device_bytes, peak_process_bytes, total_device_bytes
from corridor_cli.telemetry import format_bytes

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_KEPT_BYTES = 1 << 30
_CUDA_RESERVE_BYTES = 512 * 1024**2


def keep_freed_memory() -> None:
    """Let glibc reuse large blocks instead of giving them back: each would be cleared again page by page.

    On the CPU a linear layer of four tiles took 60 ms with the defaults and 39 ms so (docs/performance.md).
    """
    if sys.platform.startswith("linux"):
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(_M_MMAP_MAX, 0)
            libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def release_memory(device: str) -> None:
    """Collect what a failed stage left; this is the one place where the allocator's cache is emptied."""
    gc.collect()
    if device != "cpu":
        torch.cuda.empty_cache()


def memory_bytes(device: str) -> tuple[int | None, int | None]:
    """On CUDA the peak since the last call, on a CPU the process's own peak; and what is free."""
    free_bytes = free_device_bytes(device)
    if device == "cpu":
        return peak_process_bytes(), free_bytes
    peak_bytes = torch.cuda.max_memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    return peak_bytes, free_bytes


def reserved_bytes(device: str) -> int | None:
    """The most the allocator has held since `memory_bytes` was last asked, which begins all peaks anew.

    None on a CPU, where nobody counts it.
    """
    return None if device == "cpu" else int(torch.cuda.max_memory_reserved(device))


def memory_budget(device: str, fraction: float) -> int:
    """Bytes that may be taken: the fraction of all memory less what we hold, capped by what is free.

    A device that others use too is left to them: only what is free now counts.
    """
    free = free_device_bytes(device)
    if device == "cpu":
        return int(fraction * free)
    held = torch.cuda.memory_allocated(device)
    return max(0, min(int(fraction * total_device_bytes(device)) - held, free - _CUDA_RESERVE_BYTES))


def check_room(
    info: CheckpointInfo, device: str, dtype: str, fraction: float, embeddings_dtype: str | None = None
) -> None:
    """Raise `ModelError` when the weights alone are more than is free, or than the fraction of all there is.

    `dtype` is a torch dtype's name; int8 leaves the embeddings in `embeddings_dtype`. A CPU does not say so
    itself: memory is granted until the system kills a process that uses it.
    """
    needed = info.num_parameters * getattr(torch, dtype).itemsize
    if embeddings_dtype is not None and info.shape is not None:
        text = info.shape.text
        more = getattr(torch, embeddings_dtype).itemsize - getattr(torch, dtype).itemsize
        needed += text.vocab_size * text.hidden * more
    room = min(free_device_bytes(device), int(fraction * total_device_bytes(device)))
    if needed > room:
        raise ModelError(
            f"Model {info.model_id!r} does not fit into the memory of {device}: its weights take "
            f"{format_bytes(needed)} in {dtype}, {format_bytes(room)} may be used.",
            hint="Free memory, or try a smaller model, another `--device` or another precision.",
        )
