"""How many requests the summaries of all videos are, and what they come to. Pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from corridor_cli.runners.amounts import Amount
from corridor_cli.runners.looks import Look

# Before each caption stands its time: `[00:00:00] `, and a line feed behind it.
_BYTES_BESIDE_TEXT = 12


@dataclass(frozen=True, slots=True)
class SummaryCost:
    """What one request of a summary takes, asked beside others like it, and how long its answer is.

    `latency_seconds` is how long those asked together took. `max_bytes` of captions fit into one request.
    """

    seconds: Amount
    tokens: Amount
    characters: float
    latency_seconds: float
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Summaries:
    """Over all videos: `requests` of which the last for each video gives its summary."""

    requests: Amount
    seconds: Amount
    tokens: Amount


def forecast_summaries(
    num_videos: int, looks: Sequence[Look], scenes: Amount, mean_characters: float, cost: SummaryCost
) -> Summaries:
    """From the scenes each video has: as found where it was seen whole, else their mean in the others."""
    whole = [look.num_scenes for look in looks if look.is_whole]
    num_others = num_videos - len(whole)
    rest = max(0.0, scenes.expected - sum(whole))

    def requests(num_scenes: float) -> int:
        return num_requests(num_scenes, mean_characters, cost.characters, cost.max_bytes)

    expected = float(sum(map(requests, whole)))
    deviation = 0.0
    if num_others:
        of_each = rest / num_others
        others = num_others * requests(of_each)
        more = num_others * requests(of_each + scenes.deviation / num_others)
        expected, deviation = expected + others, float(more - others)
    number = Amount(expected, deviation)
    return Summaries(number, number * cost.seconds, number * cost.tokens)


def num_requests(num_scenes: float, line_characters: float, part_characters: float, max_bytes: int) -> int:
    """How many a video's summary takes: parts of `max_bytes` first, where its captions are more than that,
    then parts of those. A video without a scene has none."""
    num_lines, num_bytes = math.ceil(num_scenes), line_characters + _BYTES_BESIDE_TEXT
    if not num_lines:
        return 0
    count = 0
    while True:
        # Four lines or more go into each, cut where they are long.
        in_each = max(4, int(max_bytes / max(1.0, num_bytes)))
        num_lines = math.ceil(num_lines / in_each)
        count += num_lines
        if num_lines == 1:
            return count
        num_bytes = part_characters + 1
