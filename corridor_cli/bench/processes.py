"""What processes and the machine under them use, through psutil."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import psutil

# What chips call the sensor of their processor.
_PROCESSOR_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "cpu-thermal", "soc_thermal")


@dataclass(frozen=True, slots=True)
class TreeUse:
    """Of all processes of a tree: processor time since it was first looked at, and resident memory, in which
    pages that several share count for each of them."""

    num_processes: int
    cpu_seconds: float
    resident_bytes: int


class ProcessTree:
    """The processes of `pids` and all that descend from them."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._roots = [root for root in map(_process, pids) if root is not None]
        self._seen: dict[psutil.Process, float] = {}
        self._cpu_seconds = 0.0
        self._is_first = True
        self.find()

    def find(self) -> None:
        """Look for processes that were started since. It reads every process of the machine."""
        for root in self._roots:
            try:
                family = [root, *root.children(recursive=True)]
            except psutil.Error:  # ended: its children belong to nobody now
                continue
            for process in family:
                if process in self._seen:
                    continue
                try:
                    # Of one that is new all time counts, of one that was there before only what comes.
                    self._seen[process] = _cpu_seconds(process) if self._is_first else 0.0
                except psutil.Error:
                    continue
        self._is_first = False

    def use(self) -> TreeUse:
        """Of those found and alive. What a process used between the last look and its end is lost."""
        resident = num_alive = 0
        for process, before in list(self._seen.items()):
            try:
                with process.oneshot():
                    resident += process.memory_info().rss
                    now = _cpu_seconds(process)
                    num_alive += process.status() != psutil.STATUS_ZOMBIE
            except psutil.Error:
                del self._seen[process]
                continue
            self._cpu_seconds += max(0.0, now - before)
            self._seen[process] = now
        return TreeUse(num_alive, self._cpu_seconds, resident)


@dataclass(frozen=True, slots=True)
class MachineTime:
    """Processor time of the whole machine since it started: busy (or kept from it by a hypervisor), and in
    all."""

    busy_seconds: float
    total_seconds: float

    def percent_since(self, before: MachineTime) -> float | None:
        """0 to 100, of all processors."""
        total = self.total_seconds - before.total_seconds
        busy = self.busy_seconds - before.busy_seconds
        return min(100.0, max(0.0, 100 * busy / total)) if total > 0 else None


def machine_time() -> MachineTime:
    """As it is now."""
    times = psutil.cpu_times()
    # Guests are counted as users already.
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return MachineTime(total - times.idle - getattr(times, "iowait", 0.0), total)


def cpu_mhz() -> float | None:
    """Frequency of the processors, on average."""
    try:
        frequency = psutil.cpu_freq()
    except (OSError, RuntimeError):  # psutil's words for a system that does not tell
        return None
    return float(frequency.current) if frequency and frequency.current else None


def cpu_celsius() -> float | None:
    """The hottest sensor of a processor."""
    try:
        sensors = psutil.sensors_temperatures()
    except (OSError, AttributeError):  # there is no such function on some systems
        return None
    found = [each.current for name in _PROCESSOR_SENSORS for each in sensors.get(name, [])]
    return float(max(found)) if found else None


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.Error:
        return None


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)  # not those of its children, which are counted themselves
