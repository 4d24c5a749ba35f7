"""Read videos with torchcodec: on the CPU with the system's FFmpeg, or on an NVIDIA card with NVDEC.

An optional extra, imported only when it is chosen, for it brings torch along (seconds, and hundreds of
megabytes). Its counts and times are checked against the packets; a file it gives up in is left to PyAV.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from fractions import Fraction
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from corridor_cli.errors import DecodeError
from corridor_cli.media.clock import Clock
from corridor_cli.media.colour import UNMARKED_HD
from corridor_cli.media.decoding import packet_times
from corridor_cli.media.picture import Converter
from corridor_cli.media.rgb_frame import CardFrame, RgbFrame
from corridor_cli.printable import printable
from corridor_cli.records import ReaderChoice, VideoInfo
from corridor_cli.settings import DecodeSettings

# torch reports what its operators raise as RuntimeError, wrong indices as IndexError or ValueError.
TORCHCODEC_ERRORS: tuple[type[Exception], ...] = (RuntimeError, IndexError, ValueError, AssertionError)
# MPEG-TS: its first frame is a later keyframe. AVI: the last frame is lost where B-frames are packed. MPEG-PS
# and raw streams: timestamps are missing.
CONTAINERS = frozenset({"mov", "matroska", "flv"})
CODECS = frozenset({"h264", "hevc", "mpeg4", "mpeg2video", "vp8", "vp9", "av1"})
# Formats whose RGB was found to equal swscale's of PyAV; of 10-bit and odd-sized ones the colours of fine
# detail lie up to 4/255 apart on average.
PIXEL_FORMATS = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuv444p"})
# Its times are double seconds; a frame further off than this is another frame.
TIME_TOLERANCE_SECONDS = 1e-5
# Where in its code an error arose: `decodeAVFrame, /path/file.cpp:1436, `.
CODE_PLACE = re.compile(r"^\w+, \S+:\d+, ")


@cache
def load_torchcodec() -> tuple[Any, str]:
    """Its `VideoDecoder`, and why there is none ("" when there is). The first call imports torch."""
    if find_spec("torchcodec") is None:
        return None, "torchcodec is not installed (pip install 'vlmtl[torchcodec]')"
    try:
        from torchcodec.decoders import VideoDecoder
    except (ImportError, OSError, RuntimeError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if "libtorchcodec" in first:
            first = "FFmpeg's shared libraries, version 4 to 8, are missing (apt-get install ffmpeg)"
        return None, f"torchcodec cannot be loaded: {first[:200]}"
    return VideoDecoder, ""


def torchcodec_obstacle(info: VideoInfo) -> str:
    """Why torchcodec is not offered for this file, or "" when it is."""
    if not CONTAINERS.intersection(info.container.split(",")):
        return f"torchcodec is not relied on for {info.container}"
    if info.video_codec not in CODECS:
        return f"torchcodec is not relied on for {info.video_codec}"
    if info.pixel_format not in PIXEL_FORMATS or info.width_px % 2 or info.height_px % 2:
        return f"torchcodec's pixels differ for {info.pixel_format} of {info.width_px}×{info.height_px}"
    if info.is_mirrored:
        return "torchcodec turns pictures but does not mirror them"
    if lacking := [need for need in info.picture_needs if need != UNMARKED_HD]:
        return f"torchcodec's pictures lack {', '.join(lacking)}"
    return load_torchcodec()[1]


def choose_torch_device(settings: DecodeSettings) -> tuple[str, str]:
    """torch's device for `decode.device`, and why it is not the card that is wanted ("" when it is)."""
    if settings.device == "cpu":
        return "cpu", ""
    import torch

    number = int(settings.device.partition(":")[2] or 0)
    if not torch.cuda.is_available():
        return "cpu", "torch sees no CUDA device"
    if number >= torch.cuda.device_count():
        return "cpu", f"torch sees no CUDA device {number}"
    return f"cuda:{number}", ""


