"""What can be set: one frozen dataclass for each section of `config/processing.yaml`.

Rooms receive their section, already valid; reading and checking files is the business of `config/`. Only the
standard library and `annotated_types` (the limits of each value) are needed here, so a media worker or an
engine imports its settings without pydantic.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Predicate


def is_device(text: str) -> bool:
    """Whether the text names a device: auto, cpu, cuda or cuda:N."""
    number = text.removeprefix("cuda:")
    return text in ("auto", "cpu", "cuda") or (number != text and number.isascii() and number.isdecimal())


Precision = Literal["auto", "bf16", "fp16", "fp32", "int8"]
ExportFormat = Literal[
    "srt", "vtt", "txt", "markdown", "ffmetadata", "edl", "otio", "csv", "tsv", "jsonl", "parquet", "hf"
]
AutoOrCount = Literal["auto"] | Annotated[int, Ge(1)]
Device = Annotated[str, Predicate(is_device)]

VIDEO_EXTENSIONS = (
    "mp4", "m4v", "mov", "mkv", "webm", "avi", "ts", "m2ts", "mts",
    "mpg", "mpeg", "flv", "wmv", "ogv", "3gp", "mxf",
)  # fmt: skip

DEFAULT_PROMPT = (
    "Describe this video frame in one or two sentences: the light, the colours, and what can be seen."
)


@dataclass(frozen=True, slots=True)
class InputSettings:
    """Which files are taken."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    extensions: tuple[str, ...] = VIDEO_EXTENSIONS
    limit: Annotated[int, Ge(1)] | None = None
    full_hash: bool = False


@dataclass(frozen=True, slots=True)
class DecodeSettings:
    """How files become frames."""

    reader: Literal["auto", "decord", "pyav", "torchcodec"] = "auto"
    device: Device = "auto"
    workers: AutoOrCount = "auto"
    threads: AutoOrCount = "auto"
    stall_seconds: Annotated[float, Gt(0)] = 60.0
    max_seconds: Annotated[float, Gt(0)] | None = None
    max_pixels: Annotated[int, Ge(1)] = 8192 * 8192
    max_frames: Annotated[int, Ge(1)] | None = None
    max_duration_seconds: Annotated[float, Gt(0)] | None = None
    max_file_bytes: Annotated[int, Ge(1)] | None = None
    max_decoded_bytes: Annotated[int, Ge(1)] | None = None
    max_memory_bytes: AutoOrCount = "auto"


@dataclass(frozen=True, slots=True)
class SceneSettings:
    """How frames become scenes. `threshold` and `min_scene_seconds` None: the detector's own default."""

    detector: Literal["adaptive", "content", "psd-adaptive", "interval", "none", "file"] = "adaptive"
    cuts: str | None = None
    scan: Literal["full", "keyframes"] = "full"
    threshold: Annotated[float, Gt(0)] | None = None
    min_scene_seconds: Annotated[float, Ge(0)] | None = None
    max_scene_seconds: Annotated[float, Gt(0)] | None = 60.0
    interval_seconds: Annotated[float, Gt(0)] = 10.0
    transitions: bool = True


@dataclass(frozen=True, slots=True)
class FrameSettings:
    """Which frames of a scene are taken and which are saved."""

    inset_seconds: Annotated[float, Ge(0)] = 0.1
    duplicate_threshold: Annotated[float, Ge(0)] = 3.0
    save: Literal["none", "thumbnails", "full"] = "thumbnails"
    thumbnail_px: Annotated[int, Ge(16), Le(4096)] = 320
    max_saved_bytes: Annotated[int, Ge(0)] = 10 * 1024**3


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The model and how the accelerator is used: `gpu_pipeline.internvl3` in the file."""

    model: str | None = None
    revision: str | None = None
    load_format: Literal["auto", "dummy"] = "auto"
    preset: Literal["internvl3-1b", "internvl3-2b", "internvl3-8b"] | None = None
    engine: Literal["local", "generic", "echo"] = "local"
    device: Device = "auto"
    batch_size: AutoOrCount = "auto"
    max_batch_size: Annotated[int, Ge(1)] = 256
    enable_batch_processing: bool = True
    async_frame_loading: bool = True
    memory_optimization: bool = True
    gpu_memory_fraction: Annotated[float, Gt(0), Le(1)] = 0.9
    enable_mixed_precision: bool = True
    precision: Precision = "auto"
    max_tiles: Annotated[int, Ge(1), Le(40)] = 1
    echo: dict[str, str | int | float | bool] = field(default_factory=dict)

    @property
    def chosen_precision(self) -> str:
        """`precision`, where `auto` without mixed precision means `fp32`."""
        is_open = self.precision == "auto" and self.enable_mixed_precision
        return "auto" if is_open else self.precision.replace("auto", "fp32")


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """Holds the model families; InternVL3 is the one there is."""

    internvl3: ModelSettings = field(default_factory=ModelSettings)


@dataclass(frozen=True, slots=True)
class CaptionSettings:
    """What the model is asked. `prompt` is the text itself once settings are loaded: see `prompts.py`."""

    mode: Literal["frames", "scene"] = "frames"
    prompt: str = DEFAULT_PROMPT
    templates: dict[str, str] = field(default_factory=dict)
    language: str | None = None
    transcripts: str | None = None
    format: Literal["text", "json"] = "text"
    max_new_tokens: Annotated[int, Ge(1), Le(4096)] = 128
    retry: bool = True
    summary: bool = False


@dataclass(frozen=True, slots=True)
class ErrorSettings:
    """When to try again, and when to stop."""

    max_attempts: Annotated[int, Ge(1)] = 2
    engine_stall_seconds: Annotated[float, Gt(0)] = 900.0
    engine_restarts: Annotated[int, Ge(0)] = 8
    fail_fast: bool = False
    max_failures: Annotated[int, Ge(1)] | None = None


@dataclass(frozen=True, slots=True)
class OutputSettings:
    """How documents are written."""

    indent: Annotated[int, Ge(0), Le(8)] = 2
    fsync: bool = True
    exports: tuple[ExportFormat, ...] = ()


@dataclass(frozen=True, slots=True)
class LoggingSettings:
    """What is told while a run goes on."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    progress_seconds: Annotated[float, Gt(0)] = 30.0


@dataclass(frozen=True, slots=True)
class Settings:
    """All of `config/processing.yaml`."""

    input: InputSettings = field(default_factory=InputSettings)
    decode: DecodeSettings = field(default_factory=DecodeSettings)
    scenes: SceneSettings = field(default_factory=SceneSettings)
    frames: FrameSettings = field(default_factory=FrameSettings)
    gpu_pipeline: PipelineSettings = field(default_factory=PipelineSettings)
    caption: CaptionSettings = field(default_factory=CaptionSettings)
    errors: ErrorSettings = field(default_factory=ErrorSettings)
    output: OutputSettings = field(default_factory=OutputSettings)
    logging: LoggingSettings = field(default_factory=LoggingSettings)
