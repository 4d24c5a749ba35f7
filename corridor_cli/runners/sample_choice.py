"""Which videos an estimate looks into, and how far: a few of every kind and length. Pure arithmetic."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence

from corridor_cli.runners.looks import Kind, VideoFacts, length_class

FIRST_LOOK_SECONDS = 2.0
# Only the order of the kinds hangs on this: pixels one core decodes and looks at in a second.
_GUESSED_PIXELS_PER_SECOND = 2e8
_SECOND_LOOK_SECONDS = 5.0
_SEED = 1


def choose_sample(videos: Sequence[VideoFacts], max_videos: int | None = None) -> list[int]:
    """All videos, or the first `max_videos`, in the order to look into them: one of each kind and length in
    turn, those first that make most work; of the same kind in no order that could mean anything."""
    costs = [video.frames * video.pixels / _GUESSED_PIXELS_PER_SECOND for video in videos]
    strata: dict[tuple[Kind, int], list[int]] = defaultdict(list)
    for number, video in enumerate(videos):
        strata[video.kind, length_class(video)].append(number)
    chance = random.Random(_SEED)
    for members in strata.values():
        chance.shuffle(members)
    heaviest_first = sorted(strata.values(), key=lambda members: -sum(costs[number] for number in members))
    order: list[int] = []
    for place in range(max(map(len, heaviest_first), default=0)):
        order += [members[place] for members in heaviest_first if place < len(members)]
    return order[:max_videos]


def choose_second_looks(costs: Mapping[int, float], budget: float) -> tuple[list[int], float]:
    """Which of those that were cut off to look into again, and for how long each at most: the ones that make
    most work, and as many as `budget` seconds of the workers leave some time for. `costs` are what they would
    take whole, by number."""
    heaviest = sorted(costs, key=lambda number: -costs[number])[: int(budget / _SECOND_LOOK_SECONDS)]
    left = budget
    for done, number in enumerate(reversed(heaviest)):
        share = left / (len(heaviest) - done)
        if costs[number] > share:
            return heaviest, share
        left -= costs[number]
    return heaviest, max((costs[number] for number in heaviest), default=0.0) + left
