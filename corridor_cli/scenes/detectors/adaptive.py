"""The adaptive detector: a cut is a large change of the planes standing out from those around it."""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from corridor_cli.scenes.blend_kinds import MAX_CORRELATION, correlation, is_new_picture
from corridor_cli.scenes.detectors.base import Look, SceneStart, exact_seconds
from corridor_cli.scenes.gaps import is_closer
from corridor_cli.scenes.thumbs import Thumb, cut_distance, mean_luma

if TYPE_CHECKING:
    from corridor_cli.scenes.scores import ScoreLog

DEFAULT_THRESHOLD = 12.0
MIN_RATIO = 3.0
# In the dark, and between two views of one room, a cut is half as large; it must then stand out twice as
# much, and not be the same picture in a new light or with a title.
WEAK_SHARE = 0.5
WEAK_RATIO = 6.0
# A change this many times the threshold is clear enough to end a very short first scene.
CLEAR = 2.0
# Repeated pictures (drawings on threes, 24 fps in a 60 fps file) hide a steady motion between zeros. So the
# changes before a frame are the last two real ones, unless more than two repetitions lie between.
STILL_SCORE = 1.0
REPEAT_FRAMES = 3
REPEAT_SECONDS = Fraction(15, 100)
# A flash, a burst of them, or whatever else is over after a quarter of a second is no scene.
GUARD_FRAMES = 3
MAX_GUARD_FRAMES = 30
GUARD_SECONDS = Fraction(1, 4)
RETURN_SHARE = 0.3
# In a fade or a zoom the picture before a flash does not come back, but half of the new light goes: of so
# many levels of luma, on a picture that stays the same one.
MIN_FLASH_RISE = 6.0
FADING_SHARE = 0.5


class _Change(NamedTuple):
    """The change from the frame before to this one."""

    frame_index: int
    time: Fraction
    thumb: Thumb
    score: float


