"""What glibc's heap keeps of files that are done, given back to the system."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

# A picture's bytes: all of 4K are less, and those of 8K would leave some 400 MB lying.
HUGE_BYTES = 16 * 2**20


def _find_trim() -> Callable[[int], int] | None:
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # musl, macOS
        return None
    return trim


_trim = _find_trim()


def give_back_heap() -> None:
    """Return all free pages, 1 to 3 ms of them after 4K. Elsewhere than on glibc nothing is done."""
    if _trim is not None:
        _trim(0)


def is_too_much_to_keep(width_px: int, height_px: int) -> bool:
    """Whether what pictures of this size leave should go back even if the next file's are as large."""
    return 3 * width_px * height_px // 2 > HUGE_BYTES
