"""Percentiles are numpy's, quantiles those of the tables, and intervals hold the truth as often as told."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np
import pytest

from corridor_cli.bench.document import Spread
from corridor_cli.bench.statistics import is_noisy, percentiles, ratio_of, spread, student_quantile

Noise = Callable[[random.Random], float]

# One repeat's speed where the true one is 1.
NOISES: dict[str, Noise] = {
    "normal of 2 %": lambda seeded: seeded.gauss(1, 0.02),
    "normal of 10 %": lambda seeded: seeded.gauss(1, 0.10),
    "lognormal of 10 %": lambda seeded: seeded.lognormvariate(0, 0.10),
    "delays of 5 %, exponential": lambda seeded: 1 / (1 + seeded.expovariate(20)),
    "delays of 8 %, gamma": lambda seeded: 1 / (1 + seeded.gammavariate(4, 0.02)),
}


@pytest.mark.parametrize("count", [1, 2, 3, 10, 99, 100, 101, 1000])
def test_percentiles_are_those_of_numpy(count: int) -> None:
    values = np.random.default_rng(count).lognormal(3, 0.5, count)
    told = percentiles(list(map(float, values)))
    assert told.n == count
    assert told.mean == pytest.approx(values.mean())
    found = [told.p50, told.p90, told.p95]
    assert found == pytest.approx([np.percentile(values, share) for share in (50, 90, 95)])
    if count < 100:
        assert told.p99 is None
    else:
        assert told.p99 == pytest.approx(np.percentile(values, 99))


def test_the_spread_of_repeats() -> None:
    told = spread([3.0, 1.0, 2.0, 10.0])
    assert told == Spread(n=4, median=2.5, min=1.0, max=10.0)
    assert told.relative == pytest.approx(3.6)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([100.0, 109.9], False), ([100.0, 112.0], True), ([100.0, 95.0, 105.0], False), ([7.0], False)],
)
def test_repeats_more_than_a_tenth_apart_are_noisy(values: list[float], expected: bool) -> None:
    assert is_noisy(spread(values)) is expected


def test_of_nothing_there_is_nothing_to_tell() -> None:
    for of_none in (percentiles, spread):
        with pytest.raises(ValueError, match="got none"):
            of_none([])
    with pytest.raises(ValueError, match="after: got none"):
        ratio_of([1.0], [])


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_a_ratio_is_of_positive_numbers(value: float) -> None:
    with pytest.raises(ValueError, match="finite and above 0"):
        ratio_of([1.0, 2.0, 3.0], [1.0, value, 3.0])


# From the tables of Student's distribution that every textbook prints; one degree is tan(pi (p - 1/2)).
@pytest.mark.parametrize(
    ("probability", "degrees", "expected"),
    [
        (0.975, 1, 12.7062047362),
        (0.975, 2, 4.3026527297),
        (0.975, 3, 3.1824463053),
        (0.975, 4, 2.7764451052),
        (0.95, 5, 2.0150483733),
        (0.975, 10, 2.2281388520),
        (0.995, 10, 3.1692726726),
        (0.975, 30, 2.0422724563),
        (0.9995, 2, 31.5990545760),
        (0.975, 1e6, 1.9599663),
        (0.5, 7, 0.0),
    ],
)
def test_quantiles_are_those_of_the_tables(probability: float, degrees: float, expected: float) -> None:
    assert student_quantile(probability, degrees) == pytest.approx(expected, rel=2e-8, abs=1e-6)


@pytest.mark.parametrize("degrees", [1.0, 2.7, 4.0, 18.3])
def test_quantiles_turn_the_density_back(degrees: float) -> None:
    """The density, integrated up to the quantile, is the probability: also for fractions of a degree."""
    until = student_quantile(0.975, degrees)
    log_front = math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2) - math.log(degrees * math.pi) / 2
    at = np.linspace(0, until, 200_001)
    density = np.exp(log_front) * (1 + at**2 / degrees) ** (-(degrees + 1) / 2)
    assert float(np.trapezoid(density, at)) == pytest.approx(0.475, abs=1e-8)


def test_a_probability_out_of_range_is_refused() -> None:
    for probability in (0.4, 1.0):
        with pytest.raises(ValueError, match="allowed"):
            student_quantile(probability, 3)
    with pytest.raises(ValueError, match="confidence: got 95"):
        ratio_of([1.0, 2.0], [1.0, 2.0], confidence=95)


def test_the_interval_by_hand() -> None:
    """Logarithms 0, 1, 2 against 1, 2, 3: change 1, error √(1/3 + 1/3), 4 degrees of freedom."""
    told = ratio_of([math.exp(each) for each in (0, 1, 2)], [math.exp(each) for each in (1, 2, 3)])
    half = 2.7764451052 * math.sqrt(2 / 3)
    assert told.low is not None
    assert told.high is not None
    assert [math.log(each) for each in (told.estimate, told.low, told.high)] == pytest.approx(
        [1, 1 - half, 1 + half]
    )
    assert not told.excludes_no_change


def test_the_interval_turns_round_with_its_sides() -> None:
    before, after = [10.0, 10.3, 9.9, 10.1], [12.0, 12.4, 11.8]
    there, back = ratio_of(before, after), ratio_of(after, before)
    assert there.low is not None
    assert there.high is not None
    assert there.excludes_no_change
    assert there.low < there.estimate < there.high
    assert [back.estimate, back.high, back.low] == pytest.approx(
        [1 / there.estimate, 1 / there.low, 1 / there.high]
    )
    wider = ratio_of(before, after, confidence=0.99)
    assert wider.low is not None
    assert wider.low < there.low


def test_two_repeats_have_no_interval() -> None:
    told = ratio_of([10.0, 10.1], [5.0, 5.0, 5.0])
    assert told.estimate == pytest.approx(0.4975, abs=1e-4)
    assert (told.low, told.high) == (None, None)
    assert not told.excludes_no_change


def test_repeats_that_are_all_alike_leave_no_doubt() -> None:
    same = ratio_of([4.0, 4.0, 4.0], [4.0, 4.0, 4.0])
    assert (same.low, same.estimate, same.high) == (1.0, 1.0, 1.0)
    assert not same.excludes_no_change
    assert ratio_of([4.0, 4.0, 4.0], [5.0, 5.0, 5.0]).excludes_no_change


def coverage(
    noises: tuple[Noise, Noise], counts: tuple[int, int], truth: float, seed: int, trials: int = 2000
) -> float:
    """In which share of trials the 95 % interval holds the true ratio."""
    seeded = random.Random(seed)
    held = 0
    for _ in range(trials):
        before = [noises[0](seeded) for _ in range(counts[0])]
        after = [truth * noises[1](seeded) for _ in range(counts[1])]
        told = ratio_of(before, after)
        assert told.low is not None
        assert told.high is not None
        held += told.low <= truth <= told.high
    return held / trials


@pytest.mark.parametrize("count", [3, 5, 10])
@pytest.mark.parametrize("noise", NOISES)
def test_a_95_percent_interval_holds_the_truth_in_95_of_100_cases(noise: str, count: int) -> None:
    """2,000 trials tell a share of 0.95 to ±0.01 (two deviations)."""
    held = coverage((NOISES[noise], NOISES[noise]), (count, count), 1.07, seed=count)
    assert 0.92 <= held <= 0.98


@pytest.mark.parametrize("counts", [(3, 3), (3, 10), (10, 3), (5, 5), (10, 10)])
def test_it_holds_also_where_one_side_is_noisier_or_longer(counts: tuple[int, int]) -> None:
    quiet, noisy = NOISES["normal of 2 %"], NOISES["normal of 10 %"]
    skewed = NOISES["delays of 8 %, gamma"]
    for noises in ((quiet, noisy), (noisy, quiet), (quiet, quiet), (skewed, skewed)):
        assert 0.92 <= coverage(noises, counts, 0.8, seed=7, trials=1000) <= 0.98
