"""The detector which the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corridor_cli.scenes.detectors.adaptive import AdaptiveDetector
from corridor_cli.scenes.detectors.content import ContentDetector
from corridor_cli.scenes.detectors.interval import IntervalDetector
from corridor_cli.scenes.detectors.whole import NoDetector

if TYPE_CHECKING:
    from corridor_cli.scenes.detectors.base import Detector
    from corridor_cli.settings import SceneSettings


def choose_detector(settings: SceneSettings) -> Detector:
    """A fresh detector for one video."""
    match settings.detector:
        case "adaptive":
            return AdaptiveDetector(settings.threshold, settings.min_scene_seconds)
        case "content":
            return ContentDetector(settings.threshold, settings.min_scene_seconds)
        case "interval":
            return IntervalDetector(settings.interval_seconds)
        case "none":
            return NoDetector()
