"""One decoded picture: small planes for looking at it, full RGB for showing it, upright and in SDR."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from av.video.format import VideoFormat
from av.video.frame import PictureType, VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from corridor_cli.errors import DecodeError
from corridor_cli.media.colour import matrix_of, rendering_of
from corridor_cli.media.container import AV_ERRORS, reason_of
from corridor_cli.media.deinterlace import fields_of, weave
from corridor_cli.media.geometry import orientation_of, square
from corridor_cli.records import Planes

if TYPE_CHECKING:
    from corridor_cli.records import Pixels

_INTRA = int(PictureType.I)
_FULL_COLOURS = 0x2000  # swscale.h: SWS_FULL_CHR_H_INT

# Half the width finds as many boundaries (F1 0.986 against 0.987 on the tuning half of
# `scripts/eval_scenes.py`) at a third of the cost.
MAX_PLANE_WIDTH_PX = 128
MAX_PLANE_HEIGHT_PX = 256


def plane_size(width_px: int, height_px: int) -> tuple[int, int]:
    """Width and height of the planes of pictures of this size: at most 128×256, never enlarged."""
    scale = min(1.0, MAX_PLANE_WIDTH_PX / width_px, MAX_PLANE_HEIGHT_PX / height_px)
    return max(1, round(width_px * scale)), max(1, round(height_px * scale))


def num_bytes_of(width_px: int, height_px: int, pixel_format: VideoFormat) -> int:
    """What the samples of such a picture take: in 4:2:0 one and a half bytes a pixel, at 10 bits three."""
    return width_px * height_px * pixel_format.padded_bits_per_pixel // 8


class Converter:
    """The two conversions of a scan; swscale's set-up is kept between frames.

    `pixel_ratio` is that of the upright picture. The size of the planes is settled by the first frame, so
    that all planes of a video compare. `planes` and `rgb` may run in one thread each, but neither in two.
    """

    def __init__(self, pixel_ratio: Fraction | None = None) -> None:
        self._pixel_ratio = pixel_ratio
        self._plane_size: tuple[int, int] | None = None
        # Fast bilinear samples two pixels a side, as OpenCV does, where bilinear averages over all: at
        # 1080p 0.26 against 0.76 ms a frame, and change scores within 0.03 of OpenCV's instead of up to 0.6
        # below. Full-range sources (yuvj, RGB) come out in limited range, or they would score 16 % higher.
        self._shrink = _Conversion("yuv420p", Interpolation.FAST_BILINEAR, ColorRange.MPEG)
        # Plain bilinear at full size: for 4:2:0 of even size this equals decord's output byte for byte.
        self._paint = _Conversion("rgb24", Interpolation.BILINEAR, None)
        self._paint_alpha = _Conversion("rgba", Interpolation.BILINEAR, None)
        self._paint_deep = _Conversion("rgb48le", Interpolation.BILINEAR, None)
        self._paint_bgr = _Conversion("bgr24", Interpolation.BILINEAR, None)
        # In two steps: straight to RGB takes twice as long at 720p. Colours of half the size are what a JPEG
        # keeps, and without the flag swscale would halve their width once more.
        self._shrink_by_area = _Conversion("yuv420p", Interpolation.AREA, None)
        self._paint_small = _Conversion("rgb24", Interpolation.BILINEAR | _FULL_COLOURS, None)

    def planes(self, frame: VideoFrame, matrix: Colorspace | None = None) -> Planes:
        """Y, U, V in limited range, shrunk bilinearly to at most 128×256; `matrix` is that of the video whose
        frame comes as RGB.
        """
        if self._plane_size is None:
            self._plane_size = plane_size(frame.width, frame.height)
        width, height = self._plane_size
        # PyAV's own to_ndarray takes 0.1 ms for this, a third of what the shrinking costs.
        y, u, v = self._shrink.apply(frame, width, height, matrix).planes
        return Planes(_values_of(y), _values_of(u), _values_of(v))

    def rgb(self, frame: VideoFrame) -> Pixels:
        """uint8 (H, W, 3) at full size as it is to be seen: upright, with square pixels, without combs, in
        SDR with BT.709 primaries, on black where it is transparent.
        """
        matrix = matrix_of(frame)
        if frame.interlaced_frame and frame.height % 2 == 0:
            top, bottom = fields_of(frame)
            picture = weave(self._painted(top, matrix), self._painted(bottom, matrix))
        else:
            picture = self._painted(frame, matrix)
        return square(orientation_of(frame).apply(picture), self._pixel_ratio)

    def _painted(self, frame: VideoFrame, matrix: Colorspace) -> Pixels:
        rendering = rendering_of(frame.color_trc, frame.color_primaries)
        if not rendering.is_plain:
            deep = self._paint_deep.apply(frame, frame.width, frame.height, matrix).to_ndarray()
            return rendering.apply(np.asarray(deep, dtype=np.uint16))
        if not _has_alpha(frame):
            return _pixels_of(self._paint.apply(frame, frame.width, frame.height, matrix))
        rgba = self._paint_alpha.apply(frame, frame.width, frame.height, matrix).to_ndarray()
        # What lies under transparent places is not meant to be seen, and can be anything.
        return (rgba[..., :3].astype(np.uint16) * rgba[..., 3:] // 255).astype(np.uint8)

    def small_rgb(self, frame: VideoFrame, size_px: tuple[int, int]) -> Pixels | None:
        """`rgb` in the size (width, height), by means over areas, its colours over twice as long ones.

        None where less than half is taken off a side, and where it is combed, HDR or transparent, which is
        mended pixel by pixel.
        """
        is_plain = rendering_of(frame.color_trc, frame.color_primaries).is_plain
        if not is_plain or frame.interlaced_frame or _has_alpha(frame):
            return None
        orientation = orientation_of(frame)
        width, height = reversed(size_px) if orientation.is_transposed else size_px
        if 2 * width > frame.width + 1 or 2 * height > frame.height + 1:
            return None
        matrix = matrix_of(frame)
        small = self._shrink_by_area.apply(frame, width, height, matrix)
        return orientation.apply(_pixels_of(self._paint_small.apply(small, width, height, matrix)))

    def bgr(self, frame: VideoFrame) -> Pixels:
        """uint8 (H, W, 3) at full size, BGR, not turned: the bytes of `to_ndarray("bgr24")`."""
        return _pixels_of(self._paint_bgr.apply(frame, frame.width, frame.height))


def _has_alpha(frame: VideoFrame) -> bool:
    return any(component.is_alpha for component in frame.format.components)


def _values_of(plane: VideoPlane) -> Pixels:
    """uint8 (h, w): the plane's own memory."""
    return np.ndarray((plane.height, plane.width), np.uint8, memoryview(plane), strides=(plane.line_size, 1))


