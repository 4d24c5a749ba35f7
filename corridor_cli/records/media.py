"""What is known of a video and its frames."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from corridor_cli.records.common import Pixels, Planes


class PlanesFrame(Protocol):
    """What is looked at of a frame. `planes` are resized bilinearly to one size, at most 128 px wide,
    rotation not applied.
    """

    @property
    def index(self) -> int: ...

    @property
    def time(self) -> Fraction: ...

    @property
    def planes(self) -> Planes: ...


@dataclass(slots=True, eq=False)
class BareFrame:
    """A `PlanesFrame` whose picture has been let go. Not frozen: that takes four times as long, for every
    frame."""

    index: int
    time: Fraction
    planes: Planes


class ScanFrame(PlanesFrame, Protocol):
    """One decoded picture during a scan; pixels are converted only when asked for.

    `size_px` is (width, height) as decoded; `num_bytes` what its samples take as the file codes them: how
    many are held goes by that, and must be the same for every reader. `is_intra` says that the encoder made
    it without looking at others, where that is known. `rgb()` is uint8 (H, W, 3) at full size as it is to be
    seen: upright, with square pixels, in SDR. `small_rgb()` is the same picture at about half its size or
    less, (width, height), made from the decoded planes at once: a third to a seventh of the time of going by
    `rgb()`. It is None where only that way is right. Both may be called once the scan has moved on, until the
    frame is dropped.
    """

    @property
    def size_px(self) -> tuple[int, int]: ...

    @property
    def num_bytes(self) -> int: ...

    @property
    def is_intra(self) -> bool: ...

    def rgb(self) -> Pixels: ...

    def small_rgb(self, size_px: tuple[int, int]) -> Pixels | None: ...


@runtime_checkable
class SparseFrame(ScanFrame, Protocol):
    """A frame of a scan that leaves some out. `scene_start` is (index, time) of one left out at which its
    scene begins; None where nothing is known of one."""

    @property
    def scene_start(self) -> tuple[int, Fraction] | None: ...


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


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """One stream of a container: its kind, its codec (None: no decoder knows it), and what else it states."""

    index: int
    kind: str
    codec: str | None
    details: tuple[str, ...] = ()
