"""The detector called `none`: the whole video is one scene."""

from __future__ import annotations

from corridor_cli.scenes.detectors.base import Look, SceneStart


class NoDetector:
    """Finds no boundary."""

    def __init__(self) -> None:
        self.settled = 0

    def push(self, look: Look) -> list[SceneStart]:
        """See `Detector.push`."""
        self.settled = look.frame_index + 1
        return []

    def finish(self) -> list[SceneStart]:
        """See `Detector.finish`."""
        return []
