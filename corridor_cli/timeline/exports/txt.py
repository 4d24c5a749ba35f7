"""Plain text: a line for each scene, to read or to search."""

from __future__ import annotations

from corridor_cli.timeline.exports.document import Video, text_of
from corridor_cli.timeline.exports.plain import one_line

NO_CAPTION = "(no caption)"


def render_txt(video: Video) -> bytes:
    """The video's name, then `start – end  caption` for each scene."""
    lines = [one_line(video.name), ""]
    for scene in video.scenes:
        text = one_line(text_of(scene["caption"]) or "") or NO_CAPTION
        lines.append(f"{scene['start_timecode']} – {scene['end_timecode']}  {text}")
    return ("\n".join(lines) + "\n").encode("utf-8")
