"""How many scenes and captions there will be, from how many a sample had. Pure arithmetic.

Cuts come at a rate of their own in each video, and the rates are spread around the one of all material: the
model is Gamma's for the rates and Poisson's for the cuts, fitted by its moments.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from corridor_cli.runners.amounts import Amount, effective_number, relative_deviation
from corridor_cli.runners.looks import Look, VideoFacts, length_class

_MIN_STRENGTH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class CutRate:
    """Cuts a second over all material, with its error. `strength_seconds` is how much material of its own a
    video needs to outweigh that: a short one where videos differ, a long one where all are alike."""

    rate: Amount
    strength_seconds: float


@dataclass(frozen=True, slots=True)
class Scenes:
    """Over all videos. `captions` are those still to be made."""

    scenes: Amount
    captions: Amount
    captions_per_scene: float


def forecast_scenes(
    videos: Sequence[VideoFacts], looks: Sequence[Look], max_scene_seconds: float | None
) -> Scenes | None:
    """Counts as found where a video was seen whole, and by rates elsewhere. None without any look."""
    if not looks:
        return None
    rates = rates_by_length(videos, looks)
    ratio = _captions_per_scene(looks)
    by_number = {look.number: look for look in looks}
    known_scenes = known_captions = unseen_scenes = together = variance = 0.0
    for number, video in enumerate(videos):
        look = by_number.get(number)
        if look is not None and look.is_whole:
            known_scenes += look.num_scenes
            known_captions += look.num_asked
            continue
        cuts = rates[length_class(video)]
        expected, own_variance = _cuts(video, look, cuts)
        variance += own_variance
        if look is None:
            together += video.seconds * cuts.rate.deviation
        unseen_scenes += with_splits(1.0 + expected, video.seconds, max_scene_seconds)
    deviation = math.hypot(math.sqrt(variance), together)
    unseen = Amount(unseen_scenes, deviation)
    return Scenes(Amount(known_scenes) + unseen, Amount(known_captions) + unseen * ratio, ratio.expected)


def rates_by_length(videos: Sequence[VideoFacts], looks: Sequence[Look]) -> dict[int, CutRate]:
    """The rate for each class of length there is: that of all material, drawn to the one that its own looks
    had as far as they are long. Trailers are cut otherwise than films."""
    whole = cut_rate(looks)
    rates = {}
    for each in {length_class(video) for video in videos}:
        own = [look for look in looks if length_class(videos[look.number]) == each]
        seconds = sum(look.video_seconds for look in own)
        strength = whole.strength_seconds
        rate = (sum(look.num_cuts for look in own) + whole.rate.expected * strength) / (seconds + strength)
        share = effective_number([look.video_seconds for look in own]) if own else 1.0
        error = math.sqrt(rate / strength / share + rate / (seconds + strength))
        rates[each] = CutRate(Amount(rate, error), strength)
    return rates


def cut_rate(looks: Sequence[Look]) -> CutRate:
    """The rate of cuts in what was seen. Where there was none half a cut is assumed: more would show."""
    seconds = [max(look.video_seconds, 1e-3) for look in looks]
    all_seconds = sum(seconds)
    num_cuts = sum(look.num_cuts for look in looks)
    rate = (num_cuts or 0.5) / all_seconds
    between = _variance_between(looks, seconds, rate)
    error = math.sqrt(between / effective_number(seconds) + rate / all_seconds)
    strength = max(_MIN_STRENGTH_SECONDS, rate / between if between else all_seconds)
    return CutRate(Amount(rate, error), strength)


def with_splits(num_scenes: float, seconds: float, max_scene_seconds: float | None) -> float:
    """How many scenes there are when long ones are split: as many parts as `max_scene_seconds` needs, for
    scenes whose lengths are as different as chance makes them."""
    if max_scene_seconds is None or seconds <= max_scene_seconds:
        return num_scenes
    if num_scenes <= 1.0:
        return math.ceil(seconds / max_scene_seconds)
    mean_seconds = seconds / num_scenes
    return num_scenes / (1.0 - math.exp(-max_scene_seconds / mean_seconds))


def _cuts(video: VideoFacts, look: Look | None, cuts: CutRate) -> tuple[float, float]:
    """Cuts expected in a video, with the variance of their number: those seen, and those of the rest."""
    strength, rate = cuts.strength_seconds, cuts.rate.expected
    num_seen, seen = (0, 0.0) if look is None else (look.num_cuts, look.video_seconds)
    rest = max(0.0, video.seconds - seen)
    own_rate = (num_seen + rate * strength) / (seen + strength)
    expected = own_rate * rest
    return num_seen + expected, expected + rest * rest * own_rate / (seen + strength)


def _variance_between(looks: Sequence[Look], seconds: Sequence[float], rate: float) -> float:
    """By how much the videos' own rates vary, beyond what chance does to counts."""
    if len(looks) < 2:
        return rate * rate
    all_seconds = sum(seconds)
    found = sum(each * (look.num_cuts / each - rate) ** 2 for look, each in zip(looks, seconds, strict=True))
    weight = all_seconds - sum(each * each for each in seconds) / all_seconds
    return max(0.0, (found - rate * (len(looks) - 1)) / weight)


def _captions_per_scene(looks: Sequence[Look]) -> Amount:
    """Picks that are no duplicates, to a scene. Those of known scans may be captioned already."""
    fresh = [look for look in looks if look.scan_seconds is not None and look.num_scenes] or [
        look for look in looks if look.num_scenes
    ]
    weights = [float(look.num_scenes) for look in fresh]
    ratios = [look.num_asked / look.num_scenes for look in fresh]
    mean = sum(look.num_asked for look in fresh) / sum(weights) if fresh else 3.0
    spread = relative_deviation(ratios, weights) if mean else None
    return Amount(mean, mean * (0.3 if spread is None else spread / math.sqrt(effective_number(weights))))
