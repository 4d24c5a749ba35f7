"""FFmpeg's metadata file: a chapter for each scene, which `ffmpeg -i` puts into MP4, MKV and others."""

from __future__ import annotations

import re

from corridor_cli.timeline.exports.document import SceneFields, Video, text_of
from corridor_cli.timeline.exports.plain import cut_short

MAX_TITLE_CHARS = 80
"""Players show a chapter's title in a menu."""

# Units of 1/1,000,000 s: what the document is rounded to.
_TIME_BASE = 1_000_000
_SPECIAL = re.compile(r"[=;#\\]")


def render_ffmetadata(video: Video) -> bytes:
    """The video's name as title, and its scenes as chapters; one without a caption is called `Scene N`."""
    parts = [";FFMETADATA1\n", f"title={_escape(video.name)}\n"]
    for scene in video.scenes:
        start, end = round(scene["start"] * _TIME_BASE), round(scene["end"] * _TIME_BASE)
        parts.append(
            f"\n[CHAPTER]\nTIMEBASE=1/{_TIME_BASE}\nSTART={start}\nEND={end}\ntitle={_escape(_title(scene))}\n"
        )
    return "".join(parts).encode("utf-8")


def _title(scene: SceneFields) -> str:
    attributes = scene["attributes"]
    title = (attributes and attributes["title"]) or text_of(scene["caption"]) or ""
    return cut_short(title, MAX_TITLE_CHARS) or f"Scene {scene['index'] + 1}"


def _escape(text: str) -> str:
    text = cut_short(text, MAX_TITLE_CHARS)
    # FFmpeg (5.1) looks one character back for an escaped line end, and finds the second half of `\\` there.
    return _SPECIAL.sub(r"\\\g<0>", text) + (" " if text.endswith("\\") else "")
