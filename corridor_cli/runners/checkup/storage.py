"""Folders that a run writes to: is there room, and may it write?"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from corridor_cli.errors import ExitCode
from corridor_cli.hardware import cache_folder
from corridor_cli.printable import printable
from corridor_cli.runners.checkup.check import Check, Group
from corridor_cli.telemetry import format_bytes

_GROUP = Group("storage")
_MIB = 1024 * 1024
# Results of `scenes` and what children print wait in the temporary folder, documents come into the other.
_LITTLE_TEMPORARY_BYTES = 256 * _MIB
_LITTLE_FREE_BYTES = 1024 * _MIB
_TRIED = b"\0" * 65536


def check_temporary() -> Iterator[Check]:
    """The temporary folder is written to, because quotas are told in no other way."""
    try:
        folder = Path(tempfile.gettempdir())
        with tempfile.TemporaryFile() as file:
            file.write(_TRIED)
            file.flush()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        found = f"nothing can be written there: {error.strerror}"
        yield _GROUP.problem("temporary", found, "Set TMPDIR to a folder with room.", ExitCode.STORAGE)
        return
    told = f"{printable(folder)}, {format_bytes(free)} free"
    if free < _LITTLE_TEMPORARY_BYTES:
        yield _GROUP.note("temporary", told, "Make room, or set TMPDIR to a folder with more.")
    else:
        yield _GROUP.ok("temporary", told)


def check_current() -> Iterator[Check]:
    """The current folder, where most outputs will lie; nothing is written."""
    folder = Path.cwd()
    free = shutil.disk_usage(folder).free
    told = f"{printable(folder)}, {format_bytes(free)} free"
    if not os.access(folder, os.W_OK | os.X_OK):
        yield _GROUP.note("current", f"{told}, not writable", "Give OUTPUT in a folder you may write to.")
    elif free < _LITTLE_FREE_BYTES:
        yield _GROUP.note("current", told, "Make room, or give OUTPUT on another disk.")
    else:
        yield _GROUP.ok("current", told)


def check_cache() -> Iterator[Check]:
    """Where measurements are kept; without it they are made anew in each run."""
    folder = cache_folder()
    if _is_writable(folder):
        yield _GROUP.ok("measurements", f"{printable(folder)}, writable")
    else:
        advice = "Set XDG_CACHE_HOME to a writable folder: else each run measures anew."
        yield _GROUP.note("measurements", f"{printable(folder)}, not writable", advice)


def check_hub_cache() -> Iterator[Check]:
    """Where models are fetched to."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE)
    there = _existing(folder)
    told = f"{printable(folder)}, {format_bytes(shutil.disk_usage(there).free)} free"
    if _is_writable(folder):
        yield _GROUP.ok("models", told)
    else:
        advice = "Set HF_HOME to a writable folder, or give models as local folders."
        yield _GROUP.note("models", f"{told}, not writable", advice)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())


def _is_writable(folder: Path) -> bool:
    there = _existing(folder)
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)
