"""Boundaries found against labels: what was found, what was missed, what was found where nothing is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

# A boundary may be reported so many frames beside its label.
TOLERANCE_FRAMES = 1
IN_A_SHOT = "shot"


@dataclass
class Score:
    """Counts by kind of boundary. A false alarm inside a dissolve or fade, beside the one that counts, is
    that kind's; every other one is against the cuts, and counted by what its shot shows, too."""

    found: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)
    false_by_tag: Counter[str] = field(default_factory=Counter)

    def add(self, other: Score) -> None:
        """Count what another file gave."""
        for name in ("found", "missed", "false", "false_by_tag"):
            getattr(self, name).update(getattr(other, name))

    def figures(self, kind: str | None = None) -> dict[str, Any]:
        """Counts with precision, recall and F1, of one kind or of all."""
        found, missed, false = (
            sum(counts.values()) if kind is None else counts[kind]
            for counts in (self.found, self.missed, self.false)
        )
        precision = found / (found + false) if found + false else 1.0
        recall = found / (found + missed) if found + missed else 1.0
        f1 = 2 * found / (2 * found + missed + false) if found + missed + false else 1.0
        return {
            "found": found, "missed": missed, "false": false,
            "precision": round(precision, 4), "recall": round(recall, 4), "f1": round(f1, 4),
        }  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        """All figures."""
        kinds = {kind: self.figures(kind) for kind in ("cut", "dissolve", "fade")}
        return {"all": self.figures(), **kinds, "false_by_tag": dict(self.false_by_tag.most_common())}


@dataclass(frozen=True)
class Miss:
    """One thing that is not as labelled, for whoever wants to look at it."""

    what: str
    kind: str
    frame: int
    end: int
    tags: tuple[str, ...]


def score_file(boundaries: Sequence[int], labels: dict[str, Any]) -> tuple[Score, list[Miss]]:
    """`boundaries` are frame numbers; `labels` is what `files.read_labels` gives. Each label takes one
    boundary, and each boundary serves one label."""
    score, misses = Score(), []
    rest = sorted(boundaries)
    for label in labels["labels"]:
        kind, first, last = label["kind"], label["first"], label["last"]
        near = [each for each in rest if first - TOLERANCE_FRAMES <= each <= last + TOLERANCE_FRAMES]
        if near:
            rest.remove(min(near, key=lambda each: abs(2 * each - first - last)))
            score.found[kind] += 1
        else:
            score.missed[kind] += 1
            misses.append(Miss("missed", kind, first, last, tags_at(labels, first)))
    for frame in rest:
        kind = next(
            (each["kind"] for each in labels["labels"] if each["first"] <= frame <= each["last"]),
            IN_A_SHOT,
        )
        tags = tags_at(labels, frame)
        score.false["cut" if kind == IN_A_SHOT else kind] += 1
        score.false_by_tag.update(tags if kind == IN_A_SHOT else [f"beside another in a {kind}"])
        misses.append(Miss("false", kind, frame, frame, tags))
    return score, misses


def tags_at(labels: dict[str, Any], frame: int) -> tuple[str, ...]:
    """What the shot around a frame shows; of a boundary, the two shots around it."""
    shots = labels["tags"]
    at = max(index for index, (start, _) in enumerate(shots) if start <= frame)
    is_new = any(each["first"] <= frame <= each["last"] for each in labels["labels"])
    before = shots[max(0, at - 1)][1] if is_new else []
    return (*(f"before: {tag}" for tag in before), *shots[at][1])
