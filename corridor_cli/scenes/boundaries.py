"""Cuts and transitions brought together: which of them open a scene.

A dissolve opens one at its midpoint. A fade beside a boundary (or the start or end of the video), with at
most `MAX_HOLD` of plain colour between, belongs to that boundary and opens none; a fade out that is followed
by a fade in is one transition. A blend with a cut inside opens one scene, not two. A mixture is a dissolve
where neither a cut nor a blend was found, so it is settled after them.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from corridor_cli.records import Transition
from corridor_cli.scenes.detectors.base import Detector, Look, SceneStart
from corridor_cli.scenes.mixtures import Mixture, MixtureFinder
from corridor_cli.scenes.thumb_rows import Instant, ThumbRows
from corridor_cli.scenes.transitions import Blend, TransitionFinder

if TYPE_CHECKING:
    from corridor_cli.scenes.marks import Marks

Kind = Literal["fade", "dissolve"]

MAX_HOLD = Fraction(1)
# A fade in is seen only when it has gone some way.
WAIT_FOR_FADE_IN = MAX_HOLD + Fraction(1, 2)


class BoundaryFinder:
    """Feeds a detector and, if given, a transition finder, and settles what they find, in order.

    `marks` holds the frame times of the open scene, `rows` the thumbs; their owner fills both before each
    push.
    """

    _seeks_mixtures = True

    def __init__(
        self,
        detector: Detector,
        blends: TransitionFinder | None,
        min_scene: Fraction,
        marks: Marks,
        rows: ThumbRows | None,
    ) -> None:
        self.transitions: list[Transition] = []
        self._detector = detector
        self._blends = blends
        self._min_scene = min_scene
        self._marks = marks
        self._cuts: deque[SceneStart] = deque()
        self._fade_out: Blend | None = None
        self._last_blend = (-1, -1)
        self._mixtures = MixtureFinder(rows) if rows is not None and self._seeks_mixtures else None
        self._waiting: deque[Mixture] = deque()
        self._last = SceneStart(0, Fraction(0), "start")

    @property
    def settled(self) -> int:
        """No boundary will be reported before this frame index any more."""
        settled = self._detector.settled
        if self._cuts:
            settled = min(settled, self._cuts[0].frame_index)
        if self._blends is not None:
            settled = min(settled, self._blends.settled)
        if self._mixtures is not None:
            settled = min(settled, self._mixtures.settled)
        if self._waiting:
            settled = min(settled, self._waiting[0].start.frame_index)
        if self._fade_out is not None:
            settled = min(settled, self._fade_out.start.frame_index)
        return settled

    def push(self, look: Look) -> list[SceneStart]:
        """The boundaries which this frame settles, ascending."""
        self._cuts += self._detector.push(look)
        found: list[SceneStart] = []
        if self._mixtures is not None:
            self._waiting += self._mixtures.push(look)
        if self._blends is not None:
            found += self._settle_blends(self._blends.push(look))
            if self._has_waited(look.time):
                found += self._settle_fade_out()
        found += self._release_cuts()
        # A cut inside is told by then, and counts for more.
        while self._waiting and self._waiting[0].end.frame_index < self._detector.settled:
            if self._is_claimed(self._waiting[0]):
                break
            found += self._settle_mixture(self._waiting.popleft())
        return found

    def finish(self, end: Fraction) -> list[SceneStart]:
        """The boundaries still open when the frames end. A fade out into the end opens no scene."""
        self._cuts += self._detector.finish()
        found = self._release_cuts()
        if self._blends is not None:
            found += self._settle_blends(self._blends.close())
            found += self._release_cuts()
            found += self._settle_last_mixtures()
        if self._fade_out is not None:
            if end - self._fade_out.end.time > MAX_HOLD:
                found += self._settle_fade_out()
            else:
                self._record("fade", self._fade_out.start, self._fade_out.end)
        return found

    def _settle_blends(self, blends: list[Blend]) -> list[SceneStart]:
        found: list[SceneStart] = []
        for blend in blends:
            found += self._settle_mixtures_before(blend.start.frame_index)
            self._last_blend = (blend.start.frame_index, blend.end.frame_index)
            if blend.direction == "in":
                found += self._settle_fade_in(blend)
                continue
            found += self._settle_fade_out()
            if blend.direction == "out":
                self._fade_out = blend
            else:
                found += self._open_scene("dissolve", blend.start, blend.end)
        return found

    def _settle_mixtures_before(self, frame_index: int) -> list[SceneStart]:
        found: list[SceneStart] = []
        while self._waiting and self._waiting[0].middle.frame_index < frame_index:
            found += self._settle_mixture(self._waiting.popleft())
        return found

    def _settle_last_mixtures(self) -> list[SceneStart]:
        self._waiting += self._close_mixtures()
        found = [start for mixture in self._waiting for start in self._settle_mixture(mixture)]
        self._waiting.clear()
        return found

    def _close_mixtures(self) -> list[Mixture]:
        return self._mixtures.close() if self._mixtures is not None else []

    def _is_claimed(self, mixture: Mixture) -> bool:
        """Whether what is being seen of a blend may be this mixture."""
        seen = self._blends.open if self._blends is not None else None
        return seen is not None and seen[0].frame_index < mixture.end.frame_index

    def _settle_mixture(self, mixture: Mixture) -> list[SceneStart]:
        """A mixture where nothing else was found is a dissolve."""
        if self._is_known(mixture):
            return []
        found = self._settle_fade_out()
        return found + self._open_scene("dissolve", mixture.start, mixture.end)

    def _is_known(self, mixture: Mixture) -> bool:
        if self._has_begun_inside(mixture):
            return True
        fades = [(change.start, change.end) for change in self.transitions[-2:] if change.kind == "fade"]
        if self._fade_out is not None:
            fades.append((self._fade_out.start.time, self._fade_out.end.time))
        # Between its two halves a fade looks like a mixture, too.
        if any(mixture.start.time < end and start < mixture.end.time for start, end in fades):
            return True
        return any(
            change.start <= mixture.middle.time <= change.end
            or mixture.start.time <= (change.start + change.end) / 2 <= mixture.end.time
            for change in self.transitions[-2:]
        )

    def _has_begun_inside(self, mixture: Mixture) -> bool:
        return self._last.frame_index > mixture.start.frame_index

    def _settle_fade_in(self, blend: Blend) -> list[SceneStart]:
        out = self._fade_out
        if out is not None and blend.start.time - out.end.time <= MAX_HOLD:
            self._fade_out = None
            return self._open_scene("fade", out.start, blend.end)
        found = self._settle_fade_out()
        if self._last.time >= blend.start.time - MAX_HOLD:
            self._record("fade", blend.start, blend.end)
            return found
        return found + self._open_scene("fade", blend.start, blend.end)

    def _settle_fade_out(self) -> list[SceneStart]:
        """The open fade out, if any, leads into a scene of plain colour."""
        out, self._fade_out = self._fade_out, None
        return [] if out is None else self._open_scene("fade", out.start, out.end)

    def _has_waited(self, now: Fraction) -> bool:
        if self._fade_out is None or self._blends is None:
            return False
        end = self._fade_out.end.time
        if now - end <= WAIT_FOR_FADE_IN:
            return False
        seen = self._blends.open
        return seen is None or seen[0].time - end > MAX_HOLD

    def _release_cuts(self) -> list[SceneStart]:
        found: list[SceneStart] = []
        while self._cuts:
            cut = self._cuts[0]
            seen = self._blends.open if self._blends is not None else None
            if seen is not None and seen[0].frame_index < cut.frame_index <= seen[1].frame_index:
                break
            self._cuts.popleft()
            if self._blends is not None and seen is not None and seen[1].frame_index < cut.frame_index:
                found += self._settle_blends(self._blends.close())
            mixture = self._mixtures.open if self._mixtures is not None else None
            if mixture is not None and mixture.end.frame_index < cut.frame_index:
                self._waiting += self._close_mixtures()
            found += self._settle_mixtures_before(cut.frame_index)
            found += self._settle_cut(cut)
        return found

    def _settle_cut(self, cut: SceneStart) -> list[SceneStart]:
        start, end = self._last_blend
        if start < cut.frame_index <= end:
            return []
        found: list[SceneStart] = []
        if self._fade_out is not None:
            if cut.time - self._fade_out.end.time <= MAX_HOLD:
                self._record("fade", self._fade_out.start, self._fade_out.end)
                self._fade_out = None
            else:
                found += self._settle_fade_out()
        is_apart = self._last.boundary == "start" or cut.time - self._last.time >= self._min_scene
        return found + (self._accept(cut) if is_apart else [])

    def _open_scene(self, kind: Kind, start: Instant, end: Instant) -> list[SceneStart]:
        self._record(kind, start, end)
        index, time = self._marks.first_from((start.time + end.time) / 2)
        if self._last.frame_index > start.frame_index or time - self._last.time < self._min_scene:
            return []
        return self._accept(SceneStart(index, time, "transition"))

    def _accept(self, start: SceneStart) -> list[SceneStart]:
        if start.frame_index <= self._last.frame_index:
            return []
        self._last = start
        return [start]

    def _record(self, kind: Kind, start: Instant, end: Instant) -> None:
        self.transitions.append(Transition(kind, start.time, end.time))
