"""The saved pictures that a timeline names, as far as they can be its own."""

from __future__ import annotations

from corridor_cli.timeline.exports.document import FrameFields, Video
from corridor_cli.timeline.layout import FRAMES_SUFFIX


class PicturePaths:
    """Where the saved pictures of one timeline lie.

    A run saves a pick in one place only. A document that somebody wrote could name any file, and an export
    that holds pictures would carry it away: whatever is not that place is none.
    """

    def __init__(self, video: Video) -> None:
        parent, slash, name = video.stem.rpartition("/")
        self._below_output = parent + slash
        self._folder = name + FRAMES_SUFFIX + "/"

    def beside(self, frame: FrameFields | None) -> str | None:
        """A pick's picture, relative to the timeline's folder; None where there is none."""
        path = frame and frame["path"]
        return path if frame and path == f"{self._folder}{frame['id']}.jpg" else None

    def below_output(self, frame: FrameFields | None) -> str | None:
        """The same, relative to OUTPUT."""
        path = self.beside(frame)
        return path and self._below_output + path
