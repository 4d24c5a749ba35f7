"""The `source` of a document: the file, what its container states, and what decoding it measured."""

from __future__ import annotations

import os
from dataclasses import dataclass

from corridor_cli.printable import encodable
from corridor_cli.records import ReaderChoice, VideoInfo
from corridor_cli.timeline.parts import Reader, Source
from corridor_cli.timeline.scan_record import ScanRecord
from corridor_cli.timeline.timecode import seconds


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """The file itself, known without opening it as a video. None where it could not be read."""

    path: str
    size_bytes: int | None
    fingerprint: str | None


def scanned_source(facts: SourceFacts, record: ScanRecord) -> Source:
    """A source whose scan yielded scenes."""
    return _source(facts, record.info, record.reader, record)


def failed_source(facts: SourceFacts, info: VideoInfo | None, reader: ReaderChoice | None) -> Source:
    """A source that yielded no scene, with what is known of it."""
    return _source(facts, info, reader, None)


def _source(
    facts: SourceFacts, info: VideoInfo | None, reader: ReaderChoice | None, record: ScanRecord | None
) -> Source:
    path = encodable(facts.path)
    rate = info.frame_rate if info is not None and info.frame_rate and info.frame_rate > 0 else None
    return Source(
        path=path,
        path_bytes=None if path == facts.path else os.fsencode(facts.path).hex(),
        name=path.rpartition("/")[2],
        size_bytes=facts.size_bytes,
        fingerprint=facts.fingerprint,
        duration=None if record is None else seconds(record.duration),
        frame_rate=None if rate is None else f"{rate.numerator}/{rate.denominator}",
        fps=None if rate is None else seconds(rate),
        variable_frame_rate=None if record is None else record.is_variable_frame_rate,
        frame_count=None if record is None else record.num_frames,
        width=None if info is None else info.width_px,
        height=None if info is None else info.height_px,
        rotation=None if info is None else info.rotation_degrees,
        video_codec=None if info is None else info.video_codec,
        audio_codec=None if info is None else info.audio_codec,
        reader=None if reader is None else _reader(reader, info, record),
    )


def _reader(reader: ReaderChoice, info: VideoInfo | None, record: ScanRecord | None) -> Reader:
    warnings = (*(info.warnings if info else ()), *(record.warnings if record else ()))
    num_decoded = 0 if record is None else record.num_frames
    if record is not None and record.num_decoded is not None:
        num_decoded = record.num_decoded
    return Reader(
        name=reader.name,
        reason=encodable(reader.reason),
        fallbacks=tuple(map(encodable, reader.fallbacks)),
        warnings=tuple(map(encodable, dict.fromkeys(warnings))),
        frames_decoded=num_decoded,
        frames_expected=None if info is None else info.num_frames_from_header,
    )
