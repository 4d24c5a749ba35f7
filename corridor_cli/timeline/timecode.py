"""Exact times on their way into a document: float seconds for programs, timecodes for people."""

from __future__ import annotations

from fractions import Fraction

SECONDS_DIGITS = 6


def seconds(time: Fraction) -> float:
    """The time as it stands in JSON: rounded half to even to a microsecond, then the nearest float.

    Equal times give equal floats and later times never give smaller ones, so scenes that touch exactly
    touch in JSON too.
    """
    return float(round(time, SECONDS_DIGITS))


def seconds_between(start: Fraction, end: Fraction) -> float:
    """The length of `[start, end)` as it stands in JSON: the difference of the two rounded times."""
    return float(round(end, SECONDS_DIGITS) - round(start, SECONDS_DIGITS))


def timecode(time: Fraction) -> str:
    """`HH:MM:SS.mmm`, rounded half to even to a millisecond; hours take more digits when they need them."""
    assert time >= 0, f"a video's axis starts at 0, got {time}"
    milliseconds = round(time * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{milliseconds // 1000:02d}.{milliseconds % 1000:03d}"


def timecode_seconds(text: str) -> Fraction:
    """The time a timecode written by `timecode` stands for."""
    hours, minutes, rest = text.split(":")
    return 3600 * int(hours) + 60 * int(minutes) + Fraction(rest)
