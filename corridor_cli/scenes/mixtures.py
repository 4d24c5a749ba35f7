"""Dissolves between pictures that move, where `transitions.py` sees none: the most likely of the windows."""

from __future__ import annotations

from dataclasses import dataclass

from corridor_cli.scenes.detectors.base import Look
from corridor_cli.scenes.mixture_chance import chance
from corridor_cli.scenes.mixture_windows import MixtureWindow, WindowMeter
from corridor_cli.scenes.thumb_rows import Instant, ThumbRows

MIN_CHANCE = 0.97
# So many windows in a row without a likely one.
CLOSE_AFTER = 4


@dataclass(frozen=True, slots=True)
class Mixture:
    """What changes in a window in which one picture most likely dissolves into another."""

    start: Instant
    middle: Instant
    end: Instant
    chance: float


class MixtureFinder:
    """Finds mixtures in one pass over `rows`, which their owner fills before each push."""

    def __init__(self, rows: ThumbRows) -> None:
        self._meter = WindowMeter(rows)
        self._open: Mixture | None = None
        self._closed_at = 0
        self._num_without = 0

    @property
    def open(self) -> Mixture | None:
        """The most likely window of the mixture that is being seen; None without one."""
        return self._open

    @property
    def settled(self) -> int:
        """No mixture found later starts before this frame index."""
        if self._open is not None:
            return self._open.start.frame_index
        return max(self._meter.oldest, self._closed_at)

    def push(self, look: Look) -> list[Mixture]:
        """The mixtures which this frame shows to be over."""
        windows = self._meter.push(look, self._closed_at)
        if windows is None:
            return []
        if not windows:
            self._num_without += 1
            return self.close() if self._is_over(None) else []
        chances = [chance(each.features) for each in windows]
        best_chance = max(chances)
        best = windows[chances.index(best_chance)] if best_chance >= MIN_CHANCE else None
        self._num_without = 0 if best is not None else self._num_without + 1
        found = self.close() if self._is_over(best) else []
        if best is not None and (self._open is None or best_chance > self._open.chance):
            self._open = Mixture(*self._meter.changing_part(best.length), best_chance)
        return found

    def close(self) -> list[Mixture]:
        """End the mixture that is being seen, at a cut or at the end of the frames."""
        if self._open is None:
            return []
        found, self._open = self._open, None
        self._closed_at = found.end.frame_index
        return [found]

    def _is_over(self, newest: MixtureWindow | None) -> bool:
        if self._open is None:
            return False
        if newest is None:
            return self._num_without >= CLOSE_AFTER
        return newest.start.frame_index >= self._open.end.frame_index