class AdaptiveDetector:
    """Cuts where (ΔY + 2ΔU + 2ΔV) / 3 reaches `threshold` levels and three times its neighbours' change.

    Half of `threshold` is enough where it is six times its neighbours and the pictures are two. A change that
    goes back within a quarter of a second is a flash, not a cut. Decides that much later than the cut.
    """

    def __init__(
        self, threshold: float | None, min_scene_seconds: float, scores: ScoreLog | None = None
    ) -> None:
        self._threshold = DEFAULT_THRESHOLD if threshold is None else threshold
        self._least = least_cut(threshold)
        self._scores = scores
        self._min_scene = exact_seconds(min_scene_seconds)
        self._has_begun = False
        self._recent: deque[_Change] = deque()
        self._num_tested = 0
        self._past: deque[_Change] = deque(maxlen=2)
        self._last_cut: Fraction | None = None
        self._flash_end = -1
        self.settled = 0

    def push(self, look: Look) -> list[SceneStart]:
        """See `Detector.push`."""
        # The first frame it is given may follow others, which are not its business.
        score = look.change if self._has_begun else 0.0
        self._has_begun = True
        self._recent.append(_Change(look.frame_index, look.time, look.thumb, score))
        found: list[SceneStart] = []
        while self._is_ready(self._num_tested):
            found += self._test_next(is_end=False)
        return found

    def finish(self) -> list[SceneStart]:
        """See `Detector.finish`."""
        found: list[SceneStart] = []
        while self._num_tested < len(self._recent):
            found += self._test_next(is_end=True)
        return found

    def _is_ready(self, position: int) -> bool:
        num_after = len(self._recent) - 1 - position
        if num_after < GUARD_FRAMES:
            return False
        if num_after >= MAX_GUARD_FRAMES:
            return True
        return not is_closer(self._recent[position].time, self._recent[-1].time, GUARD_SECONDS)

    def _test_next(self, *, is_end: bool) -> list[SceneStart]:
        position = self._num_tested
        change = self._recent[position]
        if self._scores is not None:
            self._tell_score(position, self._scores)
        stands_out = position > 0 and self._stands_out(position)
        is_flash = change.frame_index <= self._flash_end or (stands_out and self._is_flash(position))
        is_cut = stands_out and not is_flash and self._is_apart(position, is_end)
        if is_cut:
            self._last_cut = change.time
            self._past.clear()
        elif change.score >= STILL_SCORE and not is_flash:
            self._past.append(change)
        self._num_tested += 1
        self.settled = change.frame_index + 1
        if self._num_tested > MAX_GUARD_FRAMES + 2:
            self._recent.popleft()
            self._num_tested -= 1
        return [SceneStart(change.frame_index, change.time, "cut")] if is_cut else []

    def _stands_out(self, position: int) -> bool:
        score = self._recent[position].score
        if score < self._least:
            return False
        neighbours = self._neighbours(position)
        if score >= self._threshold:
            return score >= MIN_RATIO * neighbours
        before, after = self._recent[position - 1].thumb, self._recent[position].thumb
        return score >= WEAK_RATIO * neighbours and is_new_picture(before, after)

    def _tell_score(self, position: int, scores: ScoreLog) -> None:
        change = self._recent[position]
        is_first = position == 0  # nothing before it to compare with
        needed = self._threshold
        if not is_first:
            needed = max(needed, MIN_RATIO * self._neighbours(position))
        scores.scored(change.frame_index, change.time, None if is_first else change.score, needed)

    def _is_apart(self, position: int, is_end: bool) -> bool:
        """Whether the change is far enough from the cut before, and surely a cut where little is known."""
        change = self._recent[position]
        is_clear = change.score >= CLEAR * self._threshold
        num_after = len(self._recent) - 1 - position
        if is_end and num_after < 2 and not is_clear:
            return False
        if self._last_cut is None:
            return is_clear or change.time >= self._min_scene
        return change.time - self._last_cut >= self._min_scene

    def _neighbours(self, position: int) -> float:
        """The mean change before and after; 0 when nothing moves or nothing is there."""
        past = self._motion_before(self._recent[position])
        future = [self._recent[at].score for at in (position + 1, position + 2) if at < len(self._recent)]
        before = sum(past) / len(past) if past else 0.0
        after = sum(future) / len(future) if future else 0.0
        if not future:
            return before
        if position == 1 and self._recent[0].frame_index == 0:
            # Before frame 1 there is no change that could be compared.
            return after
        if self._recent[position - 1].score < STILL_SCORE and after < STILL_SCORE:
            # Pictures on threes: the frames around are repetitions, the steps before are the motion.
            return before
        return (before + after) / 2

    def _motion_before(self, change: _Change) -> list[float]:
        """The last two real changes, as far as the motion has not come to rest since."""
        scores: list[float] = []
        for earlier in reversed(self._past):
            is_close = change.frame_index - earlier.frame_index <= REPEAT_FRAMES
            if not is_close and change.time - earlier.time > REPEAT_SECONDS:
                break
            scores.append(earlier.score)
            change = earlier
        return scores

    def _is_flash(self, position: int) -> bool:
        before, after = self._recent[position - 1], self._recent[position]
        flash_end = self._light_goes(before, position)
        if flash_end is not None:
            self._flash_end = flash_end
            return True
        jump = cut_distance(before.thumb, after.thumb)
        if jump < STILL_SCORE:
            return False
        for at, other in enumerate(self._recent):
            is_start = at > position and _is_near(at - position, other.time - after.time)
            if is_start:
                # The flash begins here: the picture before it comes back.
                stays = cut_distance(before.thumb, other.thumb)
            elif at < position - 1 and _is_near(position - 1 - at, before.time - other.time):
                # The flash ends here: this is the picture before it.
                stays = cut_distance(after.thumb, other.thumb)
            else:
                continue
            if stays <= RETURN_SHARE * jump:
                if is_start:
                    self._flash_end = other.frame_index
                return True
        return False

    def _light_goes(self, before: _Change, position: int) -> int | None:
        """Where the light of a flash that begins at `position` has gone; None where there is none."""
        after = self._recent[position]
        lit = mean_luma(after.thumb)
        rise = lit - mean_luma(before.thumb)
        if rise < MIN_FLASH_RISE or correlation(before.thumb[0], after.thumb[0]) <= MAX_CORRELATION:
            return None
        for at in range(position + 1, len(self._recent)):
            other = self._recent[at]
            if not _is_near(at - position, other.time - after.time):
                return None
            if lit - mean_luma(other.thumb) >= FADING_SHARE * rise:
                return other.frame_index
        return None


def least_cut(threshold: float | None) -> float:
    """The smallest change that may be a cut; `threshold` is the one that was set, None the default."""
    return WEAK_SHARE * (DEFAULT_THRESHOLD if threshold is None else threshold)


def _is_near(num_frames: int, seconds: Fraction) -> bool:
    return num_frames <= GUARD_FRAMES or seconds <= GUARD_SECONDS
