"""What else the processors do while an estimate measures: the reason why two measurements may differ."""

from __future__ import annotations

import resource
import time


class OtherWork:
    """Watches from when it is made. Children count as our own once they are gone."""

    def __init__(self) -> None:
        self._busy_seconds, self._all_seconds = _system_seconds()
        self._own_seconds = _own_seconds()

    def share(self) -> float:
        """How much of all processor time went to other processes since then, 0 to 1."""
        busy, whole = _system_seconds()
        own = _own_seconds() - self._own_seconds
        span = whole - self._all_seconds
        others = busy - self._busy_seconds - own
        return min(1.0, max(0.0, others / span)) if span > 0 else 0.0


def _system_seconds() -> tuple[float, float]:
    """Seconds all processors together were busy since the machine was started, and all there were."""
    import psutil

    times = psutil.cpu_times()._asdict()
    guests = times.get("guest", 0.0) + times.get("guest_nice", 0.0)  # counted as user time, too
    whole = sum(times.values()) - guests
    return whole - times["idle"] - times.get("iowait", 0.0), whole


def _own_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
