"""Times as editors write them: seconds, `HH:MM:SS.mmm`, and SMPTE timecode, with or without drop-frame."""

from __future__ import annotations

import math
import re
from fractions import Fraction

ALLOWED = "seconds (12.5), HH:MM:SS.mmm or HH:MM:SS:FF"

_MAX_CHARS = 40
_SECONDS = re.compile(r"[0-9]*[.,]?[0-9]+(?:[eE][-+]?[0-9]{1,2})?|[0-9]+[.,]")
_CLOCK = re.compile(r"([0-9]{1,4}):([0-5]?[0-9]):([0-5]?[0-9](?:[.,][0-9]+)?)")
TIMECODE = re.compile(r"([0-9]{1,4})[:;]([0-5]?[0-9])[:;]([0-5]?[0-9])([:;.,])([0-9]{2,3})")

# Stated rates are rounded, as 29.97 for 30000/1001: nearer than this is meant to be the same.
_SAME_RATE = Fraction(5, 1000)
_NTSC = Fraction(1001, 1000)
# PySceneDetect cuts a float off to get the frame; less than this above a whole number is that number.
_ROUNDING = Fraction(1, 1000)


def read_time(text: str, rate: Fraction | None) -> Fraction:
    """Seconds from the start of the video. `rate` is its frames per second, which `HH:MM:SS:FF` needs.

    Raises `ValueError`, which says what is wrong with a time that is not written in another way altogether.
    """
    if len(text) <= _MAX_CHARS:
        if _SECONDS.fullmatch(text):
            return Fraction(text.replace(",", "."))
        if match := _CLOCK.fullmatch(text):
            hours, minutes, seconds = match.groups()
            return 3600 * int(hours) + 60 * int(minutes) + Fraction(seconds.replace(",", "."))
        if match := TIMECODE.fullmatch(text):
            return timecode_time(match, rate, is_drop=match[4] == ";")
        if text.startswith("-"):
            raise ValueError("a time before the start of the video")
    raise ValueError


def timecode_time(
    match: re.Match[str], rate: Fraction | None, *, is_drop: bool, is_clock: bool = False
) -> Fraction:
    """The time of a timecode that `TIMECODE` matches, counted from 00:00:00:00. Raises `ValueError`.

    SMPTE timecode counts frames: at 29.97 frames/s an hour of it lasts 3,603.6 s, but for drop-frame, which
    leaves numbers out. With `is_clock`, and at rates SMPTE does not know, hours, minutes and seconds are
    those of a clock, as PySceneDetect writes them.
    """
    if rate is None:
        raise ValueError("a timecode, and the video states no frame rate")
    hours, minutes, seconds, frame = (int(match[number]) for number in (1, 2, 3, 5))
    if frame >= math.ceil(rate):
        raise ValueError(f"frame {frame} of a second, and the video has {float(rate):.5g} frames in one")
    minutes += 60 * hours
    seconds += 60 * minutes
    nominal = _nominal(rate)
    if nominal is None or is_clock:
        return math.ceil(seconds * rate + frame - _ROUNDING) / rate
    num_frames = nominal * seconds + frame
    if is_drop:
        if nominal % 30:
            raise ValueError(f"a drop-frame timecode, and the video has {float(rate):.5g} frames/s")
        num_frames -= nominal // 15 * (minutes - minutes // 10)
    return num_frames / rate


def _nominal(rate: Fraction) -> int | None:
    """The frames that timecode counts in a second: 30 for 29.97; None for a rate no timecode is made for."""
    for exact in (rate, rate * _NTSC):
        if abs(exact - round(exact)) < _SAME_RATE:
            return round(exact)
    return None
