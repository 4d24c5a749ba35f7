"""OpenTimelineIO: scenes as clips of one track, for editors, and for `vlmtl run --cuts`."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import quote

from corridor_cli.timeline.exports.document import SceneFields, SourceFields, Video, text_of
from corridor_cli.timeline.exports.edit_rate import edit_rate
from corridor_cli.timeline.exports.plain import one_line


def render_otio(video: Video) -> bytes:
    """A timeline whose clips are the scenes, each with its caption as a marker's comment and as metadata."""
    return f"{make_timeline(video, edit_rate(video.fields['source'])).to_json_string()}\n".encode()


def make_timeline(video: Video, rate: Fraction) -> Any:
    """An `otio.schema.Timeline` at `rate` frames/s. A scene shorter than a frame of it is left out."""
    import opentimelineio as otio

    frames_per_second = float(rate)
    name = one_line(video.name)

    def frames(start: int, end: int) -> Any:
        time = otio.opentime.RationalTime
        return otio.opentime.TimeRange(time(start, frames_per_second), time(end - start, frames_per_second))

    track = otio.schema.Track("V1", kind=otio.schema.TrackKind.Video)
    whole = frames(0, _frame(video.scenes[-1]["end"], rate))
    for scene in video.scenes:
        start, end = _frame(scene["start"], rate), _frame(scene["end"], rate)
        if start == end:
            continue
        media = otio.schema.ExternalReference(_url(video.fields["source"]), whole)
        clip = otio.schema.Clip(name, media, frames(start, end))
        clip.metadata["vlmtl"] = _facts(scene)
        if text := one_line(text_of(scene["caption"]) or ""):
            marker = otio.schema.Marker(scene["id"], frames(start, start), "GREEN")
            marker.comment = text
            clip.markers.append(marker)
        track.append(clip)
    timeline = otio.schema.Timeline(name)
    timeline.tracks.append(track)
    return timeline


def _frame(time: float, rate: Fraction) -> int:
    return round(Fraction(time) * rate)


def _facts(scene: SceneFields) -> dict[str, Any]:
    return {
        "scene": scene["id"],
        "start": scene["start"],
        "end": scene["end"],
        "boundary": one_line(scene["boundary"]),
        "caption_status": scene["caption"]["status"],
        "caption": one_line(text_of(scene["caption"]) or ""),
    }


def _url(source: SourceFields) -> str:
    path = source["path"]
    if source["path_bytes"] is not None:
        path = os.fsdecode(bytes.fromhex(source["path_bytes"]))
    if path.startswith("/") and "\0" not in path:
        return Path(path).as_uri()
    return quote(path.encode("utf-8", "replace"))
