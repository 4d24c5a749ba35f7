"""What a media worker may take from the system: a decoder meets files made to break it.

Memory is bounded by RLIMIT_DATA, not RLIMIT_AS: it counts what a process allocates and can write to, but
neither the arena (shared, and mapped as a whole) nor address space that is only reserved, as glibc does for
each thread and CUDA by the terabyte. Linux counts all such mappings since 4.7; other systems count less.
"""

from __future__ import annotations

import contextlib
import resource
from pathlib import Path
from typing import Literal

import numpy as np

from corridor_cli.hardware import available_memory_bytes

# A worker writes to shared memory and its socket; to files only what it prints, for the day it dies.
MAX_FILE_BYTES = 1024 * 1024
# The video, libraries, the arena, the socket; a CUDA context takes some dozens.
MAX_OPEN_FILES = 512


_MEMORY_SHARE = 0.5
_MIN_MEMORY_BYTES = 2 * 1024**3


def worker_memory_bytes(asked: int | Literal["auto"], num_workers: int) -> int:
    """What one worker may allocate: enough for any file within the other limits, and never all there is."""
    if asked != "auto":
        return asked
    return max(_MIN_MEMORY_BYTES, int(_MEMORY_SHARE * available_memory_bytes()) // num_workers)


def confine(max_memory_bytes: int | Literal["auto"]) -> None:
    """Bound this process for good: memory beyond what it has now (`auto`: no bound), files, core dumps."""
    _bound(resource.RLIMIT_CORE, 0)
    _bound(resource.RLIMIT_FSIZE, MAX_FILE_BYTES)
    _bound(resource.RLIMIT_NOFILE, MAX_OPEN_FILES)
    if max_memory_bytes != "auto":
        _let_blas_settle()
        _bound(resource.RLIMIT_DATA, _data_bytes() + max_memory_bytes)


def _let_blas_settle() -> None:
    """OpenBLAS takes its buffers at the first product, and ends the process when there is no room."""
    square = np.ones((256, 256), dtype=np.float32)
    _ = square @ square


def _bound(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    # A system that knows the limit but does not let us set it leaves the worker as it was.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (bound, bound))


def _data_bytes() -> int:
    """What counts against RLIMIT_DATA already; 0 where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:"))
    except (OSError, StopIteration):
        return 0
