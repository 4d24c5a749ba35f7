"""When things happen on the device, told without ever making the host wait for it.

On a CPU a moment is the clock's; on CUDA it is an event, whose time is known once the device has come by.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch

from corridor_cli.records import CaptionTiming, RequestKey

_names_ranges = False


def name_ranges() -> None:
    """From now on passes stand by name in the traces of torch's profiler and, on CUDA, of NVIDIA's tools."""
    global _names_ranges
    _names_ranges = True


def passing_range(name: str) -> AbstractContextManager[None]:
    """What is launched inside is seen as `name`, if anybody looks."""
    return _named_range(name) if _names_ranges else nullcontext()


@contextmanager
def _named_range(name: str) -> Iterator[None]:
    with torch.profiler.record_function(f"vlmtl:{name}"):
        if torch.cuda.is_available():
            with torch.cuda.nvtx.range(name):
                yield
        else:
            yield


def mark(device: str) -> Any:
    """This moment in the device's own time, for `seconds_between`."""
    if device == "cpu":
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    event.record()
    return event


def seconds_between(start: Any, end: Any) -> float:
    """Seconds from one mark to another; waits until the device has come by the second."""
    if isinstance(start, float):
        return float(end - start)
    end.synchronize()
    return float(start.elapsed_time(end)) / 1000


class PassTimes:
    """How long passes of each name have taken in all."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._totals: dict[Hashable, float] = {}
        self._open: deque[tuple[Hashable, Any, Any]] = deque()

    def total_seconds(self, name: Hashable) -> float:
        """The sum over the passes known to have ended."""
        self._settle()
        return self._totals.get(name, 0.0)

    def take(self) -> dict[Any, float]:
        """Seconds by name since the last call, of the passes known to have ended."""
        self._settle()
        totals, self._totals = self._totals, {}
        return totals

    @contextmanager
    def measured(self, name: Hashable) -> Iterator[None]:
        """Times what is launched inside; what raises does not count."""
        start = mark(self._device)
        with passing_range(str(name)):
            yield
        end = mark(self._device)
        if self._device == "cpu":
            self._add(name, end - start)
        else:
            self._open.append((name, start, end))

    def _settle(self) -> None:
        while self._open and self._open[0][2].query():
            name, start, end = self._open.popleft()
            self._add(name, start.elapsed_time(end) / 1000)

    def _add(self, name: Hashable, seconds: float) -> None:
        self._totals[name] = self._totals.get(name, 0.0) + seconds


class RequestTimes:
    """Follows each request from `submit` to its caption."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._submitted: dict[RequestKey, float] = {}
        self._waited: dict[RequestKey, float] = {}
        self._entered: dict[RequestKey, Any] = {}
        self._first: dict[RequestKey, Any] = {}

    def submitted(self, key: RequestKey) -> None:
        """It was given to the engine."""
        self._submitted[key] = time.perf_counter()

    @contextmanager
    def entering(self, keys: list[RequestKey]) -> Iterator[None]:
        """Inside it their frames are encoded and their prompts prefilled, which makes their first token."""
        now, entered = time.perf_counter(), mark(self._device)
        yield
        first = mark(self._device)
        for key in keys:
            self._waited[key] = now - self._submitted.get(key, now)
            self._entered[key], self._first[key] = entered, first

    def ended(self, key: RequestKey) -> CaptionTiming | None:
        """Its times, once its last token is known; None when it never came to a first one."""
        self._submitted.pop(key, None)
        waited, entered = self._waited.pop(key, None), self._entered.pop(key, None)
        first = self._first.pop(key, None)
        if waited is None:
            return None
        return CaptionTiming(
            waited, seconds_between(entered, first), seconds_between(entered, mark(self._device))
        )
