"""The content detector: a cut is a change of hue, saturation and value above a fixed threshold.

The rule of PySceneDetect's ContentDetector with its merging flash filter, on planes at most 256 px wide; the
minimum distance is in seconds, not frames. Hue is a number from 0 to 179 as there, not an angle: red to red
over the wrap is a large change.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from corridor_cli.scenes.detectors.base import Look, SceneStart, exact_seconds
from corridor_cli.scenes.planes import same_size

if TYPE_CHECKING:
    from corridor_cli.records import Pixels
    from corridor_cli.scenes.scores import ScoreLog

DEFAULT_THRESHOLD = 27.0


class ContentDetector:
    """Cuts where the mean of |ΔH|, |ΔS|, |ΔV| reaches `threshold`.

    After the first cut, changes closer together than `min_scene_seconds` are one cut, at the last of them.
    """

    def __init__(
        self, threshold: float | None, min_scene_seconds: float, scores: ScoreLog | None = None
    ) -> None:
        self._threshold = DEFAULT_THRESHOLD if threshold is None else threshold
        self._scores = scores
        self._min_scene = exact_seconds(min_scene_seconds)
        self._hsv: Pixels | None = None
        self._last_change: SceneStart | None = None
        self._merge_start: Fraction | None = None
        self._has_cut = False
        self.settled = 0

    def push(self, look: Look) -> list[SceneStart]:
        """See `Detector.push`."""
        hsv = to_hsv(look.planes)
        score = 0.0
        if self._hsv is not None:
            score = hsv_change(same_size(self._hsv, hsv), hsv)
        if self._scores is not None:
            known = None if self._hsv is None else score
            self._scores.scored(look.frame_index, look.time, known, self._threshold)
        self._hsv = hsv
        here = SceneStart(look.frame_index, look.time, "cut")
        found = self._filter(here, is_change=score >= self._threshold)
        self.settled = look.frame_index + 1
        if self._last_change is not None and self._is_merged(self._last_change):
            self.settled = self._last_change.frame_index
        return found

    def finish(self) -> list[SceneStart]:
        """See `Detector.finish`. An unfinished merge is dropped, as in PySceneDetect."""
        return []

    def _filter(self, here: SceneStart, *, is_change: bool) -> list[SceneStart]:
        since = self._last_change.time if self._last_change is not None else Fraction(0)
        is_apart = here.time - since >= self._min_scene
        last = self._last_change
        if is_change:
            self._last_change = here
        if self._merge_start is not None:
            if is_change or not is_apart or last is None or not self._is_merged(last):
                return []
            self._merge_start = None
            return [last]
        if not is_change:
            return []
        if is_apart:
            self._has_cut = True
            return [here]
        if self._has_cut:
            self._merge_start = here.time
        return []

    def _is_merged(self, last: SceneStart) -> bool:
        return self._merge_start is not None and last.time - self._merge_start >= self._min_scene


def hsv_change(before: Pixels, after: Pixels) -> float:
    """The mean over three planes of the mean absolute difference."""
    difference = np.maximum(before, after)
    difference -= np.minimum(before, after)
    return int(difference.sum(dtype=np.uint32)) / difference.size


def to_hsv(planes: Pixels) -> Pixels:
    """YUV planes (BT.601, limited range) as uint8 HSV (3, h, w): hue 0 to 179, the rest 0 to 255."""
    y, u, v = planes.astype(np.float32)
    y = (y - 16) * np.float32(255 / 219)
    u -= 128
    v -= 128
    rgb = np.stack(
        (
            y + np.float32(1.596) * v,
            y - np.float32(0.392) * u - np.float32(0.813) * v,
            y + np.float32(2.017) * u,
        )
    )
    np.clip(np.rint(rgb, out=rgb), 0, 255, out=rgb)
    return _rgb_to_hsv(rgb)


def _rgb_to_hsv(rgb: NDArray[np.float32]) -> Pixels:
    red, green, blue = rgb
    value = rgb.max(axis=0)
    chroma = value - rgb.min(axis=0)
    safe = np.maximum(chroma, 1)
    hue = np.where(
        value == red,
        (green - blue) / safe,
        np.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    hue *= 30
    hue[hue < 0] += 180
    hsv = np.stack((hue, 255 * chroma / np.maximum(value, 1), value))
    result: Pixels = np.rint(hsv).astype(np.uint8)
    result[0][result[0] == 180] = 0
    return result
