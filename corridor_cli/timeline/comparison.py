"""Two timelines of one video side by side: which scenes are which, and what changed in them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from corridor_cli.timeline.exports.document import SceneFields, Video, text_of
from corridor_cli.timeline.word_diff import WordDiff, diff_words

_NEAR_SECONDS = 0.02
# Of the provenance: they follow from the rest, or say nothing of captions.
_UNTOLD = ("scan_key", "caption_key", "prompt.sha256", "tool")


@dataclass(frozen=True, slots=True)
class TextChange:
    """One caption of a scene, of the scene itself (its representative frame) or of a `role`. A text is None
    where there is none; then `status` says why, and `words` is None."""

    role: str
    before: str | None
    after: str | None
    status_before: str
    status_after: str
    words: WordDiff | None

    @property
    def is_same(self) -> bool:
        if self.before is None and self.after is None:
            return self.status_before == self.status_after
        return self.before == self.after


@dataclass(frozen=True, slots=True)
class ScenePair:
    """A scene of both sides, or of one: the other is None. `texts` begin with the scene's own."""

    before: SceneFields | None
    after: SceneFields | None
    texts: tuple[TextChange, ...] = ()

    @property
    def state(self) -> str:
        """`same`, `changed`, `only_a` or `only_b`."""
        if self.after is None:
            return "only_a"
        if self.before is None:
            return "only_b"
        return "same" if all(text.is_same for text in self.texts) else "changed"


@dataclass(frozen=True, slots=True)
class BoundaryChange:
    """Boundaries between scenes, in seconds: how many are the same, and those of one side."""

    num_same: int
    only_before: tuple[float, ...]
    only_after: tuple[float, ...]

    @property
    def is_same(self) -> bool:
        return not (self.only_before or self.only_after)


NO_BOUNDARIES = BoundaryChange(0, (), ())


def compare_scenes(before: Video, after: Video) -> list[ScenePair]:
    """The scenes of both, in the order of time. Two are a pair where each overlaps the other more than any
    other scene (the earlier one where several do as much)."""
    pairs = dict(_mutual(before.scenes, after.scenes))
    taken = {number: scene for scene, number in pairs.items()}
    found: list[tuple[float, int, ScenePair]] = []
    for number, scene in enumerate(before.scenes):
        other = after.scenes[pairs[number]] if number in pairs else None
        texts = tuple(_texts(scene, other)) if other is not None else ()
        found.append((scene["start"], 0, ScenePair(scene, other, texts)))
    for number, scene in enumerate(after.scenes):
        if number not in taken:
            found.append((scene["start"], 1, ScenePair(None, scene)))
    found.sort(key=lambda each: each[:2])
    return [pair for _, _, pair in found]


def compare_boundaries(before: Video, after: Video) -> BoundaryChange:
    """Where scenes begin but for the first. Two boundaries less than half a frame apart are the same one."""
    rates = [fps for each in (before, after) if (fps := each.fields["source"]["fps"])]
    near = 0.5 / min(rates) if rates else _NEAR_SECONDS
    old = [scene["start"] for scene in before.scenes[1:]]
    new = [scene["start"] for scene in after.scenes[1:]]
    only_before: list[float] = []
    only_after: list[float] = []
    i = j = 0
    while i < len(old) and j < len(new):
        if abs(old[i] - new[j]) < near:
            i, j = i + 1, j + 1
        elif old[i] < new[j]:
            only_before.append(old[i])
            i += 1
        else:
            only_after.append(new[j])
            j += 1
    only_before += old[i:]
    only_after += new[j:]
    return BoundaryChange(len(old) - len(only_before), tuple(only_before), tuple(only_after))


def compare_provenance(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[tuple[str, object, object]]:
    """What made the two differently: field, what it was, what it is. A part that one side lacks is None."""
    old, new = dict(_flat(before)), dict(_flat(after))
    for name in dict.fromkeys((*old, *new)):
        if name not in _UNTOLD and old.get(name) != new.get(name):
            yield name, old.get(name), new.get(name)


def _mutual(before: Sequence[SceneFields], after: Sequence[SceneFields]) -> Iterator[tuple[int, int]]:
    """Numbers of scenes that are each other's best."""
    best_of_old: dict[int, tuple[float, int]] = {}
    best_of_new: dict[int, tuple[float, int]] = {}
    i = j = 0
    while i < len(before) and j < len(after):
        overlap = min(before[i]["end"], after[j]["end"]) - max(before[i]["start"], after[j]["start"])
        if overlap > 0:
            if overlap > best_of_old.get(i, (0.0, 0))[0]:
                best_of_old[i] = overlap, j
            if overlap > best_of_new.get(j, (0.0, 0))[0]:
                best_of_new[j] = overlap, i
        if before[i]["end"] <= after[j]["end"]:
            i += 1
        else:
            j += 1
    for old, (_, new) in best_of_old.items():
        if best_of_new[new][1] == old:
            yield old, new


def _texts(before: SceneFields, after: SceneFields) -> Iterator[TextChange]:
    old, new = before["caption"], after["caption"]
    own = _change("scene", text_of(old), text_of(new), old["status"], new["status"])
    yield own
    others = {frame["role"]: frame["caption"] for frame in after["frames"]}
    for frame in before["frames"]:
        role, here, there = frame["role"], frame["caption"], others.get(frame["role"])
        if role == "representative" or here is None or there is None:
            continue
        change = _change(role, text_of(here), text_of(there), here["status"], there["status"])
        # A frame that looks like the scene's own shares its caption: once is enough.
        if (change.before, change.after) != (own.before, own.after):
            yield change


def _change(
    role: str, before: str | None, after: str | None, status_before: str, status_after: str
) -> TextChange:
    words = None if before is None or after is None else diff_words(before, after)
    return TextChange(role, before, after, status_before, status_after, words)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
