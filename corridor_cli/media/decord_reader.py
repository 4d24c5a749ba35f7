"""Read well-formed videos with decord: random access to a few known frames, on the CPU or in a CUDA build.

Nothing decord says is trusted: indices are checked against timestamps here, pixels by checksum in `picks.py`.
Its calls can hang for ever holding the GIL (decord 269, 373, 375): only killing the process helps, after
which the same job belongs to PyAV (`decode.reader: pyav`).
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corridor_cli.errors import DecodeError
from corridor_cli.media.clock import Clock
from corridor_cli.media.decoding import packet_times
from corridor_cli.media.picture import Converter
from corridor_cli.media.rgb_frame import RgbFrame
from corridor_cli.printable import printable
from corridor_cli.records import ReaderChoice, VideoInfo
from corridor_cli.settings import DecodeSettings

if TYPE_CHECKING:
    pass

try:
    import decord
except (ImportError, OSError):  # no wheel for this machine, or its libraries do not load
    decord = None

DECORD_ERRORS: tuple[type[Exception], ...] = (RuntimeError, IndexError, AssertionError, ValueError)
if decord is not None:
    decord.logging.set_level(decord.logging.QUIET)
    DECORD_ERRORS = (*DECORD_ERRORS, decord.DECORDError)
END_ERRORS: tuple[type[Exception], ...] = (StopIteration, *DECORD_ERRORS)

# MPEG-TS and raw streams: it seeks to wrong frames. AVI and FLV: it has no timestamps to check against.
CONTAINERS = frozenset({"mov", "matroska"})
# Its FFmpeg is 4.1: no AV1. VP8 and VP9 are left out of scans, as hidden frames are counted (80 for 72),
# MPEG-4 of known frames: among B-frames it seeks to wrong ones.
PICK_CODECS = frozenset({"h264", "hevc", "vp8", "vp9"})
SCAN_CODECS = frozenset({"h264", "hevc", "mpeg4"})
# Formats and sizes for which its RGB was found to equal swscale's, byte for byte.
PIXEL_FORMATS = frozenset({"yuv420p", "yuvj420p", "yuv444p"})
# Where in decord's code an error arose: `[12:00:00] /path/file.cc:486: Error: `.
CODE_PLACE = re.compile(r"^.*\.cc:\d+: (Error: )?")
MAX_BATCH_BYTES = 64 * 1024 * 1024
# Its timestamps are float32 seconds; a frame further off than this is another frame.
TIME_TOLERANCE_SECONDS = 1e-3


def decord_obstacle(path: Path, info: VideoInfo, *, for_picks: bool) -> str:
    """Why decord is not offered for this file, or "" when it is."""
    if decord is None:
        return "decord is not installed"
    if not CONTAINERS.intersection(info.container.split(",")):
        return f"decord is unreliable on {info.container}"
    if info.video_codec not in (PICK_CODECS if for_picks else SCAN_CODECS):
        return f"decord cannot be relied on for {info.video_codec}"
    if info.pixel_format not in PIXEL_FORMATS or info.width_px % 2 or info.height_px % 2:
        return f"decord's pixels differ for {info.pixel_format} of {info.width_px}×{info.height_px}"
    if info.num_video_streams > 1:
        return "decord may choose another of the video streams"
    if info.is_mirrored:
        return "decord turns pictures but does not mirror them"
    if info.picture_needs:
        return f"decord's pictures lack {', '.join(info.picture_needs)}"
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return "decord opens only UTF-8 names"
    return ""


def choose_context(device: str, *, is_forced: bool) -> tuple[Any, str]:
    """decord's device context for `decode.device` and what to say about it.

    `auto` takes the GPU only where decord also made the scan (`decode.reader: decord`): pixels decoded there
    do not equal those of the CPU, and picks are checked against the scan's.
    """
    if device == "cpu" or (device == "auto" and not is_forced):
        return decord.cpu(0), "on the CPU"
    number = int(device.partition(":")[2] or 0)
    if decord.list_global_func_names().count("device_api.gpu") == 0:
        missing = "this decord has no CUDA"
    elif not decord.gpu(number).exist:
        missing = f"decord sees no CUDA device {number}"
    else:
        return decord.gpu(number), f"on cuda:{number}"
    return decord.cpu(0), "on the CPU" if device == "auto" else f"on the CPU ({missing})"


class DecordReader:
    """Reader over decord. Opening it reads the whole file's index, so errors come early."""

    name = "decord"

    def __init__(self, path: Path, settings: DecodeSettings, info: VideoInfo, choice: ReaderChoice) -> None:
        self.info = info
        self.warnings: list[str] = list(info.warnings)
        self.end: Fraction | None = None
        self.is_variable_frame_rate: bool | None = None
        self._path = path
        self._active: list[Generator[RgbFrame]] = []  # generators that end with the reader
        context, place = choose_context(settings.device, is_forced=settings.reader == "decord")
        self.choice = ReaderChoice(choice.name, f"{choice.reason}, {place}", choice.fallbacks)
        num_threads = 1 if settings.threads == "auto" else settings.threads
        try:
            self._video = decord.VideoReader(str(path.absolute()), ctx=context, num_threads=num_threads)
            self._starts = self._video.get_frame_timestamp(range(len(self._video)))[:, 0]
        except DECORD_ERRORS as error:
            raise self._failed(error) from error

    def read_frames(self) -> Iterator[RgbFrame]:
        """All frames in order. Times come from the packets' timestamps, which must agree with decord's."""
        self._active.append(self._scan())
        return self._active[-1]

    def _scan(self) -> Generator[RgbFrame]:
        times = packet_times(self._path)
        if len(times.starts) != len(self._starts):
            counts = f"decord counts {len(self._starts)} frames, the file {len(times.starts)}"
            raise DecodeError(f"{printable(self._path)}: {counts}")
        clock, converter, num_frames = Clock(times.time_base, self.info.frame_rate), Converter(), 0
        try:
            self._video.seek_accurate(0)
            for index, (pts, duration) in enumerate(zip(times.starts, times.durations, strict=True)):
                pixels = self._video.next().asnumpy()
                time = clock.place(pts, duration)
                num_frames += 1
                self._require_time(index, time)
                yield RgbFrame(index, time, pixels, self.info, converter)
        except END_ERRORS as error:
            raise self._failed(error) from error
        finally:
            if num_frames:
                self.end = clock.end(self.info.duration_seconds_from_header)
                self.is_variable_frame_rate = clock.is_variable(num_lost=0)
            self.warnings += clock.warnings

    def read_frames_at(self, wanted: Sequence[tuple[int, Fraction]]) -> Iterator[RgbFrame]:
        """The frames with these (index, time) pairs, fetched in batches of at most 64 MiB."""
        self._active.append(self._fetch(wanted))
        return self._active[-1]

    def _fetch(self, wanted: Sequence[tuple[int, Fraction]]) -> Generator[RgbFrame]:
        for index, time in wanted:
            self._require_time(index, time)
        converter = Converter()
        frame_bytes = 3 * self.info.width_px * self.info.height_px
        size = max(1, MAX_BATCH_BYTES // frame_bytes)
        for first in range(0, len(wanted), size):
            some = wanted[first : first + size]
            try:
                batch = self._video.get_batch([index for index, _ in some]).asnumpy()
            except DECORD_ERRORS as error:
                raise self._failed(error) from error
            for (index, time), pixels in zip(some, batch, strict=True):
                yield RgbFrame(index, time, pixels, self.info, converter)

    def _require_time(self, index: int, time: Fraction) -> None:
        if index >= len(self._starts):
            raise DecodeError(
                f"{printable(self._path)}: decord sees {len(self._starts)} frames, none with index {index}"
            )
        start = float(self._starts[index])
        if abs(start - float(time)) > TIME_TOLERANCE_SECONDS:
            places = f"at {start:.3f} s, not {float(time):.3f} s"
            raise DecodeError(f"{printable(self._path)}: decord's frame {index} is {places}")

    def _failed(self, error: Exception) -> DecodeError:
        """decord's message without its file names, line numbers and stack."""
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = CODE_PLACE.sub("", lines[0])[:200] if lines else type(error).__name__
        return DecodeError(f"{printable(self._path)}: decord cannot decode it ({reason})")

    def close(self) -> None:
        """End the generators given out, then free the decoder. Safe to call twice."""
        while self._active:
            self._active.pop().close()
        self._video = None
