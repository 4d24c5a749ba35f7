"""The content detector: a cut is a change of hue, saturation and value above a fixed threshold.

PySceneDetect's ContentDetector with its merging flash filter, cut for cut (scenedetect 0.7.2, over PyAV). Hue
is a number from 0 to 179 as there, not an angle: red to red over the wrap is a large change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corridor_cli.scenes.detectors.base import Look, SceneStart
from corridor_cli.scenes.detectors.psd_score import ContentScore, MinLength

if TYPE_CHECKING:
    from corridor_cli.records import VideoInfo
    from corridor_cli.scenes.scores import ScoreLog

DEFAULT_THRESHOLD = 27.0


class ContentDetector:
    """Cuts where the mean of |ΔH|, |ΔS|, |ΔV| reaches `threshold`.

    After the first cut, changes closer together than the minimum length are one cut, at the last of them.
    """

    def __init__(
        self,
        threshold: float | None,
        min_scene_seconds: float | None,
        info: VideoInfo | None,
        scores: ScoreLog | None = None,
    ) -> None:
        self._threshold = DEFAULT_THRESHOLD if threshold is None else threshold
        self._scores = scores
        self._min_length = MinLength(min_scene_seconds, info)
        self._score = ContentScore(info)
        self._last_change: SceneStart | None = None
        self._merge_start: SceneStart | None = None
        self._has_cut = False
        self.settled = 0

    def push(self, look: Look) -> list[SceneStart]:
        """See `Detector.push`."""
        score = self._score.of(look)
        if self._scores is not None:
            known = score if look.frame_index else None
            self._scores.scored(look.frame_index, look.time, known, self._threshold)
        self.settled = look.frame_index + 1
        found: list[SceneStart] = []
        if score is not None:
            here = SceneStart(look.frame_index, look.time, "cut")
            found = self._filter(here, is_change=score >= self._threshold)
        if self._last_change is not None and self._is_merged(self._last_change):
            self.settled = self._last_change.frame_index
        return found

    def finish(self) -> list[SceneStart]:
        """See `Detector.finish`. An unfinished merge is dropped, as in PySceneDetect."""
        return []

    def _filter(self, here: SceneStart, *, is_change: bool) -> list[SceneStart]:
        if self._min_length.is_nothing:
            return [here] if is_change else []
        last = here if self._last_change is None else self._last_change
        is_apart = self._min_length.is_met(last, here)
        self._last_change = here if is_change else last
        if self._merge_start is not None:
            if is_change or not is_apart or not self._is_merged(last):
                return []
            self._merge_start = None
            return [last]
        if not is_change:
            return []
        if is_apart:
            self._has_cut = True
            return [here]
        if self._has_cut:
            self._merge_start = here
        return []

    def _is_merged(self, last: SceneStart) -> bool:
        return self._merge_start is not None and self._min_length.is_met(self._merge_start, last)
