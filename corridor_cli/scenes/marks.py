"""The frame times of the open scene, in bounded memory."""

from __future__ import annotations

from bisect import bisect_left
from fractions import Fraction

# All frames of two minutes at 34 fps; beyond, every second one, and so on.
MAX_MARKS = 4096


class Marks:
    """(index, time) of the frames since `drop_before`, evenly thinned when they grow too many."""

    def __init__(self) -> None:
        self._marks: list[tuple[int, Fraction]] = []
        self._newest = (0, Fraction(0))
        self._stride = 1

    def push(self, index: int, time: Fraction) -> None:
        """Take the next frame."""
        self._newest = (index, time)
        if index % self._stride:
            return
        self._marks.append(self._newest)
        if len(self._marks) > MAX_MARKS:
            self._stride *= 2
            self._marks = [mark for mark in self._marks if mark[0] % self._stride == 0]

    def first_from(self, time: Fraction) -> tuple[int, Fraction]:
        """The first held frame at or after `time`; the newest frame when there is none."""
        position = bisect_left(self._marks, time, key=lambda mark: mark[1])
        return self._marks[position] if position < len(self._marks) else self._newest

    def time_of(self, index: int) -> Fraction:
        """The time of the last held frame up to `index`; 0 when there is none."""
        position = bisect_left(self._marks, index + 1, key=lambda mark: mark[0])
        return self._marks[position - 1][1] if position else Fraction(0)

    def drop_before(self, index: int) -> None:
        """Forget the frames of a scene that is over; a new one starts at full density."""
        del self._marks[: bisect_left(self._marks, index, key=lambda mark: mark[0])]
        if len(self._marks) < MAX_MARKS // 2:
            self._stride = 1
