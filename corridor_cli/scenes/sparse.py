"""Boundaries where frames were left out: whole runs are looked at as ever, steps between them apart.

In a keyframe scan a step leads over frames that were not decoded. The reader takes care that it leads either
to a picture that is alike, or onto the very frame at which another scene begins, or says where it began.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from corridor_cli.records import SparseFrame
from corridor_cli.scenes.blend_kinds import is_new_picture
from corridor_cli.scenes.detectors.base import Detector, Look, SceneStart
from corridor_cli.scenes.looks import change_score
from corridor_cli.scenes.scores import ScoreLog
from corridor_cli.scenes.thumb_rows import ThumbRows
from corridor_cli.scenes.thumbs import Thumb, make_thumb
from corridor_cli.scenes.transitions import Blend, TransitionFinder

if TYPE_CHECKING:
    from corridor_cli.records import Planes, StepKind

# In the adaptive detector's levels. Below the first two pictures are alike; from the second on they are of
# two scenes, and between them they are where they do not show the same thing in another light.
DIFFERS = 8.0
OPENS = 12.0


def judge_step(before: Planes, after: Planes) -> StepKind:
    """What lies between two frames, by their planes; `unclear` where all frames between should be seen."""
    change = change_score(before, after)
    if change < DIFFERS:
        return "same"
    return "new" if _opens(change, make_thumb(before), make_thumb(after)) else "unclear"


def _opens(change: float, before: Thumb, after: Thumb) -> bool:
    return change >= OPENS or (change >= DIFFERS and is_new_picture(before, after))


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
            started = look.frame.scene_start if isinstance(look.frame, SparseFrame) else None
            if started is not None:
                found.append(SceneStart(*started, "cut"))
            elif _opens(look.change, self._last.thumb, look.thumb):
                found.append(SceneStart(look.frame_index, look.time, "cut"))
        self._last = look
        return found + self._detector.push(look)

    def finish(self) -> list[SceneStart]:
        """See `Detector.finish`."""
        return self._detector.finish()


class SparseTransitionFinder(TransitionFinder):
    """Finds blends inside runs of frames; none leads over a step."""

    def __init__(self, rows: ThumbRows, scores: ScoreLog | None = None) -> None:
        super().__init__(rows, scores)
        self._last_index = -1

    def push(self, look: Look) -> list[Blend]:
        """See `TransitionFinder.push`."""
        found: list[Blend] = []
        if look.frame_index > self._last_index + 1:
            found = self.close()
            self.forget()
        self._last_index = look.frame_index
        return found + super().push(look)
