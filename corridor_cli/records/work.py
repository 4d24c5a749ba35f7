"""What main and a media worker tell each other."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from corridor_cli.records.common import ErrorInfo, FrameRef
from corridor_cli.records.cuts import CutSource
from corridor_cli.records.media import ReaderChoice, StreamFacts, VideoInfo
from corridor_cli.records.scenes import FrameScore, Pick, Scene, Transition


@dataclass(frozen=True, slots=True)
class PickedFrame:
    """A pick with its pixels: `frame` is None for a duplicate, for a pick whose caption is known already, and
    where nothing is captioned.

    `image` is the encoded picture to save (JPEG), or None when none is wanted.
    """

    pick: Pick
    frame: FrameRef | None
    image: bytes | None


@dataclass(frozen=True, slots=True)
class WantedPick:
    """A pick of an earlier scan that is needed again: for the model, for the saved picture, or both."""

    scene_index: int
    pick: Pick
    for_model: bool
    for_image: bool


@dataclass(frozen=True, slots=True)
class ScanJob:
    """One video to scan, or, when `wanted` is given, to take known picks from without scanning.

    `attempt` counts the workers this video has cost so far. `cuts` is where its cuts stand, where they are
    given. The pool says by how many threads it may be decoded.
    """

    video: int
    path: str
    wanted: tuple[WantedPick, ...] | None = None
    info: VideoInfo | None = None
    attempt: int = 0
    cuts: CutSource | None = None
    num_threads: int = 1


@dataclass(frozen=True, slots=True)
class ProbeJob:
    """One video to open and describe, without scanning it. `attempt` as in `ScanJob`."""

    video: int
    path: str
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class SlotsFreed:
    """Slots whose pixels nobody needs any more."""

    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class VideoOpened:
    """The file was opened: its facts and the reader chosen."""

    video: int
    info: VideoInfo
    reader: ReaderChoice


@dataclass(frozen=True, slots=True)
class SceneFrames:
    """One finished scene with its picks. `scene` is None when a known scan's picks are fetched again."""

    video: int
    scene_index: int
    scene: Scene | None
    picks: tuple[PickedFrame, ...]


@dataclass(frozen=True, slots=True)
class ScoreRows:
    """What was measured for some more frames of a video that is being scanned, in order."""

    video: int
    rows: tuple[FrameScore, ...]


@dataclass(frozen=True, slots=True)
class VideoProbed:
    """What is known of a video without scanning it: its facts, its streams, who would read it for what."""

    video: int
    info: VideoInfo
    streams: tuple[StreamFacts, ...]
    scan_reader: ReaderChoice
    picks_reader: ReaderChoice


@dataclass(frozen=True, slots=True)
class Progress:
    """Heartbeat of a media worker: frames decoded so far, and whether it waits for free slots."""

    video: int
    num_frames: int
    time_seconds: float
    is_waiting: bool = False


@dataclass(frozen=True, slots=True)
class ScanEnd:
    """The end of a job. `duration` is measured: the end of the last frame. `error` with frames is partial.

    `num_decoded` is told where frames were left out: then `num_frames` counts those as well.
    """

    video: int
    num_frames: int
    duration: Fraction
    is_variable_frame_rate: bool | None
    transitions: tuple[Transition, ...]
    reader: ReaderChoice | None
    warnings: tuple[str, ...]
    error: ErrorInfo | None
    num_decoded: int | None = None
