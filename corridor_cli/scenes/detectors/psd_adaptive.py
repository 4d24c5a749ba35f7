"""The detector psd-adaptive: PySceneDetect's AdaptiveDetector, cut for cut (scenedetect 0.7.2, over PyAV)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from corridor_cli.scenes.detectors.base import Look, SceneStart
from corridor_cli.scenes.detectors.psd_score import ContentScore, MinLength

if TYPE_CHECKING:
    from corridor_cli.records import VideoInfo
    from corridor_cli.scenes.scores import ScoreLog

DEFAULT_RATIO = 3.0
MIN_SCORE = 15.0
WINDOW = 2
MAX_RATIO = 255.0
# Below this the neighbours are taken for still.
STILL_MEAN = 0.00001


class PsdAdaptiveDetector:
    """Cuts where the content score reaches 15 and `ratio` times the mean of the two before and two after it.

    The first and the last two frames are never tested. The minimum length counts from the first frame, too.
    """

    def __init__(
        self,
        ratio: float | None,
        min_scene_seconds: float | None,
        info: VideoInfo | None,
        scores: ScoreLog | None = None,
    ) -> None:
        self._scores = scores
        self._ratio = DEFAULT_RATIO if ratio is None else ratio
        self._min_length = MinLength(min_scene_seconds, info)
        self._score = ContentScore(info)
        self._recent: deque[tuple[SceneStart, float]] = deque(maxlen=2 * WINDOW + 1)
        self._last_cut: SceneStart | None = None
        self.settled = 0

    def push(self, look: Look) -> list[SceneStart]:
        """See `Detector.push`."""
        score = self._score.of(look)
        if self._scores is not None:
            self._scores.scored(look.frame_index, look.time, score if look.frame_index else None, MIN_SCORE)
        if score is None:
            return []
        here = SceneStart(look.frame_index, look.time, "cut")
        if self._last_cut is None:
            self._last_cut = here
        self._recent.append((here, score))
        if len(self._recent) < 2 * WINDOW + 1:
            return []
        target, target_score = self._recent[WINDOW]
        self.settled = target.frame_index + 1
        if not self._stands_out(target_score) or not self._min_length.is_met(self._last_cut, target):
            return []
        self._last_cut = target
        return [target]

    def finish(self) -> list[SceneStart]:
        """See `Detector.finish`."""
        return []

    def _stands_out(self, score: float) -> bool:
        if score < MIN_SCORE:
            return False
        # One by one: since Python 3.12 `sum` rounds floats otherwise than PySceneDetect's numpy numbers.
        (_, a), (_, b), _, (_, c), (_, d) = self._recent
        mean = (a + b + c + d) / (2.0 * WINDOW)
        ratio = MAX_RATIO if abs(mean) < STILL_MEAN else min(score / mean, MAX_RATIO)
        return ratio >= self._ratio
