"""Compares what two runs left, video by video: one pair of documents is held at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corridor_cli.errors import ExitCode, NoInputsError, TimelineError, UsageError
from corridor_cli.printable import printable, shortened
from corridor_cli.timeline.comparison import (
    NO_BOUNDARIES,
    BoundaryChange,
    ScenePair,
    compare_boundaries,
    compare_provenance,
    compare_scenes,
)
from corridor_cli.timeline.exports.document import Video
from corridor_cli.timeline.exports.find import TimelineFile, files_below
from corridor_cli.timeline.glance import Glance, glance_at
from corridor_cli.timeline.layout import FAILED_SUFFIX, TIMELINE_SUFFIX
from corridor_cli.timeline.opened import document_path

_MAX_PROVENANCE = 200


@dataclass(frozen=True, slots=True)
class Side:
    """A document of one side: its file, and its path below the folder without its suffix."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Pair:
    """The documents of one video; one side is None where only the other has it."""

    before: Side | None
    after: Side | None

    @property
    def name(self) -> str:
        side = self.after or self.before
        assert side is not None, "a pair has a side"
        return side.name


@dataclass(frozen=True, slots=True)
class VideoChange:
    """What changed of one video. `statuses` are those of the documents, None where there is none.

    `scenes` and `boundaries` are empty unless both sides have scenes. `problem` names a document that cannot
    be read: nothing else is then known. `is_other_source` where the two are of different files.
    """

    pair: Pair
    statuses: tuple[str | None, str | None] = (None, None)
    scenes: tuple[ScenePair, ...] = ()
    boundaries: BoundaryChange = NO_BOUNDARIES
    provenance: tuple[tuple[str, object, object], ...] = ()
    is_other_source: bool = False
    problem: str = ""

    @property
    def state(self) -> str:
        """`same`, `changed`, `only_a`, `only_b` or `unread`."""
        if self.problem:
            return "unread"
        if self.pair.after is None:
            return "only_a"
        if self.pair.before is None:
            return "only_b"
        is_same = self.statuses[0] == self.statuses[1] and self.boundaries.is_same
        return "same" if is_same and all(each.state == "same" for each in self.scenes) else "changed"

    @property
    def similarities(self) -> list[float]:
        """Of each scene that both sides have a caption for."""
        return [each.texts[0].words.similarity for each in self.scenes if each.texts and each.texts[0].words]


@dataclass(slots=True)
class DiffTotals:
    """What all of it comes to. `similarity` is the mean over scenes that both sides have a caption for."""

    videos: dict[str, int] = field(default_factory=dict)
    scenes: dict[str, int] = field(default_factory=dict)
    num_boundaries_same: int = 0
    num_boundaries_only_a: int = 0
    num_boundaries_only_b: int = 0
    num_compared: int = 0
    sum_of_similarities: float = 0.0
    provenance: dict[tuple[str, str, str], int] = field(default_factory=dict)

    @property
    def similarity(self) -> float | None:
        return self.sum_of_similarities / self.num_compared if self.num_compared else None

    @property
    def is_same(self) -> bool:
        """Whether nothing differs in what could be read: neither videos, scenes nor captions."""
        return not any(self.videos.get(state) for state in ("changed", "only_a", "only_b"))

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.PARTIAL if self.videos.get("unread") else ExitCode.OK

    def take(self, change: VideoChange) -> None:
        """Count one video."""
        self.videos[change.state] = self.videos.get(change.state, 0) + 1
        for scene in change.scenes:
            self.scenes[scene.state] = self.scenes.get(scene.state, 0) + 1
        self.num_boundaries_same += change.boundaries.num_same
        self.num_boundaries_only_a += len(change.boundaries.only_before)
        self.num_boundaries_only_b += len(change.boundaries.only_after)
        similarities = change.similarities
        self.num_compared += len(similarities)
        self.sum_of_similarities += sum(similarities)
        for name, before, after in change.provenance:
            key = name, shortened(str(before), 2000), shortened(str(after), 2000)
            if key in self.provenance or len(self.provenance) < _MAX_PROVENANCE:
                self.provenance[key] = self.provenance.get(key, 0) + 1


