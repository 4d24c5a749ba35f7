"""The pictures that a run has saved beside a timeline: one a scene, of its representative frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from corridor_cli.records import Role
from corridor_cli.timeline.layout import FRAMES_SUFFIX
from corridor_cli.timeline.parts import FramePart, ScenePart
from corridor_cli.timeline.report.thumbnails import read_picture
from corridor_cli.timeline.schema import Timeline

_BY_WORTH = (Role.REPRESENTATIVE, Role.FIRST, Role.LAST)


def saved_pictures(timeline: Timeline, document: Path, name: str) -> dict[str, bytes]:
    """JPEGs by scene id, as far as they are there. `name` is the document's file name without suffix.

    Only files where a run saves that very pick are read: a document that somebody wrote could name any.
    """
    found = {}
    for scene in timeline.scenes:
        for path in _paths(scene, document.parent, name + FRAMES_SUFFIX):
            picture = read_picture(path)
            if picture is not None:
                found[scene.id] = picture
                break
    return found


def _paths(scene: ScenePart, folder: Path, frames: str) -> Iterator[Path]:
    by_role: dict[str, FramePart] = {frame.role: frame for frame in scene.frames}
    for role in _BY_WORTH:
        frame = by_role.get(role)
        if frame is not None and frame.path == f"{frames}/{frame.id}.jpg":
            yield folder / frame.path
