"""Reading the axes of a sweep, and which points they make."""

from __future__ import annotations

import pytest

from corridor_cli.bench.axes import read_axes, read_duration
from corridor_cli.bench.points import Axes, Point, middle, plan_points
from corridor_cli.bench.prepare import centre_of
from corridor_cli.bench.sweep import shuffled
from corridor_cli.errors import UsageError

AXES = Axes((1, 4, 16, "auto"), (1, 4), (1, 3), (32, 96))


def test_lists_are_read_once_each_and_in_order() -> None:
    axes = read_axes("8, 1,auto,8", "1,16", "9,1", "32")
    assert axes == Axes((8, 1, "auto"), (1, 16), (9, 1), (32,))


@pytest.mark.parametrize(
    ("lists", "flag"),
    [
        (("0", "1", "1", "1"), "--batch-sizes"),
        (("1,,2", "1", "1", "1"), "--batch-sizes"),
        (("Auto", "1", "1", "1"), "--batch-sizes"),
        (("1", "-1", "1", "1"), "--frames"),
        (("1", "1.5", "1", "1"), "--frames"),
        (("1", "1", "2", "1"), "--tiles"),
        (("1", "1", "1", ""), "--output-tokens"),
        (("1", "1", "1", "²"), "--output-tokens"),
        (("9" * 5000, "1", "1", "1"), "--batch-sizes"),  # more digits than Python reads
        (("1", "1000001", "1", "1"), "--frames"),
    ],
)
def test_what_is_no_list_of_counts_is_refused_by_name(lists: tuple[str, ...], flag: str) -> None:
    with pytest.raises(UsageError, match=f"{flag}: got .* allowed: ") as caught:
        read_axes(*lists)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90.0), ("1.5s", 1.5), ("30m", 1800.0), (" 2h ", 7200.0)]
)
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert read_duration("--duration", text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0m", "m", "1d", "-3s", "1:30", "nan", "721h", "9" * 400])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--duration: got"):
        read_duration("--duration", text)


def test_one_axis_at_a_time_meets_in_the_centre() -> None:
    points = plan_points(AXES, full_grid=False, with_loop=True)
    assert len(points) == len(set(points)) == 1 + 4 + 1 + 1 + 1
    centre = centre_of(AXES, points)
    assert points[0] == Point("loop", 1, 1, 1, 32)
    assert Point("engine", 4, 1, 1, 32) in points, "the centre's batch size is the middle one"
    for point in points[1:]:
        is_other = (
            point.batch_size != 4,
            point.frames != centre.frames,
            point.tiles != centre.tiles,
            point.output_tokens != centre.output_tokens,
        )
        assert sum(is_other) <= 1, point


def test_a_full_grid_crosses_all() -> None:
    points = plan_points(AXES, full_grid=True, with_loop=False)
    assert len(points) == len(set(points)) == 4 * 2 * 2 * 2


@pytest.mark.parametrize(
    ("sizes", "expected"), [((1, 2, 4), 2), ((8, 1, 4, 2), 4), (("auto",), "auto"), (("auto", 3), 3)]
)
def test_the_middle_batch_size(sizes: tuple[int | str, ...], expected: int | str) -> None:
    assert middle(sizes) == expected  # type: ignore[arg-type]


def test_the_order_is_random_but_the_seed_s() -> None:
    points = plan_points(AXES, full_grid=True, with_loop=True)
    assert shuffled(points, 1) == shuffled(points, 1) != shuffled(points, 2)
    assert sorted(shuffled(points, 1), key=str) == sorted(points, key=str)
