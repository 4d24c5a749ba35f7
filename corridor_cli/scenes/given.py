"""Scenes from cuts that were given: every cut opens one and nothing else does.

Transitions are looked for all the same, so that picks keep out of them.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING

from corridor_cli.scenes.boundaries import BoundaryFinder, Kind
from corridor_cli.scenes.candidates import Candidate, CandidateStore

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


class PinnedStore(CandidateStore):
    """Holds, besides, the frame before the newest and those at which scenes will begin.

    Thinning may take any frame, and a scene of one frame has no other.
    """

    def __init__(self, inset: Fraction) -> None:
        super().__init__(inset)
        self._newest: deque[Candidate] = deque(maxlen=2)
        self._pinned: list[Candidate] = []

    def push(self, candidate: Candidate) -> None:
        """See `CandidateStore.push`."""
        self._newest.append(candidate)
        super().push(candidate)

    def pin(self, index: int) -> None:
        """Hold the frame with this index, one of the newest two, until its scene is over."""
        self._pinned += [candidate for candidate in self._newest if candidate.index == index]

    def held(self) -> list[Candidate]:
        """See `CandidateStore.held`; those that are pinned only where their scene has no other."""
        found = super().held()
        ends = [*(each.index for each in self._pinned[1:]), None]
        for each, end in zip(self._pinned, ends, strict=False):
            if not any(each.index <= other.index and (end is None or other.index < end) for other in found):
                found.append(each)
        return sorted(found, key=lambda each: each.index)

    def kept(self) -> list[Candidate]:
        """See `CandidateStore.kept`."""
        by_index = {each.index: each for each in (*super().held(), *self._pinned, *self._newest)}
        return list(by_index.values())

    def drop_before(self, index: int, time: Fraction, *, is_split: bool) -> None:
        """See `CandidateStore.drop_before`."""
        self._pinned = [candidate for candidate in self._pinned if candidate.index >= index]
        while self._newest and self._newest[0].index < index:
            self._newest.popleft()
        super().drop_before(index, time, is_split=is_split)
