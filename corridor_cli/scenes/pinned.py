"""Candidates that thinning must not take: of a scene so short that it may have no other.

A cut is told some frames behind it. By then a store that holds few, as of large pictures, may have let go of
all that lie between it and the next one, and a scene nobody has a picture of cannot be told.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from fractions import Fraction

from corridor_cli.scenes.candidates import Candidate, CandidateStore

# At a picture a second a cut is told four frames behind it, and each of those may begin a scene.
MAX_SUSPECTS = 6


class PinnedStore(CandidateStore):
    """Holds, besides, the newest frames and those at which scenes will begin."""

    _num_newest = 2

    def __init__(self, inset: Fraction) -> None:
        super().__init__(inset)
        self._newest: deque[Candidate] = deque(maxlen=self._num_newest)
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
        return [by_index[index] for index in sorted(by_index)]

    def drop_before(self, index: int, time: Fraction, *, is_split: bool) -> None:
        """See `CandidateStore.drop_before`."""
        self._pinned = [candidate for candidate in self._pinned if candidate.index >= index]
        while self._newest and self._newest[0].index < index:
            self._newest.popleft()
        super().drop_before(index, time, is_split=is_split)


class SuspectStore(PinnedStore):
    """Holds, besides, frames at which scenes may begin, until it is known whether they do."""

    _num_newest = 1

    def __init__(self, inset: Fraction) -> None:
        super().__init__(inset)
        self._changes: list[float] = []  # of those pinned
        self._awaits_next = math.inf  # the very first frame begins a scene

    def push(self, candidate: Candidate) -> None:
        """See `CandidateStore.push`."""
        super().push(candidate)
        if self._awaits_next:
            self.suspect(candidate.index, self._awaits_next)

    def held(self) -> list[Candidate]:
        """See `CandidateStore.held`; with all that are pinned, for a boundary that is told late may lie
        between them and the rest."""
        return self.kept()

    def suspect(self, index: int, change: float) -> None:
        """A scene may begin at this frame, the newest, after so large a change. Where its picture was let go,
        the next one kept stands for it. Of too many the smallest changes are the least likely."""
        num_pinned = len(self._pinned)
        self.pin(index)
        is_pinned = len(self._pinned) > num_pinned
        self._awaits_next = 0.0 if is_pinned else max(change, self._awaits_next)
        if is_pinned:
            self._changes.append(change)
            self._thin()

    def settle(self, settled: int) -> None:
        """No scene begins before this frame any more but the open one, which needs one until it has another
        that stays."""
        if not self._pinned or self._pinned[0].index >= settled:
            return
        has_another = bool(self._head) and self._head[0].index < settled
        self._unpin([has_another, *(each.index < settled for each in self._pinned[1:])])

    def drop_before(self, index: int, time: Fraction, *, is_split: bool) -> None:
        """See `CandidateStore.drop_before`."""
        self._unpin([candidate.index < index for candidate in self._pinned])
        super().drop_before(index, time, is_split=is_split)
        earliest = self.held()[0]
        if not (self._pinned and self._pinned[0] is earliest):
            self._pinned.insert(0, earliest)
            self._changes.insert(0, math.inf)
            self._thin()

    def _thin(self) -> None:
        if len(self._pinned) > MAX_SUSPECTS:
            least = self._changes.index(min(self._changes))
            del self._pinned[least], self._changes[least]

    def _unpin(self, which: Sequence[bool]) -> None:
        self._pinned = [each for each, goes in zip(self._pinned, which, strict=True) if not goes]
        self._changes = [each for each, goes in zip(self._changes, which, strict=True) if not goes]
