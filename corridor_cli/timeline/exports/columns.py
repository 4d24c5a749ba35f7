"""The columns of every table: one row a scene, in the order of the video. docs/exports.md explains them.

Names are those of the document where there is one. `path`, `start` and `start_frame` are also what
`vlmtl run --cuts` reads, so a mended table of scenes can be given back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from corridor_cli.timeline.exports.document import (
    CaptionFields,
    FrameFields,
    SceneFields,
    Video,
    text_of,
)
from corridor_cli.timeline.exports.pictures import PicturePaths
from corridor_cli.timeline.layout import TIMELINE_SUFFIX

Value = str | int | float | list[str] | None
Row = tuple[Value, ...]
Kind = Literal["text", "whole", "number", "texts"]

_KINDS: tuple[tuple[Kind, str], ...] = (
    ("text", "path timeline video_status scene_id"),
    ("whole", "index"),
    ("number", "start end duration"),
    ("text", "start_timecode end_timecode"),
    ("whole", "start_frame end_frame"),
    ("text", "boundary caption caption_status caption_error finish_reason"),
    ("whole", "prompt_tokens output_tokens"),
    ("text", "title action setting shot_type camera_movement on_screen_text"),
    ("texts", "subjects tags"),
    ("text", "transcript"),
    ("number", "first_time representative_time last_time"),
    ("text", "first_picture representative_picture last_picture first_caption last_caption"),
    ("text", "video_title video_synopsis"),
    ("texts", "video_tags"),
    ("number", "video_duration fps"),
    ("whole", "width height"),
    ("text", "model model_revision precision engine prompt_id prompt_sha256"),
    ("text", "fingerprint scan_key caption_key version"),
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column and what its cells hold: text, whole numbers, numbers, or lists of texts; or nothing."""

    name: str
    kind: Kind


COLUMNS = tuple(Column(name, kind) for kind, names in _KINDS for name in names.split())
CAPTION = next(place for place, column in enumerate(COLUMNS) if column.name == "caption")


def scene_rows(video: Video) -> Iterator[Row]:
    """A row of `COLUMNS` for each scene. A caption that is missing or failed is None, never its error."""
    head = (video.fields["source"]["path"], video.stem + TIMELINE_SUFFIX, video.fields["status"])
    tail = _video_values(video)
    paths = PicturePaths(video)
    for scene in video.scenes:
        yield (*head, *_scene_values(scene), *_frame_values(paths, scene), *tail)


def _scene_values(scene: SceneFields) -> Row:
    caption = scene["caption"]
    return (
        scene["id"],
        scene["index"],
        scene["start"],
        scene["end"],
        scene["duration"],
        scene["start_timecode"],
        scene["end_timecode"],
        scene["start_frame"],
        scene["end_frame"],
        scene["boundary"],
        text_of(caption),
        caption["status"],
        _error(caption),
        caption["finish_reason"],
        caption["prompt_tokens"],
        caption["output_tokens"],
        *_attribute_values(scene),
        scene.get("transcript"),
    )


def _error(caption: CaptionFields) -> str | None:
    error = caption["error"]
    return None if error is None else f"{error['type']}: {error['message']}"


def _attribute_values(scene: SceneFields) -> Row:
    found = scene["attributes"]
    if found is None:
        return (None,) * 8
    return (
        found["title"],
        found["action"],
        found["setting"],
        found["shot_type"],
        found["camera_movement"],
        found["on_screen_text"],
        found["subjects"],
        found["tags"],
    )


def _frame_values(paths: PicturePaths, scene: SceneFields) -> Row:
    """The three picks, by role; the caption of the representative is the scene's."""
    frames: dict[str, FrameFields] = {frame["role"]: frame for frame in scene["frames"]}
    first, middle, last = frames.get("first"), frames.get("representative"), frames.get("last")
    return (
        first and first["time"],
        middle and middle["time"],
        last and last["time"],
        paths.below_output(first),
        paths.below_output(middle),
        paths.below_output(last),
        first and text_of(first["caption"]),
        last and text_of(last["caption"]),
    )


def _video_values(video: Video) -> Row:
    source, summary, made_by = video.fields["source"], video.fields["summary"], video.fields["provenance"]
    model, prompt = made_by["model"], made_by["prompt"]
    return (
        summary and summary["title"],
        summary and summary["synopsis"],
        summary and summary["tags"],
        source["duration"],
        source["fps"],
        source["width"],
        source["height"],
        model and model["id"],
        model and model["revision"],
        model and model["dtype"],
        model and model["engine"],
        prompt["id"],
        prompt["sha256"],
        source["fingerprint"],
        made_by["scan_key"],
        made_by["caption_key"],
        made_by["version"],
    )
