"""How long decoding will take, from how long it took for a sample. Pure arithmetic."""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from corridor_cli.runners.amounts import Amount, effective_number, relative_deviation, weighted_mean
from corridor_cli.runners.looks import Kind, Look, VideoFacts

# The same run three times over on a quiet machine: 57, 58 and 60 s (docs/benchmarks).
MIN_DEVIATION = 0.05
# Where the sample has no two looks to compare, nothing in it says how far off it may be.
_UNKNOWN_SPREAD = 0.3


@dataclass(frozen=True, slots=True)
class Speed:
    """Of one kind: seconds of one core a frame, how far its videos lie apart (as a share), and from how many
    looks that is known; 0 of them is a guess from other kinds by pixels."""

    seconds_per_frame: float
    spread: float
    num_looks: float


@dataclass(frozen=True, slots=True)
class Decoding:
    """Seconds of one core for each video, and all of them together."""

    of_each: tuple[float, ...]
    all: Amount
    speeds: Mapping[Kind, Speed]
    seconds_to_open: float


def forecast_decoding(
    videos: Sequence[VideoFacts],
    looks: Sequence[Look],
    seconds_per_fetch: float = 0.0,
    other_work: float = 0.0,
) -> Decoding | None:
    """What is measured counts as it is; the rest of a video goes on as it began, and one that nobody looked
    into runs like its kind. Known scans cost `seconds_per_fetch` a pick. `other_work` is the share of the
    processors that others had meanwhile: a run may meet more or less of it. None if nothing was measured."""
    timed = [look for look in looks if look.scan_seconds is not None and look.frames]
    is_known = {look.number for look in looks if look.scan_seconds is None}
    if not timed and len(is_known) < len(videos):
        return None
    speeds = speeds_of(videos, timed)
    to_open = _seconds_to_open(timed)
    by_number = {look.number: look for look in looks}
    drift = _drift(timed)
    of_each: list[float] = []
    alone, together = 0.0, defaultdict[Kind, float](float)
    for number, video in enumerate(videos):
        look = by_number.get(number)
        if look is None:
            seconds = video.frames * speeds[video.kind].seconds_per_frame
            of_each.append(to_open + seconds)
            alone += (seconds * speeds[video.kind].spread) ** 2
            together[video.kind] += seconds
        elif look.scan_seconds is None:
            of_each.append(look.num_to_fetch * seconds_per_fetch)
        else:
            rest = 0.0 if look.is_whole else max(0.0, video.frames - look.frames) * look.seconds_per_frame
            of_each.append(look.scan_seconds + rest)
            alone += (rest * (drift if look.drift is None else max(drift, look.drift))) ** 2
    shared = sum(
        (seconds * speeds[kind].spread / math.sqrt(speeds[kind].num_looks or 1.0)) ** 2
        for kind, seconds in together.items()
    )
    whole = Amount(sum(of_each), math.sqrt(alone + shared)).at_least_off(max(MIN_DEVIATION, other_work / 2))
    return Decoding(tuple(of_each), whole, speeds, to_open)


def speeds_of(videos: Sequence[VideoFacts], looks: Sequence[Look]) -> dict[Kind, Speed]:
    """The speed of every kind there is; `looks` are timed ones, and there may be none."""
    by_kind: dict[Kind, list[Look]] = defaultdict(list)
    for look in looks:
        by_kind[videos[look.number].kind].append(look)
    spreads = {kind: _spread(found) for kind, found in by_kind.items()}
    known = [(spread, float(len(by_kind[kind]))) for kind, spread in spreads.items() if spread is not None]
    usual = weighted_mean(*_columns(known)) if known else _UNKNOWN_SPREAD
    speeds = {}
    for kind, found in by_kind.items():
        weights = [float(look.frames) for look in found]
        mean = weighted_mean([look.seconds_per_frame for look in found], weights)
        spread = spreads[kind]
        speeds[kind] = Speed(mean, usual if spread is None else spread, effective_number(weights))
    for video in videos:
        if video.kind not in speeds:
            speeds[video.kind] = _guess(video, videos, looks)
    return speeds


def makespan(seconds: Iterable[float], num_workers: int) -> float:
    """When the last of the workers ends who take these jobs in turn, each as soon as it is free."""
    free_at = [0.0] * num_workers
    for each in seconds:
        heapq.heapreplace(free_at, free_at[0] + each)
    return max(free_at)


def _spread(looks: Sequence[Look]) -> float | None:
    return relative_deviation(
        [look.seconds_per_frame for look in looks], [float(look.frames) for look in looks]
    )


def _guess(video: VideoFacts, videos: Sequence[VideoFacts], looks: Sequence[Look]) -> Speed:
    """Of a kind nobody looked into: as many pixels a second as the same codec had, or else as all had."""
    same = [look for look in looks if videos[look.number].kind.codec == video.kind.codec] or list(looks)
    weights = [float(look.frames) * videos[look.number].pixels for look in same]
    per_pixel = [look.seconds_per_frame / videos[look.number].pixels for look in same]
    spread = relative_deviation(per_pixel, weights)
    mean = weighted_mean(per_pixel, weights)
    return Speed(mean * video.pixels, max(_UNKNOWN_SPREAD, spread or 0.0), 0.0)


def _seconds_to_open(looks: Sequence[Look]) -> float:
    """What a file costs beside its frames, on average."""
    costs = [max(0.0, (look.scan_seconds or 0.0) - look.frames * look.seconds_per_frame) for look in looks]
    return sum(costs) / len(costs) if costs else 0.0


def _drift(looks: Sequence[Look]) -> float:
    """By how much the speed changes within a video, as a share of it; weighed by the time it was watched."""
    known = [(look.drift, look.scan_seconds or 0.0) for look in looks if look.drift is not None]
    return weighted_mean(*_columns(known)) if known else _UNKNOWN_SPREAD


def _columns(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [value for value, _ in pairs], [weight for _, weight in pairs]