class TorchcodecReader:
    """Reader over torchcodec. Opening it reads the whole file's index, so errors come early."""

    name = "torchcodec"

    def __init__(self, path: Path, settings: DecodeSettings, info: VideoInfo, choice: ReaderChoice) -> None:
        self.info = info
        self.warnings: list[str] = list(info.warnings)
        self.end: Fraction | None = None
        self.is_variable_frame_rate: bool | None = None
        self._path = path
        self._active: list[Generator[RgbFrame]] = []  # generators that end with the reader
        decoder_type, missing = load_torchcodec()
        if decoder_type is None:
            raise DecodeError(f"{printable(path)}: {missing}")
        device, no_card = choose_torch_device(settings)
        num_threads = 1 if settings.threads == "auto" else settings.threads
        self._times = packet_times(path)
        try:
            self._video = decoder_type(
                "file:" + str(path.absolute()),
                stream_index=info.stream_index,
                dimension_order="NHWC",
                num_ffmpeg_threads=num_threads,
                device=device,
            )
            if self._video.cpu_fallback and device != "cpu":
                no_card = str(self._video.cpu_fallback)
        except TORCHCODEC_ERRORS as error:
            raise self._failed(error) from error
        if len(self._video) != len(self._times.starts):
            counts = f"torchcodec counts {len(self._video)} frames, the file {len(self._times.starts)}"
            raise DecodeError(f"{printable(path)}: {counts}")
        if no_card and settings.reader == "auto":  # chosen for its speed, which only the card has
            raise DecodeError(f"{printable(path)}: {no_card}")
        place = "on the CPU" if no_card or device == "cpu" else f"on {device}"
        if no_card and settings.device != "auto":
            place += f" ({no_card})"
        self.choice = ReaderChoice(choice.name, f"{choice.reason}, {place}", choice.fallbacks)

    def read_frames(self) -> Iterator[RgbFrame]:
        """All frames in order. Times come from the packets' timestamps, which must agree with its own."""
        self._active.append(self._scan())
        return self._active[-1]

    def _scan(self) -> Generator[RgbFrame]:
        times = self._times
        clock, converter, num_frames = Clock(times.time_base, self.info.frame_rate), Converter(), 0
        try:
            for index, (pts, duration) in enumerate(zip(times.starts, times.durations, strict=True)):
                pixels = self._decode(index, pts * times.time_base)
                time = clock.place(pts, duration)
                num_frames += 1
                yield self._frame(index, time, pixels, converter)
        finally:
            if num_frames:
                self.end = clock.end(self.info.duration_seconds_from_header)
                self.is_variable_frame_rate = clock.is_variable(num_lost=0)
            self.warnings += clock.warnings

    def read_frames_at(self, wanted: Sequence[tuple[int, Fraction]]) -> Iterator[RgbFrame]:
        """The frames with these (index, time) pairs, one after the other."""
        self._active.append(self._fetch(wanted))
        return self._active[-1]

    def _fetch(self, wanted: Sequence[tuple[int, Fraction]]) -> Generator[RgbFrame]:
        converter = Converter()
        for index, time in wanted:
            if index >= len(self._times.starts):
                there = f"has {len(self._times.starts)} packets, none for a frame {index}"
                raise DecodeError(f"{printable(self._path)}: {there}")
            pixels = self._decode(index, self._times.starts[0] * self._times.time_base + time)
            yield self._frame(index, time, pixels, converter)

    def _decode(self, index: int, stamp: Fraction) -> Any:
        """The frame's pixels, a tensor, if it has the timestamp it should have; else `DecodeError`."""
        try:
            frame = self._video.get_frame_at(index)
        except TORCHCODEC_ERRORS as error:
            raise self._failed(error) from error
        if abs(frame.pts_seconds - float(stamp)) > TIME_TOLERANCE_SECONDS:
            places = f"at {frame.pts_seconds:.3f} s, not {float(stamp):.3f} s"
            raise DecodeError(f"{printable(self._path)}: torchcodec's frame {index} is {places}")
        return frame.data

    def _frame(self, index: int, time: Fraction, pixels: Any, converter: Converter) -> RgbFrame:
        if pixels.device.type == "cpu":
            return RgbFrame(index, time, pixels.numpy(), self.info, converter)
        return CardFrame(index, time, pixels, self.info, converter)

    def _failed(self, error: Exception) -> DecodeError:
        """torchcodec's message without its file names and stack."""
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = CODE_PLACE.sub("", lines[0])[:200] if lines else type(error).__name__
        return DecodeError(f"{printable(self._path)}: torchcodec cannot decode it ({reason})")

    def close(self) -> None:
        """End the generators given out, then free the decoder. Safe to call twice."""
        while self._active:
            self._active.pop().close()
        self._video = None
