"""CMX 3600 edit lists, written by OpenTimelineIO's adapter: an event a scene, its caption as comment."""

from __future__ import annotations

import re
from typing import Any

from corridor_cli.errors import TimelineError
from corridor_cli.timeline.exports.document import Video
from corridor_cli.timeline.exports.edit_rate import timecode_rate
from corridor_cli.timeline.exports.otio_file import make_timeline
from corridor_cli.timeline.exports.plain import cut_short

MAX_COMMENT_CHARS = 200
"""Editors read lists line by line, some into buffers of a fixed size."""
_REEL_CHARS = 8
_DAY_SECONDS = 24 * 3600


def render_edl(video: Video) -> bytes:
    """The scenes at a rate that timecode knows. Raises `TimelineError` where they pass 24 hours."""
    # The adapter's own function, not the library's list of adapters, which loads what the environment names.
    from otio_cmx3600_adapter import cmx_3600

    if video.scenes[-1]["end"] >= _DAY_SECONDS:
        raise TimelineError("lasts 24 hours or more, and the timecode of an EDL begins anew there")
    rate = timecode_rate(video.fields["source"])
    timeline = make_timeline(video, rate)
    for clip in timeline.tracks[0]:
        _comment(clip)
    if not len(timeline.tracks[0]):
        raise TimelineError("has no scene as long as a frame of timecode")
    written: str = cmx_3600.write_to_string(timeline, rate=float(rate))
    title, _, events = written.partition("\n\n")
    # 29.97 and 59.94 are written with drop-frame timecode.
    mode = "DROP FRAME" if ";" in events.partition("\n")[0] else "NON-DROP FRAME"
    return f"{title}\nFCM: {mode}\n\n{events}".encode()


def _comment(clip: Any) -> None:
    """Give the clip its reel's name, and its caption as a line of its own, which begins like no command."""
    facts = clip.metadata["vlmtl"]
    reel = re.sub(r"[^a-zA-Z0-9]", "", clip.name.rpartition(".")[0] or clip.name)[:_REEL_CHARS]
    text = cut_short(facts["caption"], MAX_COMMENT_CHARS)
    comments = [f"COMMENT: {facts['scene']}" + (f" {text}" if text else "")]
    clip.metadata["cmx_3600"] = {
        "reel": reel if reel.upper() not in ("", "BL", "BLACK", "BARS") else "AX",
        "comments": comments,
    }
    clip.name = cut_short(clip.name, MAX_COMMENT_CHARS)
    clip.markers.clear()
