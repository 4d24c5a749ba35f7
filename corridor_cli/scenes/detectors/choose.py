"""The detector which the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corridor_cli.scenes.detectors.adaptive import AdaptiveDetector
from corridor_cli.scenes.detectors.content import ContentDetector
from corridor_cli.scenes.detectors.interval import IntervalDetector
from corridor_cli.scenes.detectors.psd_adaptive import PsdAdaptiveDetector
from corridor_cli.scenes.detectors.whole import NoDetector

if TYPE_CHECKING:
    from corridor_cli.records import VideoInfo
    from corridor_cli.scenes.detectors.base import Detector
    from corridor_cli.scenes.scores import ScoreLog
    from corridor_cli.settings import SceneSettings

# PySceneDetect's default is 15 frames, see `psd_score.MinLength`.
MIN_SCENE_SECONDS = 0.25


def min_scene_seconds(settings: SceneSettings) -> float:
    """How far apart the cuts of the detector adaptive are at least."""
    given = settings.min_scene_seconds
    return MIN_SCENE_SECONDS if given is None else given


def choose_detector(
    settings: SceneSettings, scores: ScoreLog | None = None, info: VideoInfo | None = None
) -> Detector:
    """A fresh detector for one video. `scores` hears what it measures; fixed lengths measure nothing.

    `info` None means that nothing is known of the video.
    """
    match settings.detector:
        case "adaptive":
            return AdaptiveDetector(settings.threshold, min_scene_seconds(settings), scores)
        case "content":
            return ContentDetector(settings.threshold, settings.min_scene_seconds, info, scores)
        case "psd-adaptive":
            return PsdAdaptiveDetector(settings.threshold, settings.min_scene_seconds, info, scores)
        case "interval":
            return IntervalDetector(settings.interval_seconds)
        case "none":
            return NoDetector()
        case "file":
            raise AssertionError("cuts that are given have a detector of their own: see SceneFinder")
