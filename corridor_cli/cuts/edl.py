"""Cuts from an EDL (CMX 3600).

Read here and not by OpenTimelineIO's adapter, which (1.0.0) refuses the comment that PySceneDetect writes
above its lists, knows eight frame rates, and names no line. The tests hold the two against each other.
"""

from __future__ import annotations

import re
from fractions import Fraction

from corridor_cli.cuts.edits import Event, cuts_of
from corridor_cli.cuts.files import MAX_CUTS
from corridor_cli.cuts.times import TIMECODE, timecode_time
from corridor_cli.errors import CutFileError
from corridor_cli.printable import shortened
from corridor_cli.records import GivenCuts

_EVENT = re.compile(r"[0-9]{1,6}\s")
_NAME = re.compile(r"\*?\s*(FROM|TO) CLIP NAME:\s*(.*)", re.IGNORECASE)
_WITHOUT_SOURCE = ("BL", "BLACK", "BARS")
_AUDIO = re.compile(r"A{1,2}[0-9]*|NONE")
_PYSCENEDETECT = "CREATED WITH PYSCENEDETECT"
_ALLOWED = "number, reel, track, C (or D or W… and its frames), source in and out, record in and out"


def read_edl(text: str, name: str, rate: Fraction | None) -> GivenCuts:
    """The cuts of a list for a video of `rate` frames/s. Raises `CutFileError` with the line."""
    return _EdlReader(name, rate, is_clock=_PYSCENEDETECT in text[:200].upper()).read(text)


class _EdlReader:
    def __init__(self, name: str, rate: Fraction | None, *, is_clock: bool) -> None:
        self._name = name
        self._rate = rate
        self._is_clock = is_clock
        self._is_drop = False
        self._events: list[Event] = []

    def read(self, text: str) -> GivenCuts:
        newest: Event | None = None
        for line, words in enumerate(text.splitlines(), 1):
            words = words.strip()
            if words.upper().startswith("FCM:"):
                self._is_drop = words.upper().split(":", 1)[1].split() == ["DROP", "FRAME"]
            elif _EVENT.match(words):
                newest = self._event(words, line)
            elif newest is not None and (match := _NAME.match(words)):
                self._name_clip(newest, match[1].upper(), match[2].strip())
        if not self._events:
            raise CutFileError(
                f"{self._name}: holds no video event of an EDL, allowed: lines of {_ALLOWED}",
                hint="Is it the right file?",
            )
        return cuts_of(self._events, self._name)

    def _event(self, words: str, line: int) -> Event | None:
        """Take the event of a line; None for one that shows nothing."""
        fields = words.split()
        if len(fields) not in (8, 9):
            raise self._wrong(line, f"{len(fields)} fields in '{shortened(words)}'", _ALLOWED)
        _, reel, track, kind, *details, source_in, source_out, record_in, record_out = fields
        if _AUDIO.fullmatch(track.upper()):
            return None
        if (len(details) == 1) != (kind.upper() != "C") or not all(d.isdecimal() for d in details):
            raise self._wrong(line, f"the edit '{shortened(kind)}'", "C, or D or W… and a number of frames")
        begin, _, start, end = (
            self._time(text, line) for text in (source_in, source_out, record_in, record_out)
        )
        if start == end:
            return None  # where a dissolve comes from: it has no length of its own
        half = Fraction(int(details[0][:9]), 2) / self._rate if details and self._rate else Fraction(0)
        source = None if reel.upper() in _WITHOUT_SOURCE else reel
        event = Event(f"line {line}", source, begin, start, blend=half)
        self._events.append(event)
        if len(self._events) > MAX_CUTS:
            raise self._wrong(line, f"more than {MAX_CUTS:,} events", "fewer")
        return event

    def _time(self, text: str, line: int) -> Fraction:
        match = TIMECODE.fullmatch(text)
        if match is None:
            raise self._wrong(line, f"'{shortened(text)}'", "a timecode, HH:MM:SS:FF")
        is_drop = self._is_drop or match[4] == ";"
        try:
            return timecode_time(match, self._rate, is_drop=is_drop, is_clock=self._is_clock)
        except ValueError as error:
            raise self._wrong(line, f"'{text}', {error}", "timecodes of this video's rate") from None

    def _name_clip(self, event: Event, which: str, clip: str) -> None:
        is_its_own = (which == "TO") == (event.blend > 0)
        if is_its_own and clip:
            event.clip = clip

    def _wrong(self, line: int, got: str, allowed: str) -> CutFileError:
        return CutFileError(f"{self._name}:{line}: got {got}, allowed: {allowed}", hint="Mend the line.")
