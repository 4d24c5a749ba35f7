"""A transcript as lines with their times, and what of it falls into a scene.

Subtitles are read by pysubs2; JSON is Whisper's: `segments` with `start`, `end` in seconds, and `text`.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from fractions import Fraction
from html import unescape
from typing import TypeGuard

from corridor_cli.errors import TranscriptError
from corridor_cli.printable import encodable, printable
from corridor_cli.records import SpokenLine
from corridor_cli.transcripts.find import TranscriptSource, mark_of, read_bytes

_HEARD_SECONDS = 1.0

# Each ends where the next one of its kind may begin, so none looks at a character twice.
_TAG = re.compile(r"< */? *[a-zA-Z][^<>]*>")
_OVERRIDE = re.compile(r"\{\\[^{}]*\}")
_BREAK = re.compile(r"\\[hnN]")
_BLANK_LINES = re.compile(r"\n{3,}")
# When a word is said: two in a line would pass for the times of a cue.
_WORD_TIME = re.compile(r"<[\d:.]+>")

_HINT = "Save it as SubRip, WebVTT or Whisper's JSON, in UTF-8."


class Transcript:
    """Lines in the order of their start."""

    def __init__(self, lines: Iterable[SpokenLine]) -> None:
        self.lines = sorted(lines, key=lambda line: (line.start, line.end))
        self._starts = [line.start for line in self.lines]
        self._longest = max((line.end - line.start for line in self.lines), default=0.0)

    def between(self, start: Fraction | float, end: Fraction | float) -> str | None:
        """What is said in `[start, end)` in seconds, lines joined by spaces; None where nothing is.

        A line counts wherever a second of it, or half of it, is heard: one that runs across a cut stands in
        both scenes.
        """
        begin, finish = float(start), float(end)
        first = bisect_left(self._starts, begin - self._longest)
        last = bisect_left(self._starts, finish)
        said = [line.text for line in self.lines[first:last] if _is_heard(line, begin, finish)]
        return " ".join(said) or None


def load_transcript(source: TranscriptSource) -> Transcript:
    """Read a transcript. Raises `TranscriptError` for what is none, or was changed since it was found."""
    name = printable(source.path)
    data = read_bytes(source.path)
    if mark_of(data) != source.mark:
        raise TranscriptError(f"{name}: was changed while this ran", hint="Run again.")
    text = _decoded(data, name)
    if source.path.suffix.lower() == ".json":
        return Transcript(_from_json(text, name))
    return Transcript(_from_subtitles(text, source.path.suffix.lower()[1:], name))


def _is_heard(line: SpokenLine, start: float, end: float) -> bool:
    heard = min(line.end, end) - max(line.start, start)
    return (
        heard >= min(_HEARD_SECONDS, (line.end - line.start) / 2) and line.start < end and line.end >= start
    )


def _from_subtitles(text: str, kind: str, name: str) -> Iterator[SpokenLine]:
    import pysubs2

    if kind == "vtt":
        text = _WORD_TIME.sub("", text)
    text = _BLANK_LINES.sub("\n\n", text)
    try:
        # Tags are taken out below: the library's ways take the square of an unclosed one's length.
        cues = pysubs2.SSAFile.from_string(text, format_=kind, keep_html_tags=True)
    except Exception as error:
        raise TranscriptError(f"{name}: cannot be understood ({error})", hint=_HINT) from error
    is_empty = not text.strip() or (kind == "vtt" and text.startswith("WEBVTT") and "-->" not in text)
    if not len(cues) and not is_empty:
        raise TranscriptError(f"{name}: has no line with a time", hint=_HINT)
    for cue in cues:
        said = _plain(cue.text, kind)
        if said and not cue.is_comment and cue.end >= cue.start:
            yield SpokenLine(cue.start / 1000, cue.end / 1000, said)


def _plain(text: str, kind: str) -> str:
    """A cue's text without tags, in one line."""
    text = _TAG.sub("", _OVERRIDE.sub("", text))
    text = unescape(text) if kind == "vtt" else text
    return " ".join(_BREAK.sub(" ", text).split())


def _from_json(text: str, name: str) -> Iterator[SpokenLine]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TranscriptError(f"{name}: is no JSON ({error})", hint=_HINT) from error
    segments = document.get("segments") if isinstance(document, dict) else document
    if not isinstance(segments, list):
        raise TranscriptError(f"{name}: has no list of segments", hint=_HINT)
    for number, segment in enumerate(segments):
        fields = segment if isinstance(segment, dict) else {}
        start, end, said = fields.get("start"), fields.get("end"), fields.get("text")
        if not (_is_time(start) and _is_time(end)) or not isinstance(said, str):
            raise TranscriptError(
                f"{name}: segment {number} needs start and end in seconds, and a text", hint=_HINT
            )
        if said.strip() and end >= start:
            yield SpokenLine(float(start), float(end), " ".join(encodable(said).split()))


def _is_time(value: object) -> TypeGuard[float]:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # JSON has whole numbers beyond any float
        return False


def _decoded(data: bytes, name: str) -> str:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding).replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise TranscriptError(f"{name}: is not UTF-8 (byte {error.start})", hint=_HINT) from error