def pair_documents(before: Path, after: Path) -> list[Pair]:
    """The documents of two folders, or two documents, side by side, in the order of their names.

    In folders those of the same path below it belong together, then those of the same content (size and
    hash of the file). Raises `UsageError`, `NoInputsError` and `StorageError`.
    """
    if before.is_dir() != after.is_dir():
        raise UsageError(
            f"got {_kind(before)} and {_kind(after)}, allowed: two folders, or two timelines",
            hint="For example `vlmtl diff out/ other/` or `vlmtl diff out/a.mp4 other/a.mp4`.",
        )
    if not before.is_dir():
        sides = [_one(each) for each in (before, after)]
        return [Pair(sides[0], sides[1])]
    old, new = _documents_in(before), _documents_in(after)
    pairs = [Pair(old.pop(name), new.pop(name)) for name in sorted(old.keys() & new.keys())]
    by_content = {content: side for side in old.values() if (content := _content(side.path))}
    for side in new.values():
        other = by_content.pop(_content(side.path) or "", None)
        if other is not None:
            del old[other.name]
        pairs.append(Pair(other, side))
    pairs += [Pair(side, None) for side in old.values()]
    return sorted(pairs, key=lambda each: each.name.split("/"))


def compare_pairs(pairs: list[Pair]) -> Iterator[VideoChange]:
    """What changed of each. Raises `StorageError` only where a document that was listed cannot be opened."""
    for pair in pairs:
        try:
            yield _compare(pair)
        except TimelineError as error:
            yield VideoChange(pair, problem=error.message)


def _compare(pair: Pair) -> VideoChange:
    glances = [None if side is None else _glance(side) for side in (pair.before, pair.after)]
    old, new = glances
    statuses = (old.status if old else None, new.status if new else None)
    if old is None or new is None or pair.before is None or pair.after is None:
        return VideoChange(pair, statuses)
    is_other = _content_of(old) != _content_of(new)
    if "failed" in statuses:
        return VideoChange(pair, statuses, is_other_source=is_other)
    first, second = _read(pair.before), _read(pair.after)
    return VideoChange(
        pair,
        statuses,
        tuple(compare_scenes(first, second)),
        compare_boundaries(first, second),
        tuple(compare_provenance(old.provenance, new.provenance)),
        is_other,
    )


def _glance(side: Side) -> Glance:
    found = glance_at(side.path)
    if found is None:
        raise TimelineError(f"{printable(side.path)} is gone")
    if found.status not in ("complete", "partial", "failed"):
        raise TimelineError(f"{printable(side.path)} is damaged, or no timeline of ours")
    return found


def _read(side: Side) -> Video:
    try:
        return TimelineFile(side.path, side.name).read()[1]
    except TimelineError as error:
        raise TimelineError(f"{printable(side.path)} {error.message}") from error


def _documents_in(root: Path) -> dict[str, Side]:
    """Each document of a folder by its path there, without the suffix; a timeline before a failure."""
    found: dict[str, Side] = {}
    for folder, name in files_below(root):
        path = Path(folder, name)
        for suffix in (TIMELINE_SUFFIX, FAILED_SUFFIX):
            if name.endswith(suffix):
                below = str(path.relative_to(root)).removesuffix(suffix)
                if suffix == TIMELINE_SUFFIX or below not in found:
                    found[below] = Side(path, below)
    if not found:
        raise NoInputsError(
            f"No timeline was found in {printable(root)}.",
            hint="Give the OUTPUT folders of two runs, or two timelines.",
        )
    return found


def _one(named: Path) -> Side:
    path = document_path(named)
    name = path.name.removesuffix(TIMELINE_SUFFIX).removesuffix(FAILED_SUFFIX)
    return Side(path, name)


def _content(path: Path) -> str | None:
    found = glance_at(path)
    return None if found is None else _content_of(found)


def _content_of(document: Glance) -> str | None:
    """What the file holds, as far as its fingerprint tells: all of it but the time of change."""
    mark: Any = document.source.get("fingerprint")
    parts = str(mark).split(":")
    return f"{parts[0]}:{parts[1]}:{parts[3]}" if len(parts) == 4 else None


def _kind(path: Path) -> str:
    return f"{printable(path)} ({'a folder' if path.is_dir() else 'no folder'})"
