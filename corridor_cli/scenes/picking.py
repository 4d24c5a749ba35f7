"""From the candidates of a finished scene to its picks: first, representative, last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from corridor_cli.records import Role, Scene, Transition
from corridor_cli.scenes.thumbs import Thumb, look_distance

if TYPE_CHECKING:
    from corridor_cli.records import ScanFrame
    from corridor_cli.scenes.candidates import Candidate

# Levels. Blur hardly moves a thumb: pictures this close to the mean differ by nothing but sharpness.
NEAR_DISTANCE = 2.0

OPENED_BY = {
    "start": "start of the video",
    "cut": "cut",
    "transition": "transition",
    "split": "split",
    "file": "cut that was given",
}


@dataclass(frozen=True, slots=True)
class PickedScanFrame:
    """A frame chosen for a role. `duplicate_of` names the role whose caption it shares; never a chain."""

    role: Role
    frame: ScanFrame
    selection_reason: str
    duplicate_of: Role | None


def pick_frames(
    scene: Scene,
    candidates: Sequence[Candidate],
    transitions: Sequence[Transition],
    *,
    inset: Fraction,
    duplicate_threshold: float,
) -> tuple[PickedScanFrame, PickedScanFrame, PickedScanFrame]:
    """First, representative and last frame of a scene, in this order and ascending in time.

    `candidates` are the scene's, ascending, at least one.
    """
    assert candidates, f"scene {scene.index} has no candidate"
    usable, why = _usable(scene, candidates, transitions, inset)
    first, last = usable[0], usable[-1]
    representative, reason = _representative(scene, usable, why)
    first_of, last_of = _duplicates(first, representative, last, duplicate_threshold)
    good = "" if why else "good "
    after = f"{float(first.time - scene.start):.2f} s after the {OPENED_BY[scene.boundary]}"
    before = f"{float(scene.end - last.time):.2f} s before the scene's end"
    return (
        PickedScanFrame(Role.FIRST, first.frame, f"first {good}frame, {after}", first_of),
        PickedScanFrame(Role.REPRESENTATIVE, representative.frame, reason, None),
        PickedScanFrame(Role.LAST, last.frame, f"last {good}frame, {before}", last_of),
    )


def _usable(
    scene: Scene, candidates: Sequence[Candidate], transitions: Sequence[Transition], inset: Fraction
) -> tuple[Sequence[Candidate], str]:
    """The best non-empty set to pick from, and what is wrong with it ("" for nothing)."""
    # In a short scene the inset must leave a middle, and three frames have none to spare.
    inset = min(inset, (scene.end - scene.start) / 4) if len(candidates) > 3 else Fraction(0)
    clear = _outside(candidates, transitions, Fraction(0))
    inner = _between(_outside(candidates, transitions, inset), scene.start + inset, scene.end - inset)
    for group in (inner, clear):
        good = [candidate for candidate in group if candidate.fault is None]
        if good:
            return good, ""
    for group in (inner, clear):
        if group:
            return group, _common_fault(group)
    good = [candidate for candidate in candidates if candidate.fault is None] or list(candidates)
    depths = [_depth(candidate.time, transitions) for candidate in good]
    shallowest = [each for each, depth in zip(good, depths, strict=True) if depth == min(depths)]
    return shallowest, "every candidate is inside a transition"


def _depth(time: Fraction, transitions: Sequence[Transition]) -> Fraction:
    """How far inside transitions: in their middle two pictures are mixed, at their ends it is nearly one."""
    return max(
        (min(time - each.start, each.end - time) for each in transitions if each.start <= time < each.end),
        default=Fraction(0),
    )


def _outside(
    candidates: Sequence[Candidate], transitions: Sequence[Transition], margin: Fraction
) -> list[Candidate]:
    return [
        candidate
        for candidate in candidates
        if not any(change.start - margin <= candidate.time < change.end + margin for change in transitions)
    ]


def _between(candidates: Sequence[Candidate], start: Fraction, end: Fraction) -> list[Candidate]:
    return [candidate for candidate in candidates if start <= candidate.time <= end]


def _common_fault(candidates: Sequence[Candidate]) -> str:
    [(fault, _)] = Counter(candidate.fault for candidate in candidates).most_common(1)
    return f"every candidate is {fault}"


def _representative(scene: Scene, usable: Sequence[Candidate], why: str) -> tuple[Candidate, str]:
    middle = (scene.start + scene.end) / 2
    if why or len(usable) < 3:
        nearest = min(usable, key=lambda candidate: abs(candidate.time - middle))
        return nearest, f"middle frame: {why or _few(len(usable))}"
    quarter = (scene.end - scene.start) / 4
    between = usable[1:-1]  # the others have their roles
    central = _between(between, scene.start + quarter, scene.end - quarter) or list(between)
    mean = mean_thumb(central)
    distances = [look_distance(candidate.thumb, mean) for candidate in central]
    limit = max(sorted(distances)[(len(distances) - 1) // 2], NEAR_DISTANCE)
    near = [c for c, distance in zip(central, distances, strict=True) if distance <= limit]
    best = max(near, key=lambda candidate: candidate.sharpness)
    return best, f"sharpest of {len(near)} near the scene's mean picture"


def _few(count: int) -> str:
    return "the only candidate" if count == 1 else f"only {count} candidates"


def mean_thumb(candidates: Sequence[Candidate]) -> Thumb:
    """The mean of the candidates' thumbs, rounded to eighths of a level."""
    total = np.sum([candidate.thumb for candidate in candidates], axis=0, dtype=np.int64)
    count = len(candidates)
    return np.asarray((2 * total + count) // (2 * count), np.int16)


def _duplicates(
    first: Candidate, representative: Candidate, last: Candidate, threshold: float
) -> tuple[Role | None, Role | None]:
    """Which roles' captions the first and the last pick share. The representative has its own."""

    def same(a: Candidate, b: Candidate) -> bool:
        return a.index == b.index or look_distance(a.thumb, b.thumb) <= threshold

    first_of = Role.REPRESENTATIVE if same(first, representative) else None
    if same(last, representative):
        return first_of, Role.REPRESENTATIVE
    return first_of, Role.FIRST if first_of is None and same(last, first) else None
