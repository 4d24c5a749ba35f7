"""The nouns: one frozen record for each hand-over between rooms and processes.

Nothing here reads, decides or writes. Times are exact `Fraction` seconds on the video's own axis (PTS minus
the first PTS); ranges are half-open `[start, end)`; frame indices are ordinals in presentation order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

Boundary = Literal["start", "cut", "transition", "split", "file"]
FinishReason = Literal["stop", "length"]


class Role(StrEnum):
    """Why a pick was taken, in the order the timeline lists them."""

    FIRST = "first"
    REPRESENTATIVE = "representative"
    LAST = "last"


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """An error as data: where it arose, its name in `errors.py` (or the foreign type), and what it says."""

    stage: str
    type: str
    message: str


# --- media ------------------------------------------------------------------------------------------------


class ScanFrame(Protocol):
    """One decoded picture during a scan; pixels are converted only when asked for.

    `size_px` is (width, height) as decoded. `planes` is uint8 (3, h, w): Y, U and V resized bilinearly to one
    size, at most 128 px wide, rotation not applied. `rgb()` is uint8 (H, W, 3) at full size as it is to be
    seen: upright, with square pixels, in SDR; it may be called once the scan has moved on, until the frame is
    dropped.
    """

    @property
    def index(self) -> int: ...

    @property
    def time(self) -> Fraction: ...

    @property
    def size_px(self) -> tuple[int, int]: ...

    @property
    def planes(self) -> Pixels: ...

    def rgb(self) -> Pixels: ...


StepKind = Literal["same", "new", "unclear"]
"""What a step over frames leads to: the same scene, a new one, or nobody can say without looking."""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """Facts the container states about a video; `None` is unknown, never a guess.

    Sizes and `sample_aspect_ratio` (of a pixel, width over height) are those of the upright picture.
    `matrix` is the number of its Y'CbCr matrix (ITU-T H.273; 2 is unknown); `picture_needs` names what its
    pictures need beyond decoding and turning, such as deinterlacing.
    """

    container: str
    video_codec: str
    pixel_format: str | None
    audio_codec: str | None
    width_px: int
    height_px: int
    rotation_degrees: int
    sample_aspect_ratio: Fraction | None
    frame_rate: Fraction | None
    duration_seconds_from_header: Fraction | None
    num_frames_from_header: int | None
    stream_index: int
    num_video_streams: int
    warnings: tuple[str, ...] = ()
    is_mirrored: bool = False
    matrix: int = 2
    picture_needs: tuple[str, ...] = ()
    guessed_rate: Fraction | None = None


@dataclass(frozen=True, slots=True)
class ReaderChoice:
    """Which reader decodes a file and why; `fallbacks` lists the ones tried before, each with its reason."""

    name: str
    reason: str
    fallbacks: tuple[str, ...] = ()


# --- scenes -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Transition:
    """A gradual change between scenes, or into and out of black."""

    kind: Literal["fade", "dissolve"]
    start: Fraction
    end: Fraction


@dataclass(frozen=True, slots=True)
class Scene:
    """The run of frames between two boundaries; `boundary` says what opened it."""

    index: int
    start: Fraction
    end: Fraction
    start_frame: int
    end_frame: int
    boundary: Boundary


class CutRow(NamedTuple):
    """A cut as its file has it, not understood yet, and the line it stands on (from 1).

    `unit` says what `text` is: a time, a frame counted from 0, or its number counted from 1. `timecode` is
    the same time in other words, where the line has both.
    """

    line: int
    text: str
    unit: Literal["time", "frame", "number"] = "time"
    timecode: str = ""


@dataclass(frozen=True, slots=True)
class CutSource:
    """Where the cuts of one video stand: the file, and a hash of what it says of this video.

    `rows` are its own where the file is about several videos; None where the file is about it alone.
    """

    path: str
    mark: str
    rows: tuple[CutRow, ...] | None = None


class Cut(NamedTuple):
    """Where a scene shall begin: a time, or else a frame. `place` says where in its file it stands."""

    place: str
    time: Fraction | None
    frame_index: int | None = None


@dataclass(frozen=True, slots=True)
class GivenCuts:
    """The cuts of one video as they were given, in any order, with the name of their file; `notes` is what
    its reader should be told."""

    name: str
    cuts: tuple[Cut, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pick:
    """A frame chosen to stand for its scene.

    `duplicate_of` names the role of the same scene whose caption this pick shares. `rgb_crc32` is the
    checksum of its full-size RGB bytes: another decoder's picture is used only when it has the same one.
    """

    role: Role
    frame_index: int
    time: Fraction
    selection_reason: str
    duplicate_of: Role | None
    rgb_crc32: int


# --- main <-> media worker --------------------------------------------------------------------------------


class FrameRef(NamedTuple):
    """Where a picture lies in shared memory: uint8 RGB, height × width × 3, from the start of its slot."""

    slot: int
    width_px: int
    height_px: int


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
    given.
    """

    video: int
    path: str
    wanted: tuple[WantedPick, ...] | None = None
    info: VideoInfo | None = None
    attempt: int = 0
    cuts: CutSource | None = None


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


