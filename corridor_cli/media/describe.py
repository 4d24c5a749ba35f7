"""What would be decoded, and by whom: everything that can be known of a video without scanning it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from av.stream import Disposition

from corridor_cli.media.container import open_video
from corridor_cli.media.open_reader import open_reader
from corridor_cli.records import ReaderChoice, StreamFacts, VideoInfo
from corridor_cli.settings import DecodeSettings


def describe_video(
    path: Path, settings: DecodeSettings
) -> tuple[VideoInfo, tuple[StreamFacts, ...], ReaderChoice, ReaderChoice]:
    """The facts, the streams, the reader of a scan and that of known picks. Both are opened, as for work.

    Raises `MediaError` kinds.
    """
    for_scan = open_reader(path, settings, for_picks=False)
    for_scan.close()
    for_picks = open_reader(path, settings, for_picks=True, info=for_scan.info)
    for_picks.close()
    return for_scan.info, list_streams(path), for_scan.choice, for_picks.choice


def list_streams(path: Path) -> tuple[StreamFacts, ...]:
    """Every stream of a file that has a video among them. Raises `MediaError` kinds."""
    video = open_video(path, num_threads=1)
    try:
        return tuple(
            StreamFacts(stream.index, stream.type, _codec(stream), tuple(_details(stream)))
            for stream in video.container.streams
        )
    finally:
        video.container.close()


def _codec(stream: Any) -> str | None:
    context = getattr(stream, "codec_context", None)
    return context.codec.canonical_name if context is not None else None


def _details(stream: Any) -> Iterator[str]:
    """What a person would ask of a stream; what the container does not state is left out."""
    context = getattr(stream, "codec_context", None)
    if stream.type == "video" and context is not None:
        yield f"{context.width}×{context.height}"
        if stream.average_rate:
            yield f"{float(stream.average_rate):.4g} fps"
        if stream.sample_aspect_ratio not in (None, 0, 1):
            yield f"sample aspect ratio {_ratio(stream.sample_aspect_ratio)}"
    if stream.type == "audio" and context is not None:
        yield f"{context.sample_rate} Hz"
        yield context.layout.name
    if stream.disposition & Disposition.attached_pic:
        yield "attached picture"
    if stream.disposition & Disposition.default:
        yield "default"
    if (language := stream.metadata.get("language", "und")) != "und":  # undetermined
        yield f"language {language}"
    if stream.start_time and stream.time_base:
        yield f"starts at {float(stream.start_time * stream.time_base):.3f} s"


def _ratio(value: Fraction) -> str:
    return f"{value.numerator}:{value.denominator}"
