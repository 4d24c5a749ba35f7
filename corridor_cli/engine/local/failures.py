"""What a foreign exception means, by its real type and, where torch has one type for all, by its words."""

from __future__ import annotations

import torch

from corridor_cli.engine.recovery import FailureKind

_OUT_OF_MEMORY_WORDS = (
    "can't allocate memory",  # DefaultCPUAllocator
    "not enough memory",  # DefaultCPUAllocator on Windows
    "out of memory",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
)
_DEVICE_LOST_WORDS = ("cuda error", "cublas_status", "cudnn_status", "cuda driver error")


def is_out_of_memory(error: Exception) -> bool:
    """Whether the error says that memory ran out, on any device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        word in str(error).lower() for word in _OUT_OF_MEMORY_WORDS
    )


def failure_kind(error: Exception) -> FailureKind:
    """What a failed batch means. After a CUDA error other than memory, every later call fails as well."""
    if is_out_of_memory(error):
        return FailureKind.OUT_OF_MEMORY
    is_lost = isinstance(error, torch.AcceleratorError) or (
        isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _DEVICE_LOST_WORDS)
    )
    return FailureKind.DEVICE_LOST if is_lost else FailureKind.REQUEST
