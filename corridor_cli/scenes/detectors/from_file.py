"""The detector `file`: scenes begin where somebody said, at the frame nearest to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from fractions import Fraction

from corridor_cli.errors import CutFileError
from corridor_cli.records import Cut, GivenCuts
from corridor_cli.scenes.detectors.base import Look, SceneStart

# A cut at the end of the video, by whichever clock, is none and no mistake either.
END_SECONDS = Fraction(1, 10)
# Longer times are told without all their digits.
_LONGEST_TOLD = 10**9


class FileDetector:
    """Opens a scene at the frame whose time is nearest to each cut (the earlier of two), or at the frame
    whose index it names. Cuts may come in any order; those that meet in a frame are one.

    Decides one frame later. `on_start` hears the index of each frame a scene will begin at; it is that of the
    newest frame or of the one before. `end` is the end of the last frame, once it is known.
    """

    def __init__(self, given: GivenCuts, on_start: Callable[[int], None]) -> None:
        self._name = given.name
        self._times = deque(sorted((cut for cut in given.cuts if cut.time is not None), key=_time))
        self._frames = deque(sorted((cut for cut in given.cuts if cut.time is None), key=_frame))
        self._on_start = on_start
        self._notes = given.notes
        self._has_met_one = False  # past the first frame, where lists of scenes have a row as well
        self._last: Look | None = None
        self._newest_start = 0  # where the first scene begins
        self.end = Fraction(0)
        self.settled = 0

    def push(self, look: Look) -> list[SceneStart]:
        """See `Detector.push`."""
        before = self._last
        starts: list[SceneStart] = []
        while self._times and _time(self._times[0]) <= look.time:
            time = _time(self._times.popleft())
            is_before = before is not None and time - before.time <= look.time - time
            starts.append(_start(before if is_before and before is not None else look))
        while self._frames and _frame(self._frames[0]) <= look.frame_index:
            self._frames.popleft()
            starts.append(_start(look))
        self._last = look
        self.settled = look.frame_index  # the next frame may still make it a start
        return self._new(starts)

    def finish(self) -> list[SceneStart]:
        """See `Detector.finish`. A cut that is nearer to the end than to the last frame opens nothing."""
        last = self._last
        if last is None:
            return []
        starts: list[SceneStart] = []
        while self._times and 2 * _time(self._times[0]) <= last.time + self.end:
            self._times.popleft()
            starts.append(_start(last))
        return self._new(starts)

    def notes(self) -> tuple[str, ...]:
        """What is to be said of the cuts, once all frames were pushed.

        Raises `CutFileError` where none of them lies in the video.
        """
        num_frames = 0 if self._last is None else self._last.frame_index + 1
        late = [cut for cut in self._times if _time(cut) > self.end + END_SECONDS]
        late += [cut for cut in self._frames if _frame(cut) > num_frames]
        if not late:
            return self._notes
        cuts = "1 cut lies" if len(late) == 1 else f"{len(late)} cuts lie"
        where = _in_words(late[0])
        what = f"{self._name}: {cuts} behind the video's end at {float(self.end):.3f} s; the first is {where}"
        if not self._has_met_one:
            raise CutFileError(
                f"{what}, and none lies before it",
                hint="Are they the cuts of this video, counted from its start?",
            )
        return (*self._notes, what)

    def _new(self, starts: list[SceneStart]) -> list[SceneStart]:
        """Each frame once, ascending."""
        self._has_met_one |= any(start.frame_index > 0 for start in starts)
        found: list[SceneStart] = []
        for start in sorted(starts, key=lambda start: start.frame_index):
            if start.frame_index > self._newest_start:
                self._newest_start = start.frame_index
                self._on_start(start.frame_index)
                found.append(start)
        return found


def _start(look: Look) -> SceneStart:
    return SceneStart(look.frame_index, look.time, "file")


def _time(cut: Cut) -> Fraction:
    assert cut.time is not None, "a cut by its frame"
    return cut.time


def _frame(cut: Cut) -> int:
    assert cut.frame_index is not None, "a cut by its time"
    return cut.frame_index


def _in_words(cut: Cut) -> str:
    if cut.time is None:
        at = f"frame {cut.frame_index}"
    else:  # 1e99 is a time, too
        at = f"{float(cut.time):.3f} s" if cut.time < _LONGEST_TOLD else f"{float(cut.time):.3g} s"
    return f"{at} ({cut.place})"
