"""Timestamps as the file has them → a time axis that begins at 0 and always moves forward, exact."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction

# With neither rate nor two timestamps something must stand for a frame's length; a warning says so.
FALLBACK_INTERVAL = Fraction(1, 25)
# A step back by more than this is a new time axis (joined recordings), not B-frames packed out of order.
DISCONTINUITY_SECONDS = 1
# A step ahead by as many intervals is no leap, however long they are: a picture every few seconds.
NEAR_INTERVALS = 3
# Some intervals differ in any file (one dropped frame); from this share on the rate is called variable.
VARIABLE_SHARE = Fraction(3, 100)
MAX_KNOWN_INTERVALS = 1024


class Clock:
    """Gives each frame, in the order decoded, its time: (PTS - first PTS) × time base wherever that is sane.

    A missing PTS continues at the usual interval; one that repeats or goes back is moved half an interval
    behind the frame before it, so that later good ones are met again. `warnings` says so once each.
    """

    def __init__(self, time_base: Fraction, frame_rate: Fraction | None) -> None:
        self._time_base = time_base
        self._ticks_to_seconds = time_base.as_integer_ratio()
        self._frame_rate = frame_rate
        self._leap = int(DISCONTINUITY_SECONDS / time_base)
        # All in ticks since the origin, so that the usual frame costs whole numbers only: with `Fraction`s
        # throughout, placing a frame took a third as long as shrinking it. Mended places may be fractions.
        self._origin: int | None = None
        self._last: int | Fraction | None = None
        self._last_duration = 0
        self._furthest_stray = 0
        self._intervals: Counter[int | Fraction] = Counter()
        self._max_interval: int | Fraction = 0
        self._last_interval: int | Fraction = 0
        self.warnings: list[str] = []

    def place(self, pts: int | None, duration_ticks: int) -> Fraction:
        """The time of the next frame."""
        at = self._natural(pts)
        self._last_interval = 0  # unless both timestamps are good
        if self._last is not None:
            if at is None:
                self._say_once("some frames have no timestamp; theirs follow from the frame rate")
                at = self._last + self._usual()
            elif at <= self._last:
                at = self._mend(at)
            else:
                self._note_interval(at - self._last)
        elif at is None:
            self._say_once("some frames have no timestamp; theirs follow from the frame rate")
            at = 0
        self._last = at
        self._last_duration = max(duration_ticks, 0)
        return self._seconds(at)

    def leaps(self, pts: int | None) -> bool:
        """Whether a frame with this timestamp would come long after the last one, or long before it."""
        ahead = self._ahead(pts)
        return ahead is not None and (ahead < -self._leap or (ahead > self._leap and ahead > self._near(0)))

    def goes_on(self, pts: int, strays: Sequence[int | None]) -> bool:
        """Whether a frame with this timestamp follows the last one, and not those with the timestamps
        `strays` which lie between: it is nearer to it. What ascends is never astray."""
        ahead = self._ahead(pts)
        between = next((stray for stray in reversed(strays) if stray is not None), None)
        if ahead is None or between is None:
            return False
        return 0 < ahead <= self._near(len(strays)) and ahead < abs(between - pts)

    def place_strays(self, strays: Sequence[int | None], following: int) -> Iterator[Fraction]:
        """Times of the next frames, whose timestamps are these stray ones, where the frame `following` them
        goes on from the last one."""
        assert self._origin is not None
        assert self._last is not None
        self._say_once("timestamps far from those around them are left out of account")
        step = min(self._usual(), Fraction(following - self._origin - self._last) / (len(strays) + 1))
        for pts in strays:
            self._furthest_stray = max(self._furthest_stray, 0 if pts is None else pts - self._origin)
            self._last += step
            self._last_duration = 0
            self._last_interval = 0
            yield self._seconds(self._last)

    @property
    def furthest_stray(self) -> Fraction:
        """How far the timestamps left out of account go, in seconds since the first frame; 0 with none."""
        return self._seconds(self._furthest_stray)

    def _ahead(self, pts: int | None) -> int | Fraction | None:
        """Ticks from the last frame to this timestamp; None where either is unknown."""
        if pts is None or self._origin is None or self._last is None:
            return None
        return pts - self._origin - self._last

    def _near(self, num_between: int) -> int | Fraction:
        usual = self._usual()
        return max(self._leap, NEAR_INTERVALS * usual) + num_between * usual

    def _seconds(self, ticks: int | Fraction) -> Fraction:
        if isinstance(ticks, int):
            numerator, denominator = self._ticks_to_seconds
            return Fraction(ticks * numerator, denominator)
        return ticks * self._time_base

    def _natural(self, pts: int | None) -> int | Fraction | None:
        if pts is None:
            return None
        if self._origin is None:
            self._origin = pts - (0 if self._last is None else round(self._last + self._usual()))
        return pts - self._origin

    def _mend(self, at: int | Fraction) -> int | Fraction:
        assert self._last is not None
        assert self._origin is not None
        usual = self._usual()
        if (self._last - at) * self._time_base > DISCONTINUITY_SECONDS:
            self._say_once("timestamps start again in the middle; the later part follows the earlier one")
            self._origin -= round(self._last + usual - at)
            return self._last + usual
        self._say_once("timestamps repeat or go back; the frames concerned are moved forward")
        # The rate bounds the step: the interval just before a step back is often a long one.
        step = min(usual, 1 / self._frame_rate / self._time_base) if self._frame_rate else usual
        return self._last + Fraction(step) / 2

    def _note_interval(self, interval: int | Fraction) -> None:
        self._max_interval = max(self._max_interval, interval)
        self._last_interval = interval
        if interval in self._intervals or len(self._intervals) < MAX_KNOWN_INTERVALS:
            self._intervals[interval] += 1

    def _say_once(self, warning: str) -> None:
        if warning not in self.warnings:
            self.warnings.append(warning)

    def _usual(self) -> int | Fraction:
        """The usual interval in ticks."""
        if self._intervals:
            return self._intervals.most_common(1)[0][0]
        return (1 / self._frame_rate if self._frame_rate else FALLBACK_INTERVAL) / self._time_base

    @property
    def interval(self) -> Fraction:
        """The usual time between frames: the commonest so far, else from the frame rate, else 1/25 s."""
        return self._seconds(self._usual())

    @property
    def max_interval(self) -> Fraction:
        """The longest time between two frames so far; 0 before the second."""
        return self._seconds(self._max_interval)

    @property
    def lone_last_gap(self) -> Fraction:
        """How long after the one before it the last frame comes, in seconds, where nothing else in the file
        takes a tenth of that; else 0."""
        gap = self._last_interval
        num_long = sum(n for step, n in self._intervals.items() if 10 * step >= gap)
        return self._seconds(gap) if num_long == 1 and self._intervals.total() > 1 else Fraction(0)

    def is_variable(self, num_lost: int) -> bool | None:
        """Whether the frame rate varies, as measured; None with fewer than three good ones.

        An interval differs when it is off the commonest by more than a tenth and more than the rounding
        of a coarse time base. `num_lost` frames that could not be decoded account for a gap each.
        """
        if self._intervals.total() < 2:
            return None
        common = self._usual()
        margin = max(Fraction(common) / 10, Fraction(1 if common >= 3 else 0))
        num_off = sum(n for step, n in self._intervals.items() if not -margin <= step - common <= margin)
        return num_off - num_lost > self._intervals.total() * VARIABLE_SHARE

    def end(self, header_end: Fraction | None) -> Fraction:
        """The end of the last frame: by its own duration, else the usual interval, else the header's end."""
        assert self._last is not None, "no frame was placed"
        if self._last_duration > 0:
            return self._seconds(self._last + self._last_duration)
        last = self._seconds(self._last)
        if self._intervals or self._frame_rate:
            return last + self.interval
        if header_end is not None and header_end > last:
            return header_end
        self._say_once("neither frame rate nor duration is known; the last frame is given 1/25 s")
        return last + FALLBACK_INTERVAL
