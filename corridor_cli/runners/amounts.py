"""Figures that are not known exactly, and the few rules by which they are put together. No clock, no file."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_DEVIATIONS = 2.0


@dataclass(frozen=True, slots=True)
class Amount:
    """What is expected of a quantity, and its standard deviation, in the unit of the quantity.

    `low` and `high` lie two deviations off, and never below zero: about 19 in 20 would be between them if
    errors were Gaussian, which they are not quite.
    """

    expected: float
    deviation: float = 0.0

    @property
    def low(self) -> float:
        return max(0.0, self.expected - _DEVIATIONS * self.deviation)

    @property
    def high(self) -> float:
        return self.expected + _DEVIATIONS * self.deviation

    def __add__(self, other: Amount) -> Amount:
        """The sum of two quantities that err independently."""
        deviation = math.hypot(self.deviation, other.deviation)
        return Amount(self.expected + other.expected, deviation)

    def __mul__(self, other: Amount) -> Amount:
        """The product of two quantities that err independently, both by little."""
        deviation = math.hypot(self.expected * other.deviation, other.expected * self.deviation)
        return Amount(self.expected * other.expected, deviation)

    def times(self, factor: float) -> Amount:
        return Amount(self.expected * factor, self.deviation * factor)

    def at_least_off(self, share: float) -> Amount:
        """The same with a deviation of at least `share` of what is expected."""
        return Amount(self.expected, max(self.deviation, share * self.expected))


def total(amounts: Sequence[Amount]) -> Amount:
    """The sum of quantities that err independently."""
    return sum(amounts, Amount(0.0))


def through(function: Callable[[float, float], float], one: Amount, other: Amount) -> Amount:
    """What comes of two quantities: the function of them, and how far an error of each moves it."""
    expected = function(one.expected, other.expected)
    by_one = function(one.expected + one.deviation, other.expected) - expected
    by_other = function(one.expected, other.expected + other.deviation) - expected
    return Amount(expected, math.hypot(by_one, by_other))


def relative_deviation(values: Sequence[float], weights: Sequence[float]) -> float | None:
    """How far values lie apart, as a share of their weighted mean; None for fewer than two."""
    mean = weighted_mean(values, weights)
    if len(values) < 2 or not mean:
        return None
    spread = sum(w * (v - mean) ** 2 for v, w in zip(values, weights, strict=True)) / sum(weights)
    return math.sqrt(spread * len(values) / (len(values) - 1)) / mean


def weighted_mean(values: Sequence[float], weights: Sequence[float]) -> float:
    """0 where nothing weighs anything."""
    weight = sum(weights)
    return sum(v * w for v, w in zip(values, weights, strict=True)) / weight if weight else 0.0


def effective_number(weights: Sequence[float]) -> float:
    """As many equal values would make a mean as certain as these weighted ones do; at least 1."""
    squares = sum(w * w for w in weights)
    return max(1.0, sum(weights) ** 2 / squares) if squares else 1.0
