"""One decoded picture: small planes for looking at it, full RGB for showing it, turned upright."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from corridor_cli.errors import DecodeError
from corridor_cli.media.container import AV_ERRORS, reason_of

if TYPE_CHECKING:
    from corridor_cli.records import Pixels

MAX_PLANE_WIDTH_PX = 256
MAX_PLANE_HEIGHT_PX = 512


@dataclass(frozen=True, slots=True)
class Orientation:
    """What makes a decoded picture upright: first swap the axes, then mirror."""

    is_transposed: bool = False
    is_mirrored_x: bool = False
    is_mirrored_y: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def rotation_degrees(self) -> int:
        """The clockwise turn in it: 0, 90, 180 or 270; a mirroring is counted as left-right."""
        if self.is_transposed:
            return 90 if not self.is_mirrored_y else 270
        return 180 if self.is_mirrored_y else 0

    @property
    def is_mirrored(self) -> bool:
        """Whether a mirroring is left when the turn is taken out."""
        return self.is_transposed ^ self.is_mirrored_x ^ self.is_mirrored_y

    def apply(self, picture: Pixels) -> Pixels:
        """The upright picture of uint8 (H, W, 3), contiguous."""
        if self.is_transposed:
            picture = picture.transpose(1, 0, 2)
        if self.is_mirrored_x:
            picture = picture[:, ::-1]
        if self.is_mirrored_y:
            picture = picture[::-1]
        return np.ascontiguousarray(picture)


UPRIGHT = Orientation()


def orientation_of(frame: VideoFrame) -> Orientation:
    """Read the display matrix a frame carries.

    Its first two rows are (a, b, u), (c, d, v): a point (x, y) is shown at (a·x + c·y, b·x + d·y). Only
    quarter turns and mirrorings are applied; any other angle goes to the nearest of them.
    """
    data: Any = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return UPRIGHT
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(data))
    is_transposed = abs(b) + abs(c) > abs(a) + abs(d)
    minor = (abs(a) + abs(d)) if is_transposed else (abs(b) + abs(c))
    major = (abs(b) + abs(c)) if is_transposed else (abs(a) + abs(d))
    warnings: tuple[str, ...] = ()
    if minor * 50 > major:
        warnings = ("the display matrix asks for a turn that is no multiple of 90°; the nearest one is made",)
    if is_transposed:
        return Orientation(True, c < 0, b < 0, warnings)
    return Orientation(False, a < 0, d < 0, warnings)


class Converter:
    """The two conversions of a scan; swscale's set-up is kept between frames.

    The size of the planes is settled by the first frame, so that all planes of a video compare. `planes` and
    `rgb` may run in one thread each, but neither in two.
    """

    def __init__(self) -> None:
        self._plane_size: tuple[int, int] | None = None
        # Fast bilinear samples two pixels a side, as OpenCV does, where bilinear averages over all: at
        # 1080p 0.26 against 0.76 ms a frame, and change scores within 0.03 of OpenCV's instead of up to 0.6
        # below. Full-range sources (yuvj, RGB) come out in limited range, or they would score 16 % higher.
        self._shrink = _Conversion("yuv444p", Interpolation.FAST_BILINEAR, ColorRange.MPEG)
        # Plain bilinear at full size: for 4:2:0 of even size this equals decord's output byte for byte.
        self._paint = _Conversion("rgb24", Interpolation.BILINEAR, None)
        self._paint_bgr = _Conversion("bgr24", Interpolation.BILINEAR, None)

    def planes(self, frame: VideoFrame) -> Pixels:
        """uint8 (3, h, w): Y, U, V in limited range, shrunk bilinearly to at most 256×512."""
        if self._plane_size is None:
            scale = min(1.0, MAX_PLANE_WIDTH_PX / frame.width, MAX_PLANE_HEIGHT_PX / frame.height)
            self._plane_size = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
        width, height = self._plane_size
        small = self._shrink.apply(frame, width, height)
        # PyAV's own to_ndarray takes 0.1 ms for this, a third of what the shrinking costs.
        planes = [np.frombuffer(memoryview(p), np.uint8).reshape(height, -1)[:, :width] for p in small.planes]
        return np.stack(planes)

    def rgb(self, frame: VideoFrame) -> Pixels:
        """uint8 (H, W, 3) at full size, turned upright."""
        picture = self._paint.apply(frame, frame.width, frame.height).to_ndarray()
        return orientation_of(frame).apply(np.asarray(picture, dtype=np.uint8))

    def bgr(self, frame: VideoFrame) -> Pixels:
        """uint8 (H, W, 3) at full size, BGR, not turned: the bytes of `to_ndarray("bgr24")`."""
        picture = self._paint_bgr.apply(frame, frame.width, frame.height).to_ndarray()
        return np.asarray(picture, dtype=np.uint8)


class _Conversion:
    """One kind of swscale conversion to 8 bit, on the calling thread."""

    def __init__(self, pixel_format: str, interpolation: Interpolation, to_range: ColorRange | None) -> None:
        self._swscale = VideoReformatter()
        self._pixel_format = pixel_format
        self._interpolation = interpolation
        self._to_range = to_range

    def apply(self, frame: VideoFrame, width: int, height: int) -> VideoFrame:
        """The converted picture. Colour tags that swscale refuses, as damaged files have them, are taken for
        BT.601."""
        for space in (None, Colorspace.ITU601):
            try:
                return self._swscale.reformat(
                    frame,
                    width=width,
                    height=height,
                    format=self._pixel_format,
                    interpolation=self._interpolation,
                    src_colorspace=space,
                    dst_colorspace=space,
                    dst_color_range=self._to_range,
                    threads=1,
                )
            except AV_ERRORS as error:
                problem = error
        raise DecodeError(f"a {frame.format.name} picture cannot be converted ({reason_of(problem)})")


class PyavFrame:
    """A `ScanFrame` over FFmpeg's picture; nothing is converted until asked for, planes only once."""

    __slots__ = ("_converter", "_frame", "_planes", "index", "time")

    def __init__(self, index: int, time: Fraction, frame: VideoFrame, converter: Converter) -> None:
        self.index = index
        self.time = time
        self._frame = frame
        self._converter = converter
        self._planes: Pixels | None = None

    @property
    def planes(self) -> Pixels:
        """uint8 (3, h, w): Y, U, V at most 256 px wide, rotation not applied."""
        if self._planes is None:
            self._planes = self._converter.planes(self._frame)
        return self._planes

    def rgb(self) -> Pixels:
        """uint8 (H, W, 3) at full size, upright."""
        return self._converter.rgb(self._frame)

    def bgr(self) -> Pixels:
        """uint8 (H, W, 3) at full size, BGR, not turned: what PySceneDetect is given."""
        return self._converter.bgr(self._frame)
