"""Facts about a video file: what its container states, and how its first frame is to be turned."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from corridor_cli.errors import LimitError
from corridor_cli.media.container import AV_ERRORS, OpenVideo, open_video
from corridor_cli.media.picture import UPRIGHT, Orientation, orientation_of
from corridor_cli.printable import printable
from corridor_cli.records import VideoInfo

# Rates at or above this are time bases in disguise (1000 in FLV and WebM, 90000 in MPEG-TS).
MAX_FRAME_RATE = 1000
MAX_PROBED_PACKETS = 50


def probe(path: Path, *, max_pixels: int) -> VideoInfo:
    """Open the file, decode its first frame, and say what is known.

    `rotation_degrees` is the clockwise turn (0, 90, 180, 270) that brings decoded pictures upright;
    `width_px` and `height_px` are those after the turn. The sample aspect ratio is not applied.
    Raises `UnreadableError`, `NotVideoError`, `NoVideoStreamError`, `DecodeError`, `LimitError`.
    """
    video = open_video(path, num_threads=1)
    try:
        context = video.stream.codec_context
        require_pixels(path, context.width, context.height, max_pixels)
        return _describe(video, _first_orientation(video))
    finally:
        video.container.close()


def require_pixels(path: Path, width: int, height: int, max_pixels: int) -> None:
    """Raise `LimitError` for a picture larger than `decode.max_pixels`."""
    if width * height > max_pixels:
        raise LimitError(
            f"{printable(path)}: pictures of {width}×{height} are larger than the limit of {max_pixels} "
            "pixels",
            hint="Raise decode.max_pixels if memory allows.",
        )


def require_count(path: Path, num_frames: int, max_frames: int | None) -> None:
    """Raise `LimitError` when another frame comes after `decode.max_frames` were read."""
    if max_frames is not None and num_frames >= max_frames:
        raise LimitError(
            f"{printable(path)}: has more than {max_frames} frames, the limit",
            hint="Raise decode.max_frames.",
        )


def _first_orientation(video: OpenVideo) -> Orientation:
    """How the first frame that can be decoded is to be turned; containers do not tell, frames do."""
    packets: Any = video.container.demux(video.stream)
    try:
        for _, packet in zip(range(MAX_PROBED_PACKETS), packets, strict=False):
            try:
                frames = packet.decode()
            except AV_ERRORS:
                continue  # a scan will count it
            if frames:
                return orientation_of(frames[0])
    except (IndexError, *AV_ERRORS):
        pass  # the file ends early, which a scan will say
    finally:
        packets.close()
    return UPRIGHT


def _describe(video: OpenVideo, orientation: Orientation) -> VideoInfo:
    container, stream = video.container, video.stream
    context = stream.codec_context
    audio = container.streams.best("audio")
    num_videos = len(container.streams.video)
    width, height = context.width, context.height
    if orientation.is_transposed:
        width, height = height, width
    warnings = list(orientation.warnings)
    if num_videos > 1:
        warnings.append(f"{num_videos} video streams; stream {stream.index}, the best one, is read")
    return VideoInfo(
        container=container.format.name,
        video_codec=context.codec.canonical_name,
        pixel_format=context.pix_fmt,
        audio_codec=audio.codec_context.codec.canonical_name if audio and audio.codec_context else None,
        width_px=width,
        height_px=height,
        rotation_degrees=orientation.rotation_degrees,
        sample_aspect_ratio=stream.sample_aspect_ratio or None,
        frame_rate=plausible_rate(stream.average_rate) or plausible_rate(stream.guessed_rate),
        duration_seconds_from_header=header_duration(container, stream),
        num_frames_from_header=stream.frames or None,
        stream_index=stream.index,
        num_video_streams=num_videos,
        warnings=tuple(warnings),
        is_mirrored=orientation.is_mirrored,
        guessed_rate=plausible_rate(stream.guessed_rate),
    )


def plausible_rate(rate: Fraction | None) -> Fraction | None:
    """The rate if a video can have it, else None."""
    return rate if rate is not None and 0 < rate < MAX_FRAME_RATE else None


def header_duration(container: Any, stream: Any) -> Fraction | None:
    """What the header says the stream, or else the whole file, lasts; None when it does not."""
    if stream.duration and stream.duration > 0 and stream.time_base:
        return Fraction(stream.duration * stream.time_base)
    if container.duration and container.duration > 0:
        return Fraction(container.duration, 1_000_000)
    return None
