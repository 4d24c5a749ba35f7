"""Frames held while their scene is open: few, well placed, never more than `MAX_HELD`.

Each may hold a decoded picture of some megabytes, so their number is what bounds the memory of a scan: of
pictures above 1080p fewer are held.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from corridor_cli.scenes.gaps import is_closer
from corridor_cli.scenes.thumbs import SCALE, Thumb, is_flat

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corridor_cli.records import ScanFrame

# The first good frames past the inset; an even spread; every ~0.3 s before now; the last third of a second.
NUM_HEAD = 3
NUM_SPREAD = 12
NUM_PAST = 6
NUM_RECENT = 13
ENOUGH_RECENT = 9
MAX_HELD = NUM_HEAD + NUM_SPREAD + NUM_PAST + NUM_RECENT
# What pictures may take together, those that a decoder holds itself among them. So all of 1080p are held, 14
# of 4K, and of 4K at 10 bits six, never less: its decoder alone takes 240 MB.
PICTURES_BYTES = 270_000_000
NUM_OF_DECODER = 6
LEAST = (1, 1, 1, 3)
PAST_GAP = Fraction(3, 10)
# What the detectors need to find a cut, on top of the inset.
RECENT_SECONDS = Fraction(3, 10)

# Black is 16 and white 235 in limited-range video; a box mean beyond these is plainly neither.
BLACK_LEVEL = 40
WHITE_LEVEL = 220
FLAT_DEVIATION = 3.0


@dataclass(frozen=True, eq=False)
class Candidate:
    """A held frame with what is known of its picture."""

    frame: ScanFrame
    index: int
    time: Fraction
    thumb: Thumb
    ordinal: int  # among the frames pushed: where some were left out, indices have any remainder or none

    @cached_property
    def fault(self) -> str | None:
        """Why this picture cannot stand for a scene, in two words; None when it can."""
        luma = self.thumb[0]
        if int(luma.max()) < BLACK_LEVEL * SCALE:
            return "nearly black"
        if int(luma.min()) > WHITE_LEVEL * SCALE:
            return "nearly white"
        return "one colour" if is_flat(self.thumb, FLAT_DEVIATION) else None

    @cached_property
    def sharpness(self) -> float:
        """Variance of the Laplacian of luma, on at most 128 px of width."""
        luma = self.frame.planes.y.astype(np.int16)
        if min(luma.shape) < 3:
            return 0.0
        laplacian = 4 * luma[1:-1, 1:-1]
        laplacian -= luma[:-2, 1:-1]
        laplacian -= luma[2:, 1:-1]
        laplacian -= luma[1:-1, :-2]
        laplacian -= luma[1:-1, 2:]
        values = laplacian.reshape(-1).astype(np.float64)  # whole numbers: the sums are exact
        count = values.size
        total, squares = int(values.sum()), int(values @ values)
        return float((count * squares - total**2) / count**2)


class CandidateStore:
    """Holds candidates of the open scene. The newest frame is always among them."""

    def __init__(self, inset: Fraction) -> None:
        self._inset = inset
        self._recent_span = inset + 2 * RECENT_SECONDS  # reckoned once: `Fraction` is slow
        self._size = 0
        self._set_size(1)
        self._head: list[Candidate] = []
        self._spread: list[Candidate] = []
        self._past: list[Candidate] = []
        self._recent: list[Candidate] = []
        self._stride = 1
        self._head_from = inset

    def push(self, candidate: Candidate) -> None:
        """Take the next frame, and let others go."""
        if candidate.frame.num_bytes > self._size:
            self._set_size(candidate.frame.num_bytes)
        self._push_head(candidate)
        self._push_spread(candidate)
        if len(self._recent) > 1:
            before, newest = self._recent[-2:]
            if is_closer(before.time, newest.time, self._recent_gap):
                self._recent.pop()
        self._recent.append(candidate)
        while self._has_past(candidate.time):
            self._push_past(self._recent.pop(0))

    def _has_past(self, now: Fraction) -> bool:
        """Whether the oldest of the recent ones is so no more: a few are, however far apart they come."""
        if len(self._recent) > self._num_recent:
            return True
        return len(self._recent) > ENOUGH_RECENT and not is_closer(
            self._recent[0].time, now, self._recent_span
        )

    def _set_size(self, num_bytes: int) -> None:
        """Pictures take up to so many bytes: settle how many of them may be held."""
        self._size = num_bytes
        share = min(1.0, max(0.0, PICTURES_BYTES / num_bytes - NUM_OF_DECODER) / MAX_HELD)
        usual = (NUM_HEAD, NUM_SPREAD, NUM_PAST, NUM_RECENT)
        counts = (max(least, int(share * count)) for least, count in zip(LEAST, usual, strict=True))
        self._num_head, self._num_spread, self._num_past, self._num_recent = counts
        self._recent_gap = (self._inset + RECENT_SECONDS) / self._num_recent

    def held(self) -> list[Candidate]:
        """All candidates held, ascending, each once."""
        by_index = {c.index: c for part in (self._head, self._spread, self._past, self._recent) for c in part}
        return [by_index[index] for index in sorted(by_index)]

    def kept(self) -> list[Candidate]:
        """All that is in memory."""
        return self.held()

    def restart_head(self, time: Fraction) -> None:
        """A transition ends at `time`: the scene's first good frames come after it."""
        self._head_from = max(self._head_from, time + self._inset)
        self._head = []
        for candidate in self.held():
            self._push_head(candidate)

    def drop_before(self, index: int, time: Fraction, *, is_split: bool) -> None:
        """The open scene begins at this frame; the candidates before it are let go.

        A split does not begin anew: the scene that goes on keeps the density of its spread.
        """
        rest = [candidate for candidate in self.held() if candidate.index >= index]
        self._head_from = time + self._inset
        self._head = []
        self._past = [candidate for candidate in self._past if candidate.index >= index]
        self._recent = [candidate for candidate in self._recent if candidate.index >= index]
        if not is_split:
            self._stride = 1
            self._spread = []
        else:
            self._spread = [candidate for candidate in self._spread if candidate.index >= index]
        for candidate in rest:
            self._push_head(candidate)
            if not is_split:
                self._push_spread(candidate)

    def _push_head(self, candidate: Candidate) -> None:
        if len(self._head) < self._num_head and candidate.time >= self._head_from and candidate.fault is None:
            self._head.append(candidate)

    def _push_spread(self, candidate: Candidate) -> None:
        if candidate.ordinal % self._stride:
            return
        self._spread.append(candidate)
        while len(self._spread) > self._num_spread:
            self._stride *= 2
            self._spread = [kept for kept in self._spread if kept.ordinal % self._stride == 0]

    def _push_past(self, candidate: Candidate) -> None:
        if self._past and is_closer(self._past[-1].time, candidate.time, PAST_GAP):
            return
        self._past.append(candidate)
        del self._past[: -self._num_past]


def within(candidates: Iterable[Candidate], start_frame: int, end_frame: int) -> list[Candidate]:
    """The candidates of the scene `[start_frame, end_frame)`."""
    return [candidate for candidate in candidates if start_frame <= candidate.index < end_frame]
