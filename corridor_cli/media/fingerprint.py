"""Recognise a source file again, also after it was moved or renamed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from corridor_cli.media.readable import open_readable, unreadable

EDGE_BYTES = 64 * 1024
CHUNK_BYTES = 1024 * 1024


def has_changed(path: Path, mark: str) -> bool:
    """Whether the file's size or time of change is another than in its fingerprint; it may be gone by now."""
    try:
        facts = path.stat()
    except OSError:
        return False
    return mark.split(":")[1:3] != [str(facts.st_size), str(facts.st_mtime_ns)]


def is_same(path: Path, mark: str) -> bool:
    """Whether the file holds what that fingerprint was taken of; a copy has another time and counts too.

    False for what is no fingerprint. Raises `UnreadableError`.
    """
    kind, _, rest = mark.partition(":")
    if kind not in ("v1", "v1f") or str(path.stat().st_size) != rest.partition(":")[0]:
        return False
    found = fingerprint(path, full=kind == "v1f").split(":")
    return found[1::2] == mark.split(":")[1::2]


def fingerprint(path: Path, *, full: bool) -> str:
    """`v1:<size>:<mtime_ns>:<hash>`, or `v1f:…` when the whole file went into the hash.

    The hash is BLAKE2b (16 bytes) of the first and last 64 KiB; `full` reads everything, which also notices
    an edit in the middle that kept size and time. Raises `UnreadableError`, also for an empty file.
    """
    descriptor, facts = open_readable(path)
    digest = hashlib.blake2b(digest_size=16)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        try:
            if full:
                while chunk := file.read(CHUNK_BYTES):
                    digest.update(chunk)
            else:
                digest.update(file.read(EDGE_BYTES))
                if facts.st_size > EDGE_BYTES:
                    file.seek(max(EDGE_BYTES, facts.st_size - EDGE_BYTES))
                    digest.update(file.read(EDGE_BYTES))
        except OSError as error:
            raise unreadable(path, error) from error
    return f"{'v1f' if full else 'v1'}:{facts.st_size}:{facts.st_mtime_ns}:{digest.hexdigest()}"
