"""Looks at the hardware while something runs.

    with Sampler(pids=[os.getpid()], device="cuda:0") as sampler:
        begun = sampler.mark()
        ...
        ended = sampler.mark()
    sampler.summary(begun, ended)

One thread takes a sample each period: the processes' use through psutil, the card's through NVML, energy of
the processors through RAPL. What costs much (looking for new processes, frequency, temperature) is read only
as often as it stays cheap, so that the thread keeps below two percent of a processor.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Generic, TypeVar

from corridor_cli.bench.nvml import DeviceUse, NvmlDevice, open_device
from corridor_cli.bench.power import POWERCAP, ProcessorEnergy
from corridor_cli.bench.processes import ProcessTree, cpu_celsius, cpu_mhz, machine_time
from corridor_cli.bench.samples import HardwareSample, SamplerSummary, summarise
from corridor_cli.hardware import available_memory_bytes

T = TypeVar("T")

PERIOD_SECONDS = 0.5
# Of one processor, for each of the three facts that cost much.
_MAX_DEAR_SHARE = 0.003
# Processor time is counted in hundredths of a second: over less than this, percent would be noise.
_MIN_PERCENT_SECONDS = 0.1


class Sampler:
    """Samples from `with` to its end. `device` is `cpu`, `cuda:n` or a card's identity (`GPU-…`).

    `pids` are the processes to watch, with all that descend from them; this process where none are given.
    """

    def __init__(
        self,
        pids: Iterable[int] | None = None,
        device: str = "cpu",
        period_seconds: float = PERIOD_SECONDS,
        powercap: Path = POWERCAP,
    ) -> None:
        if period_seconds <= 0:
            raise ValueError(f"period_seconds: got {period_seconds}, allowed: more than 0")
        self._pids = [os.getpid()] if pids is None else list(pids)
        self._device_name, self._period_seconds, self._powercap = device, period_seconds, powercap
        self._samples: list[HardwareSample] = []
        self._problem = ""
        self._thread_seconds = 0.0
        self._error: Exception | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def __enter__(self) -> Sampler:
        self._device: NvmlDevice | None = None
        if self._device_name != "cpu":
            self._device, self._problem = open_device(self._device_name)
        self._energy = ProcessorEnergy(self._powercap)
        self._tree = ProcessTree(self._pids)
        self._started = time.perf_counter()
        dear = (self._tree.find, cpu_mhz, cpu_celsius)
        self._find, self._mhz, self._celsius = (Thrifty(read, self._started) for read in dear)
        self._before = (0.0, self._tree.use().cpu_seconds, machine_time())
        self._joules_before = self._device.use().joules if self._device else None
        self.mark()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        try:
            if self._error is None:
                self.mark()
            elif error is None:
                raise self._error
        finally:
            if self._device:
                self._device.close()

    @property
    def samples(self) -> tuple[HardwareSample, ...]:
        """Those taken so far, in the order of time."""
        with self._lock:
            return tuple(self._samples)

    @property
    def problems(self) -> tuple[str, ...]:
        """Why facts are unknown, one reason a source."""
        return tuple(filter(None, (self._problem, self._energy.problem)))

    def mark(self) -> float:
        """Take a sample now, so that a stretch can begin or end here exactly; its `time_seconds`."""
        with self._lock:
            sample = self._look()
            self._samples.append(sample)
        return sample.time_seconds

    def summary(self, start_seconds: float | None = None, end_seconds: float | None = None) -> SamplerSummary:
        """Of a stretch between two marks, or from the first sample to the last. Raises `ValueError` when the
        end is before the start."""
        samples = self.samples
        start = samples[0].time_seconds if start_seconds is None else start_seconds
        end = samples[-1].time_seconds if end_seconds is None else end_seconds
        wall = samples[-1].time_seconds
        share = self._thread_seconds / wall if wall > 0 else None
        return summarise(samples, start, end, share, self.problems)

    def _run(self) -> None:
        due = self._started
        while True:
            # A sample that came late leaves out those it missed.
            due = max(due + self._period_seconds, time.perf_counter())
            if self._stop.wait(due - time.perf_counter()):
                return
            try:
                self.mark()
            except Exception as error:  # noqa: BLE001 - handed over to the thread that waits for this one
                self._error = error
                return
            self._thread_seconds = time.thread_time()

    def _look(self) -> HardwareSample:
        self._find.read()
        use, machine = self._tree.use(), machine_time()
        now = time.perf_counter() - self._started
        before, cpu_before, machine_before = self._before
        passed = now - before
        tree_percent = machine_percent = None
        if passed >= _MIN_PERCENT_SECONDS:
            tree_percent = 100 * (use.cpu_seconds - cpu_before) / passed
            machine_percent = machine.percent_since(machine_before)
            self._before = (now, use.cpu_seconds, machine)
        card = self._device.use() if self._device else _UNKNOWN
        return HardwareSample(
            time_seconds=now,
            num_processes=use.num_processes,
            tree_cpu_seconds=use.cpu_seconds,
            tree_cpu_percent=tree_percent,
            tree_resident_bytes=use.resident_bytes,
            machine_cpu_percent=machine_percent,
            available_bytes=available_memory_bytes(),
            cpu_mhz=self._mhz.read(),
            cpu_celsius=self._celsius.read(),
            cpu_joules=self._energy.joules(),
            device_busy_percent=card.busy_percent,
            device_memory_bytes=card.memory_bytes,
            device_sm_mhz=card.sm_mhz,
            device_memory_mhz=card.memory_mhz,
            device_celsius=card.celsius,
            device_watts=card.watts,
            device_joules=_gained(self._joules_before, card.joules),
            throttle_reasons=card.throttle_reasons,
        )


class Thrifty(Generic[T]):
    """Reads a fact only while reading it took at most a share of one processor; None in between."""

    def __init__(self, read: Callable[[], T], started: float, max_share: float = _MAX_DEAR_SHARE) -> None:
        self._read, self._started, self._max_share = read, started, max_share
        self._spent_seconds = 0.0

    def read(self) -> T | None:
        if self._spent_seconds > self._max_share * (time.perf_counter() - self._started):
            return None
        begun = time.thread_time()
        found = self._read()
        self._spent_seconds += time.thread_time() - begun
        return found


def _gained(before: float | None, now: float | None) -> float | None:
    return None if before is None or now is None else now - before


_UNKNOWN = DeviceUse(None, None, None, None, None, None, None, None)
