"""Markdown: the scenes of a video with their pictures, to read where Markdown is shown.

Captions stand in the middle of a line, so nothing in them can begin a heading or a list; what could be read
as a mark, as HTML or as a link within the line is escaped (CommonMark 0.31, 2.4: any punctuation may be).
"""

from __future__ import annotations

import re
from urllib.parse import quote

from corridor_cli.timeline.exports.document import SceneFields, Video, text_of
from corridor_cli.timeline.exports.pictures import PicturePaths
from corridor_cli.timeline.exports.plain import one_line
from corridor_cli.timeline.exports.txt import NO_CAPTION

_MARKS = re.compile(r"[\\`*_\[\]<>&|~$#!^]")
# What some renderers make links of by themselves.
_LINK = re.compile(r"(?i)(?<=[a-z])(?=://)|(?<=\bmailto)(?=:)|(?<=\bxmpp)(?=:)|(?<=\bwww)(?=\.)|(?=@)")


def render_markdown(video: Video) -> bytes:
    """A heading, and for each scene its times, its caption and its saved representative picture."""
    paths = PicturePaths(video)
    parts = [f"# {escape(video.name)}\n"]
    for scene in video.scenes:
        text = text_of(scene["caption"])
        shown = escape(text) if text and one_line(text) else f"*{NO_CAPTION}*"
        parts.append(f"**{scene['start_timecode']} – {scene['end_timecode']}** {shown}\n")
        if picture := _picture(paths, scene):
            parts.append(picture)
    return "\n".join(parts).encode("utf-8")


def escape(text: str) -> str:
    """The text on one line, shown as it is by CommonMark and by GitHub's dialect."""
    return _LINK.sub(r"\\", _MARKS.sub(r"\\\g<0>", one_line(text)))


def _picture(paths: PicturePaths, scene: SceneFields) -> str:
    for frame in scene["frames"]:
        if frame["role"] == "representative" and (reference := paths.beside(frame)):
            return f"![{scene['id']}]({quote(reference)})\n"
    return ""
