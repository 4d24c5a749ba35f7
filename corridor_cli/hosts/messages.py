"""What main tells a child at its start, and what the pools tell the pipeline about their children."""

from __future__ import annotations

from dataclasses import dataclass, field

from corridor_cli.records import ErrorInfo
from corridor_cli.settings import CaptionSettings, DecodeSettings, FrameSettings, ModelSettings, SceneSettings


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """A media worker's first message. `max_pixels` and `enough_pixels` are what picks are shrunk by: see
    `media.shrink`.

    `slot_bytes` is 0 where nothing is captioned: picks then come without pixels. `with_scores` asks for
    `ScoreRows` too.
    With `reads_ahead` a scan decodes on a thread of its own. `num_threads` are for each scan, `num_cores` for
    all workers together: the fewer scans go on, the more each is given. The frames are the same.
    """

    decode: DecodeSettings
    scenes: SceneSettings
    frames: FrameSettings
    slot_bytes: int
    max_pixels: int
    free_slots: tuple[int, ...]
    with_scores: bool = False
    reads_ahead: bool = False
    num_threads: int = 1
    num_cores: int = 1
    enough_pixels: int | None = None


@dataclass(frozen=True, slots=True)
class EngineSetup:
    """An engine host's first message. `caption` says what most requests will ask; with `trace_path` some
    seconds of its work are written there as a Chrome trace."""

    model: ModelSettings
    slot_bytes: int
    caption: CaptionSettings = field(default_factory=CaptionSettings)
    trace_path: str | None = None


@dataclass(frozen=True, slots=True)
class ListenerSetup:
    """The first message to the child that listens. `model` is a size or a folder of faster-whisper;
    without a `language` it finds out."""

    model: str
    device: str
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """An engine host is to finish what it writes and to end."""


@dataclass(frozen=True, slots=True)
class JobLost:
    """A media worker stalled or died with this video in hand."""

    video: int
    error: ErrorInfo
