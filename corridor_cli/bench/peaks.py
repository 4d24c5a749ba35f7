"""What a device was measured to do at most, once for each machine and precision.

Main asks here and imports no torch: `measure_peaks.py` measures in a process of its own, which also knows the
device's name and keeps what it found. Peaks are measured, never taken from a data sheet, so a share of them
says what the device at hand could still give.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from corridor_cli.bench.roofline import Ceilings
from corridor_cli.printable import printable

PRECISIONS = ("float32", "bfloat16", "float16", "int8")

_MODULE = "corridor_cli.bench.measure_peaks"
_TIMEOUT_SECONDS = 180.0
_TOLD_CHARACTERS = 300
_MAX_OTHER_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class DevicePeaks:
    """The peaks of one device in one precision, with how and when they were measured.

    `read_` is reading alone, which bounds decode steps; `copy_` counts the bytes read and those written.
    `products` has FLOP/s by size, `other_work_share` the processor time (0 to 1, of all) that went to others
    meanwhile. What could not be measured is None, and `problem` says why.
    """

    device: str
    precision: str
    device_name: str | None = None
    device_uuid: str | None = None
    threads: int | None = None
    flops_per_second: float | None = None
    read_bytes_per_second: float | None = None
    copy_bytes_per_second: float | None = None
    flops_how: str = ""
    read_how: str = ""
    copy_how: str = ""
    products: dict[str, float] = field(default_factory=dict)
    measured_at: str | None = None
    measuring_seconds: float | None = None
    other_work_share: float | None = None
    is_kept: bool = False
    problem: str = ""

    @property
    def is_disturbed(self) -> bool:
        """Whether other work took so much of the processors that a CPU's peaks are likely too low."""
        return self.device == "cpu" and (self.other_work_share or 0.0) > _MAX_OTHER_SHARE

    @property
    def ceilings(self) -> Ceilings:
        """The two that the roofline asks for."""
        return Ceilings(self.flops_per_second, self.read_bytes_per_second)


def find_peaks(device: str, precision: str, *, is_fresh: bool = False) -> DevicePeaks:
    """The peaks of `cpu` or `cuda:n`: measured, or kept from before unless `is_fresh`.

    `precision` is what the engine multiplies in, `EngineInfo.quantization or EngineInfo.dtype`. It takes some
    seconds, in which nothing else should run. Raises `ValueError` for a precision that is not known.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision: got {precision!r}, allowed: {', '.join(PRECISIONS)}")
    command = [sys.executable, "-P", "-m", _MODULE, device, precision, *(["--fresh"] if is_fresh else [])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}
    try:
        ended = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=_TIMEOUT_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return DevicePeaks(device, precision, problem=f"the peaks could not be measured: {error}")
    try:
        return peaks_from(json.loads(ended.stdout.splitlines()[-1]))
    except (IndexError, TypeError, ValueError):
        told = printable(" ".join(ended.stderr.split())[-_TOLD_CHARACTERS:])
        problem = f"the process that measures peaks ended with {ended.returncode}: {told}"
        return DevicePeaks(device, precision, problem=problem)


def peaks_from(table: Any) -> DevicePeaks:
    """The record of a JSON object. Raises `TypeError` where its names are others."""
    return DevicePeaks(**table)


def is_record(kept: object) -> bool:
    """Whether something read from a file of measurements has the names of a record, and no others."""
    return isinstance(kept, dict) and kept.keys() == {each.name for each in fields(DevicePeaks)}
