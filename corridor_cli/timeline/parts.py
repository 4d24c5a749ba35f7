"""The parts of the document `vlmtl.timeline/1`, field by field; `schema.py` has the whole.

Every field is always there; unknown is null. Times are float seconds rounded to a microsecond, half-open; a
timecode is the same time for people, rounded to a millisecond.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from corridor_cli.records import Boundary, FinishReason

Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, description="Seconds on the video's own axis, to a microsecond.")]
Timecode = Annotated[str, Field(pattern=r"^\d{2,}:[0-5]\d:[0-5]\d\.\d{3}$", description="HH:MM:SS.mmm")]
SceneId = Annotated[str, Field(pattern=r"^s\d{4,}$")]
FrameId = Annotated[str, Field(pattern=r"^s\d{4,}-(first|representative|last)$")]
Key = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]

Status = Literal["complete", "partial", "failed"]
CaptionStatus = Literal["success", "truncated", "empty", "repetitive", "echoed", "error", "skipped"]
RoleName = Literal["first", "representative", "last"]


class Part(BaseModel):
    """Base of everything in the document."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Reader(Part):
    """How the scan decoded the source. Warnings are those of the container and of the decoder."""

    name: str
    reason: str
    fallbacks: tuple[str, ...]
    warnings: tuple[str, ...]
    frames_decoded: Count
    frames_expected: Count | None = Field(description="What the container states, if it does.")


class Source(Part):
    """The video. `duration` and `frame_count` are measured: what the scenes cover."""

    path: str = Field(description=r"Bytes of the path that are not UTF-8 are shown as \xNN.")
    path_bytes: str | None = Field(
        pattern=r"^([0-9a-f]{2})+$", description="The path in hex, only when it is not UTF-8."
    )
    name: str
    size_bytes: Count | None
    fingerprint: str | None
    duration: Seconds | None
    frame_rate: str | None = Field(pattern=r"^\d+/\d+$")
    fps: float | None = Field(ge=0, description="The frame rate, rounded to six digits.")
    variable_frame_rate: bool | None
    frame_count: Count | None
    width: Count | None
    height: Count | None
    rotation: int | None
    video_codec: str | None
    audio_codec: str | None
    reader: Reader | None


class Summary(Part):
    """What the whole video is about."""

    title: str | None
    synopsis: str | None
    tags: tuple[str, ...]


class TransitionPart(Part):
    """A gradual change between scenes."""

    kind: Literal["fade", "dissolve"]
    start: Seconds
    end: Seconds


class CaptionError(Part):
    """Why there is no caption."""

    type: str
    message: str


class CaptionPart(Part):
    """A caption or the reason why there is none; a failure is never caption text."""

    status: CaptionStatus
    text: str | None = Field(min_length=1)
    finish_reason: FinishReason | None
    prompt_tokens: Count | None
    output_tokens: Count | None
    error: CaptionError | None
    retry_of: CaptionStatus | None = Field(
        default=None, description="What was wrong with a first answer in whose place this one stands."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        has_text = self.status in ("success", "truncated", "repetitive", "echoed")
        if has_text != (self.text is not None):
            raise ValueError(f"status {self.status!r} {'needs' if has_text else 'allows no'} text")
        if (self.status == "error") != (self.error is not None):
            raise ValueError(f"status {self.status!r} does not go with error {self.error!r}")
        if self.status == "truncated" and self.finish_reason != "length":
            raise ValueError(f"status 'truncated' needs finish_reason 'length', got {self.finish_reason!r}")
        if self.status == "success" and self.finish_reason == "length":
            raise ValueError("status 'success' does not go with finish_reason 'length'")
        return self


class Attributes(Part):
    """A scene in fields."""

    title: str | None
    subjects: tuple[str, ...]
    action: str | None
    setting: str | None
    shot_type: str | None
    camera_movement: str | None
    on_screen_text: str | None
    tags: tuple[str, ...]


class FramePart(Part):
    """A pick. `duplicate_of` is the frame of the same scene whose caption it shares."""

    id: FrameId
    role: RoleName
    time: Seconds
    timecode: Timecode
    frame_index: Count
    path: str | None = Field(description="The saved picture, relative to the timeline's folder.")
    selection_reason: str
    duplicate_of: FrameId | None
    caption: CaptionPart | None


class ScenePart(Part):
    """The run of frames `[start, end)` between two boundaries; `boundary` is the one that opened it."""

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
    caption: CaptionPart
    attributes: Attributes | None
    transcript: str | None = Field(default=None, min_length=1, description="What is said in the scene.")
    num_same_captions: Count = Field(
        default=0, description="Other scenes with the very same caption, where it is suspiciously many."
    )
    frames: tuple[FramePart, ...]


class ErrorPart(Part):
    """Something that went wrong, in the words of the stage where it did."""

    stage: str
    scene_id: SceneId | None
    type: str
    message: str


class Model(Part):
    """The model that wrote the captions."""

    id: str
    revision: str | None
    dtype: str
    quantization: str | None
    engine: str


class GenerationPart(Part):
    """How tokens were chosen."""

    max_new_tokens: Annotated[int, Field(ge=1)]


class Prompt(Part):
    """What the model was asked; `sha256` is of the text's UTF-8 bytes. Variables stand in it as {name}."""

    id: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    text: str
    mode: Literal["frames", "scene"] = Field(default="frames", description="What a request is about.")
    format: Literal["text", "json"] = "text"
    language: str | None = None


class Detector(Part):
    """What found the scenes; `threshold` null is the detector's own."""

    name: str
    threshold: float | None


class Provenance(Part):
    """What made this document; with the same media it makes the same one again, `run` apart."""

    tool: str
    version: str
    scan_key: Key | None
    caption_key: Key | None
    model: Model | None
    generation: GenerationPart
    prompt: Prompt
    detector: Detector
    pictures: str = Field(description="How picks were saved: none, full, or thumbnails and their size.")
    summary: bool = Field(default=False, description="Whether a summary was asked for.")
    transcript: str | None = Field(default=None, description="A hash of the transcript that was used.")


class Tokens(Part):
    """Tokens of this run's requests for this video."""

    prompt: Count
    output: Count


class Run(Part):
    """How this run went. The only part that differs between two runs over the same media."""

    created_at: str
    environment: dict[str, str]
    wall_seconds: float | None
    phases: dict[str, float]
    batches: Count
    attempts: Count
    oom_retries: Count
    batch_size: Count | None
    tokens: Tokens
    peak_memory_bytes: Count | None
    degraded: tuple[str, ...]


class Document(Part):
    """The whole document, each field checked by itself."""

    schema_name: Literal["vlmtl.timeline/1"] = Field(alias="schema")
    status: Status
    source: Source
    summary: Summary | None
    transitions: tuple[TransitionPart, ...]
    scenes: tuple[ScenePart, ...]
    errors: tuple[ErrorPart, ...]
    provenance: Provenance
    run: Run