class FrameScore(NamedTuple):
    """What was measured for one frame: the detector's score and what it had to reach to be a cut, both in the
    detector's own unit; `score` is None for the first frame.

    `transition` says how far the frames up to this one are from being a blend of two pictures (0 is one);
    None where nothing changes gradually, or where nobody looked.
    """

    frame_index: int
    time: Fraction
    score: float | None
    threshold: float
    transition: float | None


@dataclass(frozen=True, slots=True)
class ScoreRows:
    """What was measured for some more frames of a video that is being scanned, in order."""

    video: int
    rows: tuple[FrameScore, ...]


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """One stream of a container: its kind, its codec (None: no decoder knows it), and what else it states."""

    index: int
    kind: str
    codec: str | None
    details: tuple[str, ...] = ()


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


# --- main <-> engine --------------------------------------------------------------------------------------


class RequestKey(NamedTuple):
    """Names a request within a run: the video's ordinal, the scene's index, and the role of its pick."""

    video: int
    scene: int
    role: Role


@dataclass(frozen=True, slots=True)
class Generation:
    """How tokens are chosen: greedy, at most `max_new_tokens`."""

    max_new_tokens: int


@dataclass(frozen=True, slots=True)
class Request:
    """Frames and prompt for one caption. `attempt` counts deaths of the engine while it held this request:
    above 0 it runs alone, so that the next death names its cause."""

    key: RequestKey
    prompt: str
    frames: tuple[FrameRef, ...]
    generation: Generation
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Caption:
    """The answer to one request: text with token counts and finish reason, or an error and no text."""

    key: RequestKey
    text: str
    prompt_tokens: int
    output_tokens: int
    finish_reason: FinishReason | None
    error: ErrorInfo | None = None


@dataclass(frozen=True, slots=True)
class BatchStats:
    """What one batch cost. Memory is in bytes, None where the device does not say."""

    batch_size: int
    num_tiles: int
    wall_seconds: float
    output_tokens: int
    peak_memory_bytes: int | None
    free_memory_bytes: int | None
    num_oom_retries: int = 0
    next_batch_size: int | None = None


@dataclass(frozen=True, slots=True)
class BatchStarted:
    """The keys an engine is about to run together: the suspects should it die."""

    keys: tuple[RequestKey, ...]


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine is, once started. `batch_size` is the one it begins with, `reasons` says why; `degraded`
    is what it does less well than was asked for."""

    engine: str
    model_id: str
    revision: str | None
    device: str
    dtype: str
    tile_px: int
    max_tiles: int
    batch_size: int
    max_pending: int
    seconds_per_request: float | None = None
    reasons: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    quantization: str | None = None
    degraded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fatal:
    """The engine cannot go on. `kind` is the name of an error in `errors.py`."""

    kind: str
    message: str
    hint: str = ""
