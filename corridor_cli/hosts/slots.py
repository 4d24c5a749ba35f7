"""Pictures in shared memory: slots of one size, owned by main, mapped by every child.

The memory is an anonymous file (memfd on Linux, an unlinked temporary file elsewhere): it has no name, so
nothing is left behind however the processes end. Pages are taken from the system only once written to.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from typing import TYPE_CHECKING

import numpy as np

from corridor_cli.errors import StorageError
from corridor_cli.records import FrameRef

if TYPE_CHECKING:
    from corridor_cli.records import Pixels


def create_arena(num_slots: int, slot_bytes: int) -> int:
    """A new arena; returns its file descriptor, which the caller closes. Raises `StorageError`."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("vlmtl-frames")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    try:
        os.ftruncate(fd, num_slots * slot_bytes)
    except OSError as error:
        os.close(fd)
        raise StorageError(
            f"Shared memory of {num_slots * slot_bytes:,} bytes cannot be had: {error.strerror}.",
            hint="A limit on the size of files counts here too: see `ulimit -f`.",
        ) from error
    return fd


class Slots:
    """A mapping of the arena: pictures are written by media workers and read by engine hosts."""

    def __init__(self, fd: int, slot_bytes: int) -> None:
        self._memory = mmap.mmap(fd, os.fstat(fd).st_size)
        self._slot_bytes = slot_bytes

    def write(self, slot: int, rgb: Pixels) -> FrameRef:
        """Copy uint8 (H, W, 3) into a slot. The picture must fit."""
        height_px, width_px, num_channels = rgb.shape
        assert num_channels == 3, rgb.shape
        assert rgb.nbytes <= self._slot_bytes, (rgb.shape, self._slot_bytes)
        start = slot * self._slot_bytes
        self._memory[start : start + rgb.nbytes] = np.ascontiguousarray(rgb).data.cast("B")
        return FrameRef(slot, width_px, height_px)

    def pixels(self, ref: FrameRef) -> Pixels:
        """The picture behind a reference, uint8 (H, W, 3), without a copy; do not write to it."""
        shape = (ref.height_px, ref.width_px, 3)
        count = ref.height_px * ref.width_px * 3
        flat = np.frombuffer(self._memory, np.uint8, count=count, offset=ref.slot * self._slot_bytes)
        return flat.reshape(shape)
