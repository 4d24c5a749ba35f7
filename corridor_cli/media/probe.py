"""Facts about a video file: what its container states, and how its first frame is to be shown."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from corridor_cli.media.colour import needs_of
from corridor_cli.media.frame_pass import FramePass
from corridor_cli.media.geometry import MAX_PIXEL_RATIO, UPRIGHT, orientation_of
from corridor_cli.records import VideoInfo

# Rates at or above this are time bases in disguise (1000 in FLV and WebM, 90000 in MPEG-TS).
MAX_FRAME_RATE = 1000


def probe(path: Path, *, max_pixels: int) -> VideoInfo:
    """Open the file, decode its first frame, and say what is known.

    `rotation_degrees` is the clockwise turn (0, 90, 180, 270) that brings decoded pictures upright;
    `width_px` and `height_px` are those after the turn, and so is `sample_aspect_ratio`, which is not applied
    to them: pictures that are shown are stretched by it. Raises what `open_video` does, and `LimitError`.
    """
    begun = FramePass(path, max_pixels)
    try:
        return describe(begun)
    finally:
        begun.close()


def describe(begun: FramePass) -> VideoInfo:
    """The same of a file whose frames are still to come: how they are to be shown, the first one tells."""
    frame = begun.peek()
    orientation = UPRIGHT if frame is None else orientation_of(frame)
    container, stream = begun.video.container, begun.video.stream
    context = stream.codec_context
    audio = container.streams.best("audio")
    num_videos = len(container.streams.video)
    width, height = context.width, context.height
    pixel_ratio = stream.sample_aspect_ratio or None
    if orientation.is_transposed:
        width, height = height, width
        pixel_ratio = pixel_ratio and 1 / pixel_ratio
    warnings = list(orientation.warnings)
    if pixel_ratio and max(pixel_ratio, 1 / pixel_ratio) > MAX_PIXEL_RATIO:
        warnings.append(f"pixels of {pixel_ratio.numerator}:{pixel_ratio.denominator} are taken for square")
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
        sample_aspect_ratio=pixel_ratio,
        frame_rate=plausible_rate(stream.average_rate) or plausible_rate(stream.guessed_rate),
        duration_seconds_from_header=header_duration(container, stream),
        num_frames_from_header=stream.frames or None,
        stream_index=stream.index,
        num_video_streams=num_videos,
        warnings=tuple(warnings),
        is_mirrored=orientation.is_mirrored,
        matrix=2 if frame is None else int(frame.colorspace),
        picture_needs=() if frame is None else needs_of(frame),
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
