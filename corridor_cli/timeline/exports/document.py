"""A committed timeline as exports read it: the fields they use and no others, checked, and quickly.

The whole schema with its invariants takes 3.7 ms for a document of 20 KB (two AMD cores), which is what
`vlmtl validate` is for. Here orjson parses it, where it is installed (0.14 ms, json 0.39), and pydantic
checks the fields that are used (0.08 ms); the rest of the document is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from typing import Annotated, Any, Literal, NotRequired, cast

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json
from typing_extensions import TypedDict

from corridor_cli.errors import TimelineError
from corridor_cli.printable import shortened
from corridor_cli.records import Boundary
from corridor_cli.timeline.commit import FAMILY
from corridor_cli.timeline.parts import CaptionStatus, Count, FrameId, RoleName, SceneId, Seconds, Timecode
from corridor_cli.timeline.schema import SCHEMA_NAME

_CONFIG = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False)


class ErrorFields(TypedDict):
    __pydantic_config__ = _CONFIG  # type: ignore[misc]
    type: str
    message: str


class CaptionFields(TypedDict):
    __pydantic_config__ = _CONFIG  # type: ignore[misc]
    status: CaptionStatus
    text: str | None
    finish_reason: str | None
    prompt_tokens: Count | None
    output_tokens: Count | None
    error: ErrorFields | None


class FrameCaptionFields(TypedDict):
    __pydantic_config__ = _CONFIG  # type: ignore[misc]
    status: CaptionStatus
    text: str | None


class AttributeFields(TypedDict):
    __pydantic_config__ = _CONFIG  # type: ignore[misc]
    title: str | None
    subjects: list[str]
    action: str | None
    setting: str | None
    shot_type: str | None
    camera_movement: str | None
    on_screen_text: str | None
    tags: list[str]


class FrameFields(TypedDict):
    __pydantic_config__ = _CONFIG  # type: ignore[misc]
    id: FrameId
    role: RoleName
    time: Seconds
    path: str | None
    caption: FrameCaptionFields | None


class SceneFields(TypedDict):
    __pydantic_config__ = _CONFIG  # type: ignore[misc]
    id: SceneId
    index: Count
    start: Seconds
    end: Seconds
    duration: Seconds
    start_timecode: Timecode
    end_timecode: Timecode
    start_frame: Count
    end_frame: Count
    boundary: Boundary
    caption: CaptionFields
    attributes: AttributeFields | None
    transcript: NotRequired[str | None]
    frames: list[FrameFields]


class SourceFields(TypedDict):
    __pydantic_config__ = _CONFIG  # type: ignore[misc]
    path: str
    path_bytes: Annotated[str, Field(pattern=r"^([0-9a-f]{2})+$")] | None
    name: str
    fingerprint: str | None
    duration: Seconds | None
    frame_rate: str | None
    fps: float | None
    variable_frame_rate: bool | None
    width: Count | None
    height: Count | None


class SummaryFields(TypedDict):
    __pydantic_config__ = _CONFIG  # type: ignore[misc]
    title: str | None
    synopsis: str | None
    tags: list[str]


class ModelFields(TypedDict):
    __pydantic_config__ = _CONFIG  # type: ignore[misc]
    id: str
    revision: str | None
    dtype: str
    engine: str


class PromptFields(TypedDict):
    __pydantic_config__ = _CONFIG  # type: ignore[misc]
    id: str
    sha256: str


class ProvenanceFields(TypedDict):
    __pydantic_config__ = _CONFIG  # type: ignore[misc]
    version: str
    scan_key: str | None
    caption_key: str | None
    model: ModelFields | None
    prompt: PromptFields


class DocumentFields(TypedDict):
    __pydantic_config__ = _CONFIG  # type: ignore[misc]
    status: Literal["complete", "partial"]
    source: SourceFields
    summary: SummaryFields | None
    scenes: list[SceneFields]
    provenance: ProvenanceFields


@dataclass(frozen=True, slots=True)
class Video:
    """One timeline to export. `stem` is its path below OUTPUT without `.timeline.json`, with `/`."""

    stem: str
    fields: DocumentFields

    @property
    def name(self) -> str:
        """The file name of the video."""
        return self.fields["source"]["name"]

    @property
    def scenes(self) -> list[SceneFields]:
        return self.fields["scenes"]


_adapter = TypeAdapter(DocumentFields)


def _find_parser() -> Callable[[bytes], Any]:
    if find_spec("orjson") is None:
        # Not the standard library's, which takes lone surrogates, NaN and duplicates of keys for good.
        return lambda data: from_json(data, allow_inf_nan=False)
    return cast(Callable[[bytes], Any], import_module("orjson").loads)


_parse = _find_parser()


def read_video(data: bytes, stem: str) -> Video:
    """The timeline in `data`. Raises `TimelineError`, which says what is wrong but not of which file."""
    try:
        document = _parse(data)
    except (ValueError, RecursionError) as error:
        raise TimelineError(f"is no JSON document: {shortened(str(error), 120)}") from error
    name = document.get("schema") if isinstance(document, dict) else None
    if name != SCHEMA_NAME:
        raise TimelineError(_foreign(name))
    if document.get("status") == "failed":
        raise TimelineError("is a failed document under the name of a timeline: it has no scenes")
    try:
        fields = _adapter.validate_python(document)
    except ValidationError as error:
        raise TimelineError(_problem(error)) from error
    _check_order(fields["scenes"])
    return Video(stem, fields)


def text_of(caption: CaptionFields | FrameCaptionFields | None) -> str | None:
    """The text of a caption that has one; None for an empty, failed or skipped one."""
    if caption is None or caption["status"] in ("empty", "error", "skipped"):
        return None
    return caption["text"] or None


def _foreign(name: object) -> str:
    if isinstance(name, str) and name.startswith(FAMILY):
        return f"is a {shortened(name)}, and this version reads {SCHEMA_NAME}"
    return f"is no timeline of ours: its schema is not {SCHEMA_NAME}"


def _problem(error: ValidationError) -> str:
    first, *others = error.errors(include_url=False, include_input=False, include_context=False)
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"])
    more = f" (and {len(others)} more)" if others else ""
    return f"is damaged: {place.removeprefix('.')}: {first['msg']}{more}"


def _check_order(scenes: list[SceneFields]) -> None:
    """Formats with times cannot say what contradicts itself; `vlmtl validate` tells all of it."""
    if not scenes:
        raise TimelineError("is damaged: scenes: a timeline has at least one")
    for number, scene in enumerate(scenes):
        if scene["end"] < scene["start"]:
            raise TimelineError(f"is damaged: scenes[{number}]: ends before it begins")
    for number, (before, after) in enumerate(pairwise(scenes), start=1):
        if after["start"] < before["end"]:
            raise TimelineError(f"is damaged: scenes[{number}]: begins before the end of the one before")
