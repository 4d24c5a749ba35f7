"""The interval detector: a boundary at fixed distances, whatever is in the pictures."""

from __future__ import annotations

from corridor_cli.scenes.detectors.base import Look, SceneStart, exact_seconds


class IntervalDetector:
    """Opens a scene at the first frame at or after each multiple of `interval_seconds`."""

    def __init__(self, interval_seconds: float) -> None:
        self._interval = exact_seconds(interval_seconds)
        self._next = self._interval
        self.settled = 0

    def push(self, look: Look) -> list[SceneStart]:
        """See `Detector.push`."""
        self.settled = look.frame_index + 1
        if look.time < self._next:
            return []
        self._next = self._interval * (look.time // self._interval + 1)
        return [SceneStart(look.frame_index, look.time, "split")]

    def finish(self) -> list[SceneStart]:
        """See `Detector.finish`."""
        return []
