"""The saved pictures of picks: which are there already, and how others take their place.

A note in the run state says from which scan and in which size a source's pictures are. While they are being
replaced it says nothing, so a run killed in between leaves no mixture that the next one would trust.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import partial
from pathlib import Path

from corridor_cli.pipeline.video import PickId, VideoWork
from corridor_cli.pipeline.writer import Writer
from corridor_cli.records import PickedFrame
from corridor_cli.settings import Settings
from corridor_cli.timeline.commit import storage_error, write_atomically
from corridor_cli.timeline.invariants import frame_id
from corridor_cli.timeline.keys import pictures_label, pictures_note
from corridor_cli.timeline.layout import OutputLayout

_OUR_NAME = re.compile(r"s\d{4,}-(first|representative|last)\.jpg\Z")


class Pictures:
    """Reads and writes the pictures of one run; everything written goes through the writer thread."""

    def __init__(self, layout: OutputLayout, settings: Settings, writer: Writer) -> None:
        self._layout = layout
        self._settings = settings
        self._writer = writer
        self._saved_bytes = 0
        self._begun: set[int] = set()
        self.is_wanted = settings.frames.save != "none"

    def there(self, video: VideoWork) -> set[PickId]:
        """The picks whose picture an earlier run saved, from the same scan and in the same size."""
        assert video.record is not None
        if not self.is_wanted or _read(self._layout.pictures_made_for(video.relative)) != self._note(video):
            return set()
        names = set(_names(self._layout.frames(video.relative)))
        every_pick = ((scene, pick.role) for scene, picks in enumerate(video.record.picks) for pick in picks)
        return {(scene, role) for scene, role in every_pick if _name(scene, role) in names}

    def save(self, video: VideoWork, scene_index: int, picked: PickedFrame) -> None:
        """Write the picture of a pick, unless the run's cap for pictures is reached."""
        if picked.image is None:
            return
        if self._saved_bytes + len(picked.image) > self._settings.frames.max_saved_bytes:
            video.note_degraded("pictures were left out: frames.max_saved_bytes is reached")
            return
        self.begin(video)
        self._saved_bytes += len(picked.image)
        video.saved.add((scene_index, picked.pick.role))
        path = self._layout.picture(video.relative, frame_id(scene_index, picked.pick.role))
        self._writer.submit(partial(write_atomically, path, picked.image, fsync=self._settings.output.fsync))

    def begin(self, video: VideoWork) -> None:
        """Before a video's first picture, or its document without any: what others are there go."""
        if self.is_wanted and video.ordinal not in self._begun:
            self._begun.add(video.ordinal)
            self._writer.submit(partial(self._replace_others, video.relative, self._note(video)))

    def remove_others(self, video: VideoWork) -> None:
        """After the document: pictures that it does not name go."""
        self._writer.submit(partial(self._remove_others, video.relative, frozenset(video.saved)))

    def _note(self, video: VideoWork) -> bytes:
        return pictures_note(video.plan.scan_key, pictures_label(self._settings.frames))

    # --- in the writer thread ---

    def _replace_others(self, relative: str, note: bytes) -> None:
        path = self._layout.pictures_made_for(relative)
        before = _read(path)
        if before == note:
            return
        if before or self._layout.frames(relative).is_dir():
            write_atomically(path, b"", fsync=self._settings.output.fsync)
            self._remove_others(relative, frozenset())
        write_atomically(path, note, fsync=self._settings.output.fsync)

    def _remove_others(self, relative: str, kept: Collection[PickId]) -> None:
        folder = self._layout.frames(relative)
        names = {_name(scene, role) for scene, role in kept}
        for name in _names(folder):
            if _OUR_NAME.match(name) and name not in names:
                try:
                    (folder / name).unlink(missing_ok=True)
                except OSError as error:
                    raise storage_error(error, "remove", folder / name) from error


def _name(scene_index: int, role: str) -> str:
    return f"{frame_id(scene_index, role)}.jpg"


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise storage_error(error, "list", folder) from error


def _read(path: Path) -> bytes:
    """The note, empty when there is none that can be read: the pictures are then made again."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
