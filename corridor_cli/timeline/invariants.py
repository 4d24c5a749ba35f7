"""What must hold between the fields of a document, beyond what each field says alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from corridor_cli.records import Role
from corridor_cli.timeline.parts import CaptionPart, Document, FramePart, ScenePart
from corridor_cli.timeline.timecode import timecode_seconds

ROLES = tuple(role.value for role in Role)
MAX_TIMECODE_ERROR_SECONDS = 0.001
MAX_LENGTH_ERROR_SECONDS = 1e-6


class Problem(NamedTuple):
    """Something wrong in a document: where, as a JSON path, and what."""

    where: str
    what: str


class InvariantError(ValueError):
    """A document contradicts itself."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{problem.where}: {problem.what}" for problem in problems))
        self.problems = problems


def scene_id(index: int) -> str:
    """`s0001` for scene 0; ids count from one as people do."""
    return f"s{index + 1:04d}"


def frame_id(scene_index: int, role: str) -> str:
    """`s0001-first`; also the name of the saved picture."""
    return f"{scene_id(scene_index)}-{role}"


def find_problems(document: Document) -> Iterator[Problem]:
    """Every contradiction in the document."""
    yield from _status_problems(document)
    yield from _order_problems(document)
    for number, scene in enumerate(document.scenes):
        yield from _scene_problems(scene, f"scenes[{number}]", number)
    for number, transition in enumerate(document.transitions):
        if transition.end < transition.start:
            yield Problem(
                f"transitions[{number}].end", f"{transition.end} lies before its start {transition.start}"
            )
    known = {scene.id for scene in document.scenes}
    for number, error in enumerate(document.errors):
        if error.scene_id is not None and error.scene_id not in known:
            yield Problem(f"errors[{number}].scene_id", f"there is no scene {error.scene_id}")


def _status_problems(document: Document) -> Iterator[Problem]:
    if document.status == "failed":
        if document.scenes or document.transitions:
            yield Problem("scenes", "a failed document has no scenes and no transitions")
    else:
        if not document.scenes:
            yield Problem("scenes", f"a {document.status} document has at least one scene")
        for name in ("duration", "frame_count", "reader", "size_bytes", "fingerprint"):
            if getattr(document.source, name) is None:
                yield Problem(f"source.{name}", f"is null in a {document.status} document")
        for name in ("scan_key", "caption_key", "model"):
            if getattr(document.provenance, name) is None:
                yield Problem(f"provenance.{name}", f"is null in a {document.status} document")
    if (document.status == "complete") != (not document.errors):
        yield Problem("errors", f"{len(document.errors)} errors do not go with status {document.status!r}")
    captions = (
        caption
        for scene in document.scenes
        for caption in (scene.caption, *(frame.caption for frame in scene.frames))
    )
    has_error = any(caption is not None and caption.status == "error" for caption in captions)
    if document.status == "complete" and has_error:
        yield Problem("status", "is 'complete' although a caption failed")


def _order_problems(document: Document) -> Iterator[Problem]:
    scenes, source = document.scenes, document.source
    if not scenes:
        return
    for number, (before, after) in enumerate(pairwise(scenes), start=1):
        if before.end != after.start:
            yield Problem(
                f"scenes[{number}].start", f"{after.start} is not the end {before.end} of the scene before"
            )
        if before.end_frame != after.start_frame:
            yield Problem(
                f"scenes[{number}].start_frame",
                f"{after.start_frame} is not the end {before.end_frame} of the scene before",
            )
    if scenes[0].start != 0 or scenes[0].start_frame != 0:
        yield Problem("scenes[0].start", f"the first scene starts at {scenes[0].start}, not at 0")
    last = len(scenes) - 1
    if source.duration is not None and scenes[-1].end != source.duration:
        yield Problem(f"scenes[{last}].end", f"{scenes[-1].end} is not the duration {source.duration}")
    if source.frame_count is not None and scenes[-1].end_frame != source.frame_count:
        yield Problem(
            f"scenes[{last}].end_frame", f"{scenes[-1].end_frame} is not the frame count {source.frame_count}"
        )


def _scene_problems(scene: ScenePart, where: str, number: int) -> Iterator[Problem]:
    if scene.index != number:
        yield Problem(f"{where}.index", f"{scene.index} is not its place {number}")
    if scene.id != scene_id(number):
        yield Problem(f"{where}.id", f"{scene.id!r} is not {scene_id(number)!r}")
    if scene.end < scene.start:
        yield Problem(f"{where}.end", f"{scene.end} lies before the start {scene.start}")
    if scene.end_frame <= scene.start_frame:
        yield Problem(f"{where}.end_frame", f"frames [{scene.start_frame}, {scene.end_frame}) hold nothing")
    # A damaged timestamp may lie centuries ahead, where a float is coarser than the error allowed.
    allowed = max(MAX_LENGTH_ERROR_SECONDS, 2 * math.ulp(scene.end))
    if abs(scene.end - scene.start - scene.duration) > allowed:
        yield Problem(f"{where}.duration", f"{scene.duration} is not {scene.end} - {scene.start}")
    yield from _timecode_problems(f"{where}.start_timecode", scene.start_timecode, scene.start)
    yield from _timecode_problems(f"{where}.end_timecode", scene.end_timecode, scene.end)
    roles = Counter(frame.role for frame in scene.frames)
    if [frame.role for frame in scene.frames] != [role for role in ROLES if role in roles]:
        yield Problem(f"{where}.frames", f"roles are not distinct and in the order {', '.join(ROLES)}")
        return
    frames = {frame.id: frame for frame in scene.frames}
    for place, frame in enumerate(scene.frames):
        yield from _frame_problems(scene, frame, frames, f"{where}.frames[{place}]")
    yield from _representative_problems(scene, where)


def _representative_problems(scene: ScenePart, where: str) -> Iterator[Problem]:
    captions = {frame.role: frame.caption for frame in scene.frames}
    representative: CaptionPart | None = captions.get("representative")
    if representative is not None and representative != scene.caption:
        yield Problem(f"{where}.caption", "is not the caption of the scene's representative")


def _frame_problems(
    scene: ScenePart, frame: FramePart, frames: dict[str, FramePart], where: str
) -> Iterator[Problem]:
    if frame.id != f"{scene.id}-{frame.role}":
        yield Problem(f"{where}.id", f"{frame.id!r} is not {scene.id}-{frame.role}")
    if not scene.start <= frame.time <= scene.end:
        yield Problem(f"{where}.time", f"{frame.time} lies outside [{scene.start}, {scene.end})")
    if not scene.start_frame <= frame.frame_index < scene.end_frame:
        yield Problem(
            f"{where}.frame_index",
            f"{frame.frame_index} lies outside [{scene.start_frame}, {scene.end_frame})",
        )
    yield from _timecode_problems(f"{where}.timecode", frame.timecode, frame.time)
    if frame.duplicate_of is not None:
        original = frames.get(frame.duplicate_of)
        if original is None:
            yield Problem(f"{where}.duplicate_of", f"the scene has no frame {frame.duplicate_of!r}")
        elif original.duplicate_of is not None:
            yield Problem(f"{where}.duplicate_of", f"{frame.duplicate_of!r} is a duplicate itself")
        elif original.caption != frame.caption:
            yield Problem(f"{where}.caption", f"is not the caption of {frame.duplicate_of!r}")


def _timecode_problems(where: str, text: str, time: float) -> Iterator[Problem]:
    if abs(float(timecode_seconds(text)) - time) > MAX_TIMECODE_ERROR_SECONDS:
        yield Problem(where, f"{text} is not {time} s")
