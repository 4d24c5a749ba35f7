"""Timestamps as files have them → a time axis that begins at 0 and moves forward."""

from __future__ import annotations

import itertools
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from corridor_cli.media.clock import Clock

TICK = Fraction(1, 1000)


def run(stamps: list[int | None], rate: int | None = 25, duration: int = 0) -> tuple[list[Fraction], Clock]:
    clock = Clock(TICK, Fraction(rate) if rate else None)
    return [clock.place(pts, duration) for pts in stamps], clock


def test_good_timestamps_are_exact_and_relative_to_the_first() -> None:
    times, clock = run([5033, 5067, 5100], rate=30)
    assert times == [0, Fraction(34, 1000), Fraction(67, 1000)]
    assert clock.warnings == []


def test_negative_timestamps_are_fine() -> None:
    assert run([-80, -40, 0])[0] == [0, Fraction(40, 1000), Fraction(80, 1000)]


def test_missing_ones_follow_from_the_rate_and_are_told_once() -> None:
    times, clock = run([None, None, 80, None])
    assert times == [0, Fraction(1, 25), Fraction(2, 25), Fraction(3, 25)]
    assert len(clock.warnings) == 1


def test_repeats_and_steps_back_move_forward_and_later_good_ones_are_met_again() -> None:
    times, clock = run([0, 120, 40, 80, 160, 200, 200, 240])
    assert all(a < b for a, b in itertools.pairwise(times))
    assert times[-1] == Fraction(240, 1000)
    assert len(clock.warnings) == 1


def test_a_new_time_axis_in_the_middle_is_joined_on() -> None:
    times, clock = run([0, 40, 80, 120_000, 0, 40, 80])
    assert times[4:] == [Fraction(120_040, 1000), Fraction(120_080, 1000), Fraction(120_120, 1000)]
    assert "start again" in clock.warnings[0]


def test_the_end_is_the_end_of_the_last_frame() -> None:
    assert run([0, 40], duration=35)[1].end(None) == Fraction(75, 1000)
    assert run([0, 40])[1].end(Fraction(9)) == Fraction(80, 1000)
    assert run([0], rate=None)[1].end(Fraction(1)) == 1
    lonely = run([0], rate=None)[1]
    assert lonely.end(None) == Fraction(1, 25)
    assert "1/25 s" in lonely.warnings[0]


def test_variable_rate_is_measured() -> None:
    assert run([0, 40])[1].is_variable(0) is None
    assert run([round(i * 1000 / 30) for i in range(90)])[1].is_variable(0) is False
    assert run([round(i * 1000 / 240) for i in range(90)], rate=240)[1].is_variable(0) is False
    assert run([0, 40, 80, 200, 240, 280])[1].is_variable(0) is True
    assert run([0, 40, 80, 160, 200, 240])[1].is_variable(num_lost=1) is False
    coarse = Clock(Fraction(1, 30), Fraction(30))
    for pts in (0, 1, 2, 4, 5, 7, 8):
        coarse.place(pts, 1)
    assert coarse.is_variable(0) is True


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(-(10**9), 10**9)), min_size=1, max_size=60))
def test_time_begins_at_0_and_always_moves_forward(stamps: list[int | None]) -> None:
    times, clock = run(stamps)
    assert times[0] == 0
    assert all(a < b for a, b in itertools.pairwise(times))
    assert clock.end(None) > times[-1]
    assert len(clock.warnings) <= 3
