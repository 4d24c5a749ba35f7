"""Frames of readers that give RGB, turned upright already: in main memory, or on a card."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from corridor_cli.media.colour import MATRICES, UNMARKED_HD, as_bt709, limited_yuv
from corridor_cli.media.geometry import square
from corridor_cli.media.picture import Converter, num_bytes_of, plane_size
from corridor_cli.records import Planes, VideoInfo

if TYPE_CHECKING:
    from corridor_cli.records import Pixels


class RgbFrame:
    """A `ScanFrame` over pixels uint8 (H, W, 3). Whether it is intra is not known."""

    is_intra = False
    __slots__ = ("_converter", "_info", "_pixels", "_planes", "index", "time")

    def __init__(
        self, index: int, time: Fraction, pixels: Any, info: VideoInfo, converter: Converter
    ) -> None:
        self.index = index
        self.time = time
        self._pixels = pixels
        self._info = info
        self._converter = converter
        self._planes: Planes | None = None

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height) as decoded."""
        height, width, _ = self._pixels.shape
        return width, height

    @property
    def num_bytes(self) -> int:
        """Of its samples before they became RGB."""
        assert self._info.pixel_format is not None, "only files whose format is known are read as RGB"
        return num_bytes_of(*self.size_px, VideoFormat(self._info.pixel_format))

    @property
    def planes(self) -> Planes:
        """Y, U, V at most 128 px wide, as coded: the turn is undone."""
        if self._planes is None:
            self._planes = self._coded_planes(self._info.rotation_degrees // 90)
        return self._planes

    def rgb(self) -> Pixels:
        """uint8 (H, W, 3) at full size in main memory, as it is to be seen."""
        pixels = self._in_main_memory()
        if UNMARKED_HD in self._info.picture_needs:
            pixels = as_bt709(pixels)
        return square(pixels, self._info.sample_aspect_ratio)

    def small_rgb(self, size_px: tuple[int, int]) -> Pixels | None:
        """Not to be had sooner than `rgb()`."""
        return None

    def _coded_planes(self, num_turns: int) -> Planes:
        coded = np.ascontiguousarray(np.rot90(self._pixels, num_turns))
        frame = VideoFrame.from_ndarray(coded, format="rgb24")
        return self._converter.planes(frame, MATRICES.get(self._info.matrix))

    def _in_main_memory(self) -> Pixels:
        return np.ascontiguousarray(self._pixels)


class CardFrame(RgbFrame):
    """The same over a torch tensor on a CUDA device, where its planes are made too."""

    __slots__ = ()

    def _coded_planes(self, num_turns: int) -> Planes:
        return planes_on_device(self._pixels, num_turns, self._info.matrix)

    def _in_main_memory(self) -> Pixels:
        return np.ascontiguousarray(self._pixels.cpu().numpy())


def planes_on_device(pixels: Any, num_turns: int, matrix: int) -> Planes:
    """Y, U, V of an RGB tensor (H, W, 3), shrunk where it lies; only that is copied."""
    import torch

    coded = torch.rot90(pixels, num_turns).permute(2, 0, 1)
    width, height = plane_size(coded.shape[2], coded.shape[1])
    small = _shrunk(coded, width, height), _shrunk(coded, (width + 1) // 2, (height + 1) // 2)
    shares, offsets = (torch.tensor(each, dtype=torch.float32) for each in limited_yuv(matrix))

    def of_rgb(rgb: Any, which: slice) -> Pixels:
        values = torch.tensordot(shares[which].to(rgb.device), rgb, 1)
        values += offsets[which].to(rgb.device)[:, None, None]
        result: Pixels = values.round_().clamp_(0, 255).to(torch.uint8).cpu().numpy()
        return result

    luma, chroma = (of_rgb(rgb, which) for rgb, which in zip(small, (slice(1), slice(1, 3)), strict=True))
    return Planes(luma[0], *chroma)


def _shrunk(picture: Any, width: int, height: int) -> Any:
    """float32 (3, height, width), sampled where swscale's FAST_BILINEAR does, so that a card's scan finds
    what the processor's does."""
    full_height, full_width = picture.shape[1:]
    step = (full_width - 2) / (width - 2) if width > 2 else full_width / width
    return _sampled(_sampled(picture, 1, height, full_height / height), 2, width, step)


def _sampled(picture: Any, axis: int, number: int, step: float) -> Any:
    """`number` rows or columns of (3, h, w), `step` apart, each between its two neighbours."""
    import torch

    last = picture.shape[axis] - 1
    places = ((torch.arange(number, device=picture.device) + 0.5) * step - 0.5).clamp(0, last)
    before = places.long()
    after = (before + 1).clamp(max=last)
    share = (places - before).view([-1 if each == axis else 1 for each in range(3)])
    one, other = (picture.index_select(axis, each).float() for each in (before, after))
    return one + share * (other - one)
