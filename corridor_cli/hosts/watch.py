"""Whose silence is it? Children are judged by the time since they were heard, as long as main listens."""

from __future__ import annotations

import time

# Main looks several times a second. When it comes back after longer, it was stopped (Ctrl-Z) or held up by a
# disk, and what its children said or did meanwhile is not known.
MAX_ROUND_SECONDS = 5.0


class Watch:
    """Measures how long main was away between two looks."""

    def __init__(self) -> None:
        self._looked_at = time.monotonic()

    def away_seconds(self) -> float:
        """Seconds since the last look if they are too many for main to have listened, else 0."""
        now = time.monotonic()
        seconds, self._looked_at = now - self._looked_at, now
        return seconds if seconds > MAX_ROUND_SECONDS else 0.0
