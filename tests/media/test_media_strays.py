"""Timestamps far from those around them: mended where time goes on without them, kept where it does not."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corridor_cli.errors import LimitError
from corridor_cli.media.clock import Clock
from corridor_cli.media.decoding import is_scattered
from corridor_cli.media.strays import MAX_STRAYS, placed

TICK = Fraction(1, 25)
STRAY = "timestamps far from those around them are left out of account"
AGAIN = "timestamps start again in the middle; the later part follows the earlier one"
REPEAT = "timestamps repeat or go back; the frames concerned are moved forward"
Stamps = Sequence[int | None]


@dataclass(frozen=True)
class Stamp:
    pts: int | None
    duration: int = 1


def run(stamps: Stamps, time_base: Fraction = TICK, rate: int = 25) -> tuple[list[Fraction], Clock]:
    clock = Clock(time_base, Fraction(rate))
    found = list(placed([Stamp(pts) for pts in stamps], clock))
    assert [stamp.pts for stamp, _ in found] == list(stamps)
    return [time / time_base for _, time in found], clock


def plain(stamps: Stamps, time_base: Fraction = TICK) -> tuple[list[Fraction], Clock]:
    clock = Clock(time_base, Fraction(25))
    return [clock.place(pts, 1) / time_base for pts in stamps], clock


@pytest.mark.parametrize("at", [1, 2, 100, 190])
@pytest.mark.parametrize(
    "strays",
    [[10_000], [-10_000], [10_000, 10_001], [10_001, 10_000], [9_000, -9_000, 5_000], [9_000, None, 9_002]],
)
def test_stray_timestamps_move_nobody_else(strays: list[int | None], at: int) -> None:
    stamps = [*range(at), *strays, *range(at + len(strays), 200)]
    times, clock = run(stamps)
    assert times == list(range(200))
    assert clock.warnings == [STRAY]


def test_one_between_two_frames_that_follow_each_other_is_placed_between_them() -> None:
    times, _ = run([0, 1, 2, 9_000, 3, 4])
    assert times == [0, 1, 2, Fraction(5, 2), 3, 4]


def test_a_step_back_of_seconds_by_one_frame_moves_nobody_else() -> None:
    times, clock = run([*range(250), 125, *range(251, 300)])
    assert times == list(range(300))
    assert clock.warnings == [STRAY]


def test_with_a_picture_every_few_seconds_strays_are_told_by_how_far_the_others_are() -> None:
    sound = list(range(0, 4_000, 50))
    assert run(sound)[0] == sound
    times, clock = run([*sound[:40], 90_000, *sound[41:]])
    assert times == sound
    assert clock.warnings == [STRAY]


@pytest.mark.parametrize(
    ("stamps", "warnings"),
    [
        ([0, 1, 2, 900, 901, 902], []),  # a gap
        ([0, 50, 100, 150], []),  # a picture every two seconds
        ([0, 1, 2, 3_000, 0, 1, 2, 3], [AGAIN]),  # a freeze, and a new time axis
        ([*range(250), *range(50)], [AGAIN]),
        ([*range(250), 1_249, 1_248, *range(1_250, 1_300)], [REPEAT]),  # a gap, and frames out of order
        ([0, 1, 900, 901], []),
        ([None, None, 5_000, 1], None),
        ([10_000, *range(50)], [AGAIN]),
        ([*range(10), *range(9_000, 9_000 + MAX_STRAYS + 1), *range(14, 50)], [AGAIN]),  # too many to hold
        ([], []),
    ],
)
def test_other_leaps_are_placed_as_they_come(stamps: Stamps, warnings: list[str] | None) -> None:
    times, clock = run(stamps)
    expected, reference = plain(stamps)
    assert (times, clock.warnings) == (expected, reference.warnings)
    assert warnings is None or clock.warnings == warnings


def ascending(steps: list[int]) -> list[int]:
    return list(itertools.accumulate(steps, initial=0))


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([1, 1, 1, 2, 3, 24, 25, 26, 27, 50, 75, 76, 400]), max_size=80).map(ascending),
    st.sampled_from([TICK, Fraction(1, 5), Fraction(1), Fraction(3)]),
    st.sampled_from([1, 5, 25, 1000]),
)
def test_what_ascends_is_never_astray(stamps: list[int], time_base: Fraction, rate: int) -> None:
    times, clock = run(stamps, time_base, rate)
    assert times == stamps
    assert clock.warnings == []


def test_a_pause_just_longer_than_a_leap_is_a_pause() -> None:
    film = [round(Fraction(1001, 24) * at) for at in (*range(72), *range(96, 150))]
    assert run(film, Fraction(1, 1000), 24)[0] == film
    slides = [0, 5, 10, 15, 31, 34, 39]
    assert run(slides, Fraction(1))[0] == slides


def test_pictures_out_of_order_behind_such_a_pause_are_no_strays() -> None:
    times, clock = run([*range(73), 99, 98, *range(100, 150)])
    assert times[73] == 99
    assert clock.warnings == [REPEAT]


def test_a_lone_last_gap_is_known() -> None:
    assert run([*range(250), 10_250])[1].lone_last_gap == Fraction(10_001, 25)
    assert run([*range(250), 10_250, 10_251])[1].lone_last_gap == 0
    assert run([*range(250), *range(2_000, 2_010), 10_250])[1].lone_last_gap == 0
    assert run([0, 50, 100, 150])[1].lone_last_gap == 0
    assert run([*range(250), 10_250, None])[1].lone_last_gap == 0
    assert run([*range(250), 10_250, 10_249])[1].lone_last_gap == 0
    assert run([0])[1].lone_last_gap == 0


def test_an_error_comes_after_the_frames_that_were_held() -> None:
    def broken() -> Iterator[Stamp]:
        yield from (Stamp(pts) for pts in [0, 1, 2, 900, 901])
        raise LimitError("too much")

    found = []
    with pytest.raises(LimitError):
        found.extend(stamp.pts for stamp, _ in placed(broken(), Clock(TICK, None)))
    assert found == [0, 1, 2, 900, 901]


def test_how_far_stray_timestamps_go_is_known() -> None:
    assert run([*range(20), 900, -900, 22, 23])[1].furthest_stray == 36
    assert run(range(20))[1].furthest_stray == 0


def test_frames_are_held_only_where_one_leaps() -> None:
    taken = []

    def frames() -> object:
        for pts in [0, 1, 2, 9_000, 9_001, 9_002, 9_003, 9_004]:
            taken.append(pts)
            yield Stamp(pts)

    ahead = [len(taken) - given_out for given_out, _ in enumerate(placed(frames(), Clock(TICK, None)), 1)]  # type: ignore[arg-type]
    assert ahead == [0, 0, 0, MAX_STRAYS, 2, 1, 0, 0]


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(-(10**9), 10**9)), min_size=1, max_size=60))
def test_time_begins_at_0_and_always_moves_forward(stamps: list[int | None]) -> None:
    times, clock = run(stamps)
    assert times[0] == 0
    assert all(a < b for a, b in itertools.pairwise(times))
    assert clock.end(None) > times[-1] * TICK
    assert len(clock.warnings) <= 5


def in_decoding_order(num_frames: int, num_b: int) -> list[int]:
    """Timestamps of packets, each P before the B-frames that are shown before it."""
    order, shown = [0], 0
    while shown < num_frames - 1:
        ahead = min(shown + num_b + 1, num_frames - 1)
        order += [ahead, *range(shown + 1, ahead)]
        shown = ahead
    return order


@pytest.mark.parametrize("num_b", [0, 1, 3, 16])
@pytest.mark.parametrize("num_frames", [2, 12, 17, 60, 200])
def test_reordering_and_gaps_are_not_taken_for_stray_timestamps(num_frames: int, num_b: int) -> None:
    pts = in_decoding_order(num_frames, num_b)
    assert not is_scattered(pts, TICK)
    if num_b <= 3:
        assert not is_scattered([50 * at for at in pts], TICK)  # a picture every two seconds
    for gap in range(1, num_frames):
        with_gap = [at + 900 * (at >= gap) for at in pts]
        # With several gaps others pass frames in the same way, and with few frames that is all there is.
        if num_b == 0 or num_frames >= 4 * (num_b + 1):
            assert not is_scattered(with_gap, TICK), gap


@pytest.mark.parametrize("num_b", [0, 3])
@pytest.mark.parametrize("num_frames", [6, 17, 60])
@pytest.mark.parametrize("seconds", [4, 400, -4, -400])
def test_what_a_scan_mends_is_told_from_the_packets_alone(num_frames: int, num_b: int, seconds: int) -> None:
    """Not within so few frames of either end as are moved anyway: there it looks like reordering."""
    pts = in_decoding_order(num_frames, num_b)
    for at in range(num_b + 1, num_frames - num_b - 1):
        stray = [*pts[:at], pts[at] + 25 * seconds, *pts[at + 1 :]]
        assert is_scattered(stray, TICK), at


@pytest.mark.parametrize("rate", [1, 2, 5, 10, 15, 24, 30])
def test_at_any_rate_what_a_scan_mends_is_told_from_the_packets(rate: int) -> None:
    time_base = Fraction(1, 1000)
    for seconds in range(-20, 21):
        stamps = [round(1000 * at / rate) for at in range(200)]
        stamps[100] += 500 * seconds + 7
        _, clock = run(stamps, time_base, rate)
        if STRAY in clock.warnings:
            assert is_scattered(stamps, time_base), seconds


def test_what_is_no_order_at_all() -> None:
    assert is_scattered([*range(250), *range(50)], TICK)
    assert not is_scattered([], TICK)
    assert not is_scattered([5], TICK)
