"""The frame rate at which an editor is told of scenes."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import count, takewhile

from corridor_cli.timeline.exports.document import SourceFields

_NTSC = Fraction(1000, 1001)
TIMECODE_RATES = (24 * _NTSC, 24, 25, 30 * _NTSC, 30, 48 * _NTSC, 48, 50, 60 * _NTSC, 60)
"""Those SMPTE timecode has numbers for, as OpenTimelineIO knows them."""
FALLBACK = Fraction(60)
"""For files whose rate varies or is unknown: cuts move by 1/120 s at most."""

# Stated rates are rounded, as 29.97 for 30000/1001.
_SAME = Fraction(5, 1000)
_HIGHEST = Fraction(1000)


def edit_rate(source: SourceFields) -> Fraction:
    """The file's own rate where it is constant, so that every cut lies on a frame."""
    rate = _stated(source["frame_rate"])
    if rate is None or source["variable_frame_rate"] is not False:
        return FALLBACK
    return next((Fraction(known) for known in TIMECODE_RATES if abs(rate - known) < _SAME), rate)


def timecode_rate(source: SourceFields) -> Fraction:
    """A rate that timecode knows: the file's own, or a multiple of it, or the fallback."""
    rate = edit_rate(source)
    multiples = takewhile(lambda each: each < 61, (rate * times for times in count(1)))
    for each in multiples:
        for known in TIMECODE_RATES:
            if abs(each - known) < _SAME:
                return Fraction(known)
    return FALLBACK


def _stated(text: str | None) -> Fraction | None:
    if text is None or not re.fullmatch(r"[0-9]{1,12}/0*[1-9][0-9]{0,11}", text):
        return None
    rate = Fraction(text)
    return rate if 1 <= rate <= _HIGHEST else None
