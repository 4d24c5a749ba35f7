"""Shots put one after the other, by cuts, dissolves and fades, with a label for each boundary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from scenes_set.clips import ClipShelf
from scenes_set.effects import with_effects
from scenes_set.shots import FAST, SLOW, DrawnShot, Shot, Size
from scenes_set.worlds import Place, draw_place

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Kind = Literal["cut", "dissolve", "fade"]

NUM_SHOTS = 13
SHARE_OF_CUTS, SHARE_OF_DISSOLVES = 0.6, 0.22
# A second shot from the place of the last one: another angle of the same room.
SHARE_OF_SAME_PLACE = 0.15
SHARE_OF_REAL = 0.35


@dataclass(frozen=True)
class Label:
    """A boundary: the frames (first, last) at which it may be reported. A cut has one, its first new frame;
    a dissolve and a fade have all from the first mixed frame to the last."""

    kind: Kind
    first: int
    last: int


@dataclass(frozen=True)
class Join:
    """How one shot becomes the next. Frames are mixed `num_out` at the end of the one, `num_in` at the start
    of the next (a dissolve mixes both over `num_out`), with `num_held` frames of `level` between."""

    kind: Kind
    num_out: int = 0
    num_held: int = 0
    num_in: int = 0
    level: int = 0


@dataclass(frozen=True)
class Story:
    """Everything of one video but its pictures."""

    labels: tuple[Label, ...]
    tags: tuple[tuple[int, tuple[str, ...]], ...]
    num_frames: int

    def as_json(self) -> dict[str, Any]:
        """For the file beside the video."""
        return asdict(self)


class Composer:
    """One video's story and pictures. The same seed gives the same, given the same clips."""

    def __init__(self, seed: int, rate: float, size: Size, shelf: ClipShelf) -> None:
        self._rng = np.random.default_rng(seed)
        self._rate, self._size, self._shelf = rate, size, shelf
        self._place: Place | None = None
        self._joins = [self._draw_join() for _ in range(NUM_SHOTS - 1)]
        ends = [Join("cut"), *self._joins, Join("cut")]
        self._shots = [self._draw_shot(before, after) for before, after in pairwise(ends)]
        self.story = tell(self._shots, self._joins)

    def pictures(self) -> Iterator[Pixels]:
        """All frames, uint8 (h, w, 3) RGB."""
        skip = 0
        for shot, join, following in zip(self._shots, self._joins, self._shots[1:], strict=False):
            yield from (shot.picture(at) for at in range(skip, shot.num_frames - join.num_out))
            skip = join.num_out if join.kind == "dissolve" else join.num_in
            yield from mixed(shot, join, following)
        last = self._shots[-1]
        yield from (last.picture(at) for at in range(skip, last.num_frames))

    def _draw_join(self) -> Join:
        rng, kind = self._rng, self._rng.uniform()
        if kind < SHARE_OF_CUTS:
            return Join("cut")
        if kind < SHARE_OF_CUTS + SHARE_OF_DISSOLVES:
            return Join("dissolve", num_out=self._frames(0.4, 1.6))
        level = 0 if rng.uniform() < 0.75 else 255
        return Join(
            "fade", self._frames(0.35, 1.2), int(rng.integers(0, self._frames(0.5, 0.6))),
            self._frames(0.35, 1.2), level,
        )  # fmt: skip

    def _draw_shot(self, before: Join, after: Join) -> Shot:
        rng = self._rng
        # One in twenty is too short for PySceneDetect's 0.6 s; short ones with every rule would be unfair.
        seconds = rng.uniform(0.33, 0.6) if rng.uniform() < 0.05 else 0.65 + rng.exponential(0.7)
        inside = before.num_out if before.kind == "dissolve" else before.num_in
        num_frames = round(min(seconds, 4.0) * self._rate) + inside + after.num_out
        shot: Shot | None = None
        if rng.uniform() < SHARE_OF_REAL:
            shot = self._shelf.take(rng, num_frames)
        if shot is None:
            if self._place is None or rng.uniform() >= SHARE_OF_SAME_PLACE:
                self._place = draw_place(rng)
            # Who cuts film together dissolves and fades where the camera is calm.
            is_calm = before.kind != "cut" or after.kind != "cut" or rng.uniform() < 0.75
            motion = str(rng.choice(SLOW if is_calm else FAST))
            shot = DrawnShot(rng, self._place, num_frames, motion, self._size)
        is_plain = before.kind != "cut" or after.kind != "cut"
        return shot if is_plain and rng.uniform() < 0.5 else with_effects(shot, rng, self._rate)

    def _frames(self, low_seconds: float, high_seconds: float) -> int:
        return max(4, round(self._rng.uniform(low_seconds, high_seconds) * self._rate))


def mixed(shot: Shot, join: Join, following: Shot) -> Iterator[Pixels]:
    """The frames that are neither of the two shots' own."""
    tail = shot.num_frames - join.num_out
    if join.kind == "dissolve":
        for at in range(join.num_out):
            share = np.float32((at + 1) / (join.num_out + 1))
            yield _mix(shot.picture(tail + at), following.picture(at), share)
    elif join.kind == "fade":
        plain = np.full_like(shot.picture(0), join.level)
        for at in range(join.num_out):
            yield _mix(shot.picture(tail + at), plain, np.float32((at + 1) / (join.num_out + 1)))
        for _ in range(join.num_held):
            yield plain
        for at in range(join.num_in):
            yield _mix(plain, following.picture(at), np.float32((at + 1) / (join.num_in + 1)))


def tell(shots: Sequence[Shot], joins: Sequence[Join]) -> Story:
    """Where each boundary lies, and which frames belong to which shot."""
    labels, tags, at, skip = [], [], 0, 0
    for shot, join in zip(shots, [*joins, Join("cut")], strict=True):
        tags.append((at, shot.tags))
        at += shot.num_frames - join.num_out - skip
        first = at
        if join.kind == "cut":
            skip = 0
            labels.append(Label("cut", at, at))
            continue
        at += join.num_out + (join.num_held + join.num_in if join.kind == "fade" else 0)
        skip = join.num_out if join.kind == "dissolve" else join.num_in
        labels.append(Label(join.kind, first, at - 1))
    return Story(tuple(labels[:-1]), tuple(tags), at)


def thinned(story: Story, kept: Sequence[int]) -> Story:
    """The story of a video in which only the frames `kept` (ascending) are left."""
    place = np.searchsorted(np.asarray(kept), np.arange(story.num_frames + 1))
    labels = tuple(
        Label(each.kind, int(place[each.first]), max(int(place[each.first]), int(place[each.last + 1]) - 1))
        for each in story.labels
    )
    return Story(labels, tuple((int(place[at]), tags) for at, tags in story.tags), len(kept))


def _mix(before: Pixels, after: Pixels, share: np.float32) -> Pixels:
    return np.rint(before * (1 - share) + after * share).astype(np.uint8)
