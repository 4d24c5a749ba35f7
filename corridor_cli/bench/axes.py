"""Reading what a command line says of a sweep."""

from __future__ import annotations

import re
from collections.abc import Sequence

from corridor_cli.bench.points import MAX_TILES_FOR, Axes, BatchSize
from corridor_cli.errors import UsageError
from corridor_cli.printable import shortened

# The first of each is the centre.
BATCH_SIZES, FRAMES, TILES, OUTPUT_TOKENS = "1,2,4,8,16,auto", "1,4", "1,3", "32,96"
_UNITS = {"s": 1, "m": 60, "h": 3600}
_MAX_COUNT = 1_000_000  # beyond anything that can be run, and far below what Python refuses to read
_COUNTS = f"positive integers up to {_MAX_COUNT:,}"
_MAX_DURATION_SECONDS = 30 * 24 * 3600.0


def read_axes(batch_sizes: str, frames: str, tiles: str, output_tokens: str) -> Axes:
    """The axes as they were given. Raises `UsageError`."""
    return Axes(
        read_batch_sizes(batch_sizes),
        read_axis("--frames", frames),
        read_axis("--tiles", tiles, tuple(MAX_TILES_FOR)),
        read_axis("--output-tokens", output_tokens),
    )


def read_duration(flag: str, text: str) -> float:
    """Seconds from `90`, `90s`, `30m` or `2h`. Raises `UsageError`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    seconds = float(match[1]) * _UNITS[match[2] or "s"] if match else 0.0
    if not 0 < seconds <= _MAX_DURATION_SECONDS:
        raise UsageError(
            f"flag {flag}: got '{shortened(text)}', allowed: a length of time above 0, up to 720h",
            hint=f"For example {flag} 30m; the units are s, m and h.",
        )
    return seconds


def read_axis(flag: str, text: str, allowed: Sequence[int] | None = None) -> tuple[int, ...]:
    """Counts with commas between them, each once. Raises `UsageError`."""
    values: list[int] = []
    for part in (each.strip() for each in text.split(",")):
        if not _is_count(part) or (allowed is not None and int(part) not in allowed):
            among = ", ".join(map(str, allowed)) if allowed else f"{_COUNTS} with commas between them"
            raise UsageError(
                f"flag {flag}: got '{shortened(text)}', allowed: {among}",
                hint=f"For example {flag} {'1,3' if allowed else '1,4'}.",
            )
        if int(part) not in values:
            values.append(int(part))
    return tuple(values)


def read_batch_sizes(text: str) -> tuple[BatchSize, ...]:
    """Counts and `auto` with commas between them, each once. Raises `UsageError`."""
    values: list[BatchSize] = []
    for part in (each.strip() for each in text.split(",")):
        is_count = _is_count(part)
        if not is_count and part != "auto":
            raise UsageError(
                f"flag --batch-sizes: got '{shortened(text)}', allowed: {_COUNTS} and auto, with "
                "commas between them",
                hint="For example --batch-sizes 1,2,4,8,auto.",
            )
        value: BatchSize = int(part) if is_count else "auto"
        if value not in values:
            values.append(value)
    return tuple(values)


def _is_count(text: str) -> bool:
    is_short = len(text) <= len(str(_MAX_COUNT))
    return is_short and text.isascii() and text.isdecimal() and 0 < int(text) <= _MAX_COUNT
