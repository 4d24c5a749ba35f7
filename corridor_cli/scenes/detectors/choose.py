"""The detector which the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corridor_cli.scenes.detectors.adaptive import AdaptiveDetector
from corridor_cli.scenes.detectors.content import ContentDetector
from corridor_cli.scenes.detectors.interval import IntervalDetector
from corridor_cli.scenes.detectors.whole import NoDetector

if TYPE_CHECKING:
    from corridor_cli.scenes.detectors.base import Detector
    from corridor_cli.scenes.scores import ScoreLog
    from corridor_cli.settings import SceneSettings


def choose_detector(settings: SceneSettings, scores: ScoreLog | None = None) -> Detector:
    """A fresh detector for one video. `scores` hears what it measures; fixed lengths measure nothing."""
    match settings.detector:
        case "adaptive":
            return AdaptiveDetector(settings.threshold, settings.min_scene_seconds, scores)
        case "content":
            return ContentDetector(settings.threshold, settings.min_scene_seconds, scores)
        case "interval":
            return IntervalDetector(settings.interval_seconds)
        case "none":
            return NoDetector()
