"""What repeats say: percentiles, spread, and how sure a ratio of two contestants is.

**The interval of a ratio** is Welch's t interval of the difference of mean logarithms, turned back by `exp`;
the estimate is the ratio of geometric means. Why this one for 3 to 20 repeats:

* Speeds are compared by ratio, and noise of speeds is a share of them: in logarithms it is a plain addition.
  Where both sides have noise of the same shape, also a skewed one, it cancels in the difference.
* The two sides need not be equally noisy, nor have as many repeats; hence Welch's degrees of freedom.
* A bootstrap of three values has 10 different resamples: its intervals are far too short. Medians of three
  waste a quarter of what normal values say, and have no interval that holds for so few.

Simulated with 10,000 trials each (`coverage` in `tests/bench/test_statistics.py`, which repeats most of it
with fewer), a 95 % interval held the truth in 96 to 97 % of the cases for 3 repeats a side, 96 to 97 % for 5,
95 to 96 % for 10, with normal, lognormal, gamma and exponential noise; in 94 to 95 % where one side was five
times as noisy. With 3 repeats against 10 it was 92 to 95 %, with 3 against 20 it was 91 to 93 %, and 87 %
for exponential noise: give both sides as many.

It is about repeats. What differs from one run to the next (a clock, a neighbour, where memory lies) is in
no repeat of one run, and so in no interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, median, variance

from corridor_cli.bench.document import Percentiles, Spread

MIN_VALUES_FOR_P99 = 100
MIN_REPEATS = 3
MAX_QUIET_SPREAD = 0.10

_MAX_STEPS = 60
_MAX_FRACTIONS = 400
_NEAR = 1e-13
_TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Ratio:
    """Geometric mean after over geometric mean before: 1 is no change. The interval is both or None."""

    estimate: float
    low: float | None
    high: float | None

    @property
    def excludes_no_change(self) -> bool:
        """Whether there is an interval, and 1 is outside of it."""
        return self.low is not None and self.high is not None and not self.low <= 1.0 <= self.high


def percentiles(values_ms: Sequence[float]) -> Percentiles:
    """Percentiles of values in milliseconds, between two of them in proportion (numpy's default).

    p99 is None for fewer than 100 values: it would be little else than the largest. Raises `ValueError`
    where there are none.
    """
    if not values_ms:
        raise ValueError("values_ms: got none, allowed: one or more")
    ordered = sorted(values_ms)
    return Percentiles(
        n=len(ordered),
        mean=fmean(ordered),
        p50=percentile(ordered, 0.50),
        p90=percentile(ordered, 0.90),
        p95=percentile(ordered, 0.95),
        p99=percentile(ordered, 0.99) if len(ordered) >= MIN_VALUES_FOR_P99 else None,
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of `ordered` lies; `ordered` ascends and is not empty."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def spread(values: Sequence[float]) -> Spread:
    """Median, least and largest of repeats. Raises `ValueError` where there are none."""
    if not values:
        raise ValueError("values: got none, allowed: one or more")
    return Spread(n=len(values), median=median(values), min=min(values), max=max(values))


def is_noisy(spread: Spread) -> bool:
    """Whether repeats lie more than 10 % of their median apart: measure again on a quieter machine.

    One repeat says nothing about noise, and is not called noisy.
    """
    return spread.relative > MAX_QUIET_SPREAD


def ratio_of(before: Sequence[float], after: Sequence[float], confidence: float = 0.95) -> Ratio:
    """How many times as large repeats became, with its interval at `confidence` (see the module).

    There is no interval with fewer than three repeats on a side: that of two is so wide that it never
    shows anything. Raises `ValueError` for no values, and for one that is not finite and above 0.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: got {confidence}, allowed: above 0 and below 1")
    logs_before, logs_after = _logs("before", before), _logs("after", after)
    change = fmean(logs_after) - fmean(logs_before)
    if min(len(before), len(after)) < MIN_REPEATS:
        return Ratio(math.exp(change), None, None)
    error_before, error_after = (variance(logs) / len(logs) for logs in (logs_before, logs_after))
    error = error_before + error_after
    if error == 0:  # all repeats alike: there is nothing to be unsure of
        return Ratio(math.exp(change), math.exp(change), math.exp(change))
    share_before, share_after = error_before / error, error_after / error
    degrees = 1 / (share_before**2 / (len(before) - 1) + share_after**2 / (len(after) - 1))
    half = student_quantile(0.5 + confidence / 2, degrees) * math.sqrt(error)
    return Ratio(math.exp(change), math.exp(change - half), math.exp(change + half))


def _logs(name: str, values: Sequence[float]) -> list[float]:
    if not values:
        raise ValueError(f"{name}: got none, allowed: one or more")
    for value in values:
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name}: got {value}, allowed: finite and above 0")
    return [math.log(value) for value in values]


def student_quantile(probability: float, degrees: float) -> float:
    """The value that Student's t with `degrees` of freedom (a fraction, too) stays below with `probability`.

    Good to ten digits for a probability up to 0.9999 and `degrees` from 1 on. Raises `ValueError` for a
    probability below 0.5, which nobody asks for.
    """
    if not (0.5 <= probability < 1 and degrees > 0):
        raise ValueError(f"got probability {probability} and {degrees} degrees, allowed: 0.5 to 1, above 0")
    # The normal quantile lies below, and there the tail is convex: Newton's steps come up to the root.
    value = NormalDist().inv_cdf(probability)
    log_front = math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2) - math.log(degrees * math.pi) / 2
    for _ in range(_MAX_STEPS):
        tail = _beta_share(degrees / 2, 0.5, degrees / (degrees + value**2)) / 2
        density = math.exp(log_front - (degrees + 1) / 2 * math.log1p(value**2 / degrees))
        step = (tail - (1 - probability)) / density
        value += step
        if abs(step) <= _NEAR * value:
            break
    return value


def _beta_share(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b) (NIST's handbook, 8.17.22), for x from 0 to 1."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # there the other side's fraction converges fast
        return 1 - _beta_share(b, a, 1 - x)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(front) / a / _beta_fraction(a, b, x)


def _beta_fraction(a: float, b: float, x: float) -> float:
    """1 + d1 / (1 + d2 / (1 + …)) from the front on, by Lentz's method."""
    value, above, below = 1.0, 1.0, 0.0
    for number in range(1, _MAX_FRACTIONS):
        half = number // 2
        if number % 2:
            part = -(a + half) * (a + b + half) * x / ((a + 2 * half) * (a + 2 * half + 1))
        else:
            part = half * (b - half) * x / ((a + 2 * half - 1) * (a + 2 * half))
        below = 1 / ((1 + part * below) or _TINY)
        above = (1 + part / above) or _TINY
        value *= above * below
        if abs(above * below - 1) < _NEAR:
            break
    return value