def _pixels_of(painted: VideoFrame) -> Pixels:
    """uint8 (H, W, 3) of a picture in RGB or BGR: where its rows follow one another, its own memory. PyAV's
    copy takes as long as the conversion does."""
    plane = painted.planes[0]
    if plane.line_size != 3 * painted.width:
        return np.asarray(painted.to_ndarray(), dtype=np.uint8)
    count = 3 * painted.width * painted.height
    pixels = np.frombuffer(memoryview(plane), np.uint8, count)
    return pixels.reshape(painted.height, painted.width, 3)


class _Conversion:
    """One kind of swscale conversion to 8 bit, on the calling thread."""

    def __init__(self, pixel_format: str, interpolation: int, to_range: ColorRange | None) -> None:
        self._swscale = VideoReformatter()
        self._pixel_format = pixel_format
        self._interpolation = interpolation
        self._to_range = to_range

    def apply(
        self, frame: VideoFrame, width: int, height: int, matrix: Colorspace | None = None
    ) -> VideoFrame:
        """The converted picture. Colour tags that swscale refuses, as damaged files have them, are taken for
        BT.601."""
        for space in (matrix, Colorspace.ITU601):
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
            except MemoryError:
                raise
            except AV_ERRORS as error:
                problem = error
        raise DecodeError(
            f"a picture in the format {frame.format.name} cannot be converted to RGB ({reason_of(problem)})",
            hint="Convert the video, for instance to H.264, and run again.",
        )


class PyavFrame:
    """A `ScanFrame` over FFmpeg's picture; nothing is converted until asked for, planes only once."""

    __slots__ = ("_converter", "_frame", "_planes", "index", "time")

    def __init__(self, index: int, time: Fraction, frame: VideoFrame, converter: Converter) -> None:
        self.index = index
        self.time = time
        self._frame = frame
        self._converter = converter
        self._planes: Planes | None = None

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height) as decoded."""
        return self._frame.width, self._frame.height

    @property
    def num_bytes(self) -> int:
        """Of its samples, without the ends of rows."""
        return num_bytes_of(self._frame.width, self._frame.height, self._frame.format)

    @property
    def is_intra(self) -> bool:
        """Whether the decoder calls it an I picture."""
        return self._frame.pict_type == _INTRA

    @property
    def planes(self) -> Planes:
        """Y, U, V at most 128 px wide, rotation not applied."""
        if self._planes is None:
            self._planes = self._converter.planes(self._frame)
        return self._planes

    def rgb(self) -> Pixels:
        """uint8 (H, W, 3) at full size, as it is to be seen."""
        return self._converter.rgb(self._frame)

    def small_rgb(self, size_px: tuple[int, int]) -> Pixels | None:
        """uint8 (h, w, 3) of (width, height), as it is to be seen; None where it must be made of `rgb()`."""
        return self._converter.small_rgb(self._frame, size_px)

    def bgr(self) -> Pixels:
        """uint8 (H, W, 3) at full size, BGR, not turned: what PySceneDetect is given."""
        return self._converter.bgr(self._frame)
