"""Boundaries where frames were left out: whole runs are looked at as ever, steps between them apart.

In a keyframe scan a step leads over frames that were not decoded. The reader takes care that it leads either
to a picture that is alike, or onto the very frame at which another scene begins.
"""

from __future__ import annotations

from collections.abc import Callable

from corridor_cli.scenes.detectors.base import Detector, Look, SceneStart
from corridor_cli.scenes.scores import ScoreLog
from corridor_cli.scenes.transitions import Blend, TransitionFinder

# The adaptive detector's own threshold, in the same levels; `KeyframeReader` steps over no smaller change
# that it has not seen to be none.
STEP_CHANGE = 12.0


class SparseDetector:
    """A fresh detector for each run of frames; a large change over a step is a cut."""

    def __init__(self, make_detector: Callable[[], Detector]) -> None:
        self._make_detector = make_detector
        self._detector = make_detector()
        self._last: Look | None = None
        self._settled = 0

    @property
    def settled(self) -> int:
        """See `Detector.settled`."""
        return max(self._settled, self._detector.settled)

    def push(self, look: Look) -> list[SceneStart]:
        """See `Detector.push`."""
        found: list[SceneStart] = []
        if self._last is not None and look.frame_index > self._last.frame_index + 1:
            found += self._detector.finish()
            self._detector = self._make_detector()
            self._settled = look.frame_index
            if look.change >= STEP_CHANGE:
                found.append(SceneStart(look.frame_index, look.time, "cut"))
        self._last = look
        return found + self._detector.push(look)

    def finish(self) -> list[SceneStart]:
        """See `Detector.finish`."""
        return self._detector.finish()


class SparseTransitionFinder(TransitionFinder):
    """Finds blends inside runs of frames; none leads over a step."""

    def __init__(self, scores: ScoreLog | None = None) -> None:
        super().__init__(scores)
        self._last_index = -1

    def push(self, look: Look) -> list[Blend]:
        """See `TransitionFinder.push`."""
        found: list[Blend] = []
        if look.frame_index > self._last_index + 1:
            found = self.close()
            self.forget()
        self._last_index = look.frame_index
        return found + super().push(look)
