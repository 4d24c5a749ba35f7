"""zlib's CRC-32, as fast as the machine has it."""

from __future__ import annotations

__all__ = ["crc32"]

try:
    from isal.isal_zlib import crc32
except ImportError:  # not built for this platform
    from zlib import crc32
