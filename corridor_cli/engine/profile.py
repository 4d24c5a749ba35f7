"""A look into an engine while it works: torch's own profiler, with our passes as named ranges.

The first rounds are left out, for they load kernels, and only some seconds are kept: a trace has an event for
each operation, and a browser must still be able to open it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch

from corridor_cli.engine.local import timing

TRACE_SECONDS = 5.0
_ROUNDS_LEFT_OUT = 3


class EngineProfile:
    """Writes a Chrome trace to `path`, once, when enough was seen or the engine is closed."""

    def __init__(self, path: Path, seconds: float = TRACE_SECONDS) -> None:
        self._path, self._seconds = path, seconds
        self._num_rounds = 0
        self._profiler: Any = None
        self._until = 0.0
        timing.name_ranges()

    def round(self) -> None:
        """The engine has done a round of work."""
        self._num_rounds += 1
        if self._num_rounds == _ROUNDS_LEFT_OUT:
            self._start()
        elif self._profiler is not None and time.perf_counter() > self._until:
            self.close()

    def close(self) -> None:
        """Write what was seen. Safe to call twice; a run of few rounds leaves no trace."""
        profiler, self._profiler = self._profiler, None
        if profiler is not None:
            profiler.stop()
            profiler.export_chrome_trace(str(self._path))

    def _start(self) -> None:
        activities = [torch.profiler.ProfilerActivity.CPU]
        if torch.cuda.is_available():
            activities.append(torch.profiler.ProfilerActivity.CUDA)
        self._profiler = torch.profiler.profile(activities=activities)
        self._profiler.start()
        self._until = time.perf_counter() + self._seconds
