"""Processors, main memory, limits of the system, and how text is written here."""

from __future__ import annotations

import locale
import os
import resource
import sys
from collections.abc import Iterator

from corridor_cli.errors import ExitCode, StorageError
from corridor_cli.hardware import available_memory_bytes, cpu_quota, num_usable_cpus, total_device_bytes
from corridor_cli.hosts.slots import create_arena
from corridor_cli.runners.checkup.check import Check, Group
from corridor_cli.telemetry import counted, format_bytes

_GROUP = Group("machine")
_MIB = 1024 * 1024
# A media worker took up to 299 MiB (docs/benchmarks); main, the engine's torch and its weights come on top.
_LITTLE_MEMORY_BYTES = 1500 * _MIB
# What the slots of a run take is rarely less: three pictures of 1.8 Mpx for a worker, and a ring of them.
_ARENA_BYTES = 64 * _MIB
_FEW_FILES = 256
# CUDA reserves address space by the terabyte.
_LITTLE_ADDRESS_SPACE_BYTES = 64 * 1024 * _MIB


def check_machine() -> Iterator[Check]:
    """Rows about this machine that need no library of ours."""
    yield _processors()
    yield _memory()
    yield _shared_memory()
    yield _open_files()
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < _LITTLE_ADDRESS_SPACE_BYTES:
        found = f"limited to {format_bytes(limit)} (ulimit -v)"
        yield _GROUP.note(
            "address space", found, "Lift it (ulimit -v unlimited): torch may not load under it."
        )
    yield _text()


def _processors() -> Check:
    usable, there, quota = num_usable_cpus(), os.cpu_count() or 1, cpu_quota()
    told = f"{usable} usable of {there}"
    if quota is None:
        return _GROUP.ok("processors", f"{told}, no quota" if usable == there else told)
    told += f", the container's quota is {quota:g}"
    if quota < 1:
        return _GROUP.note("processors", told, "Give the container at least one whole processor (--cpus).")
    return _GROUP.ok("processors", told)


def _memory() -> Check:
    free = available_memory_bytes()
    told = f"{format_bytes(free)} free of {format_bytes(total_device_bytes('cpu'))}"
    if free < _LITTLE_MEMORY_BYTES:
        return _GROUP.note("memory", told, "Close other programs, or set decode.workers: 1.")
    return _GROUP.ok("memory", told)


def _shared_memory() -> Check:
    try:
        os.close(create_arena(1, _ARENA_BYTES))
    except StorageError as error:
        return _GROUP.problem("shared memory", error.message, error.hint, ExitCode.STORAGE)
    except OSError as error:  # a sandbox that forbids memory files
        found = f"no memory file can be made: {error.strerror}"
        return _GROUP.problem("shared memory", found, "Allow memfd_create in the sandbox.", ExitCode.STORAGE)
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if limit != resource.RLIM_INFINITY:
        found = f"usable, but files are limited to {format_bytes(limit)} (ulimit -f)"
        return _GROUP.note(
            "shared memory", found, "Lift it (ulimit -f unlimited): it counts for pictures too."
        )
    return _GROUP.ok("shared memory", "usable, no limit on the size of files")


def _open_files() -> Check:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    told = "no limit" if soft == resource.RLIM_INFINITY else f"{counted(soft, 'file')} a process (ulimit -n)"
    if 0 <= soft < _FEW_FILES:
        can = "" if hard == soft else f"; up to {hard:,} may be asked for"
        return _GROUP.note("open files", told + can, "Raise it: ulimit -n 1024")
    return _GROUP.ok("open files", told)


def _text() -> Check:
    names, shown = sys.getfilesystemencoding(), getattr(sys.stdout, "encoding", None) or "none"
    told = f"names in {names}, output in {shown}, locale {locale.setlocale(locale.LC_CTYPE)}"
    if not all(each.lower().replace("-", "") == "utf8" for each in (names, shown)):
        return _GROUP.note("text", told, "Set LC_ALL=C.UTF-8: other letters are shown as \\x escapes.")
    return _GROUP.ok("text", told)
