"""Scenes from cuts that were given: every cut opens one and nothing else does.

Transitions are looked for all the same, so that picks keep out of them.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from corridor_cli.scenes.boundaries import BoundaryFinder, Kind

if TYPE_CHECKING:
    from corridor_cli.scenes.detectors.base import Look, SceneStart
    from corridor_cli.scenes.thumb_rows import Instant

# As long as the detector adaptive takes to decide: a short dissolve around the cut is seen by then, a long
# one is being seen, and the candidates at the end of the scene are still held.
WAIT_SECONDS = Fraction(3, 10)
# Each cut that waits holds a frame.
MAX_WAITING = 8


class GivenBoundaries(BoundaryFinder):
    """Lets a cut wait until it is known whether the frames before it belong to a transition."""

    # A cut inside rules a mixture out, and nobody looks for cuts here: those given may leave some out.
    _seeks_mixtures = False
    _is_over = False
    _now = Fraction(0)

    def push(self, look: Look) -> list[SceneStart]:
        """See `BoundaryFinder.push`."""
        self._now = look.time
        return super().push(look)

    def finish(self, end: Fraction) -> list[SceneStart]:
        """See `BoundaryFinder.finish`."""
        if self._blends is not None:
            self._settle_blends(self._blends.close())
        self._settle_fade_out()
        self._is_over = True
        return super().finish(end)

    def _release_cuts(self) -> list[SceneStart]:
        found: list[SceneStart] = []
        while self._cuts and not self._waits(self._cuts[0]):
            found += self._accept(self._cuts.popleft())
        return found

    def _waits(self, cut: SceneStart) -> bool:
        if self._is_over or self._blends is None or len(self._cuts) > MAX_WAITING:
            return False
        if self._now - cut.time < WAIT_SECONDS:
            return True
        seen = self._blends.open
        if seen is not None and seen[1].frame_index < cut.frame_index:
            self._settle_blends(self._blends.close())
            seen = None
        is_inside = seen is not None and seen[0].frame_index < cut.frame_index
        return is_inside or self._fade_out is not None

    def _open_scene(self, kind: Kind, start: Instant, end: Instant) -> list[SceneStart]:
        self._record(kind, start, end)
        return []
