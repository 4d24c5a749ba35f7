"""What was measured for each frame, kept for those who want to choose a threshold.

Detectors decide a few frames late, the transition finder at once: a row is whole when the detector has
spoken.
"""

from __future__ import annotations

from fractions import Fraction

from corridor_cli.records import FrameScore


class ScoreLog:
    """Collects what a detector and a transition finder say; `take` hands over the rows that are whole."""

    def __init__(self) -> None:
        self._rows: list[FrameScore] = []
        self._residuals: dict[int, float] = {}

    def scored(self, frame_index: int, time: Fraction, score: float | None, threshold: float) -> None:
        """The detector's score of a frame and what it had to reach there; frames come in ascending order."""
        self._rows.append(FrameScore(frame_index, time, score, threshold, None))

    def blended(self, frame_index: int, residual: float | None) -> None:
        """How far the frames up to this one are from being a blend; None where nothing changes gradually."""
        if residual is not None:
            self._residuals[frame_index] = residual

    def __len__(self) -> int:
        return len(self._rows)

    def take(self) -> tuple[FrameScore, ...]:
        """The rows since the last call; to be called after a push, when all has been said of its frame."""
        rows, self._rows = self._rows, []
        return tuple(row._replace(transition=self._residuals.pop(row.frame_index, None)) for row in rows)
