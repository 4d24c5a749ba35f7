"""Times and texts on their way into a document."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor_cli.timeline.text import is_repetitive
from corridor_cli.timeline.timecode import seconds, timecode, timecode_seconds

ORDINARY = [
    "A man in a red shirt stands next to a red car on a red carpet in front of a red wall.",
    "A very, very, very, very dark street at night.",
    "No, no, no, no! A child shouts.",
    "Three people: one with a hat, one with a bag, one with a dog. One of them waves.",
    "The image is bright. The image shows a large blue circle on the left. The image is calm.",
    "A list of colours is shown: red, green, blue, yellow, red, green, blue, yellow.",
    "The text on the screen reads 'HA HA HA HA HA'.",
    "一名穿红衣服的男子站在一辆红色汽车旁边，背景是一面红色的墙壁，天空很蓝。",
    "猫がソファの上で寝ている。部屋は明るく、窓の外には青い空が見える。",
    "https://www.example.com/watch?v=abcdefghijklmnopqrstuvwxyz0123456789",
    "A bright picture with high contrast. The main colours are white and gray. A circle is in the middle.",
    "",
    "Aaaah!",
]

LOOPS = [
    "red " * 12,
    "The man is standing. " * 8,
    "A bright street with cars and a tree. " + "and a car, " * 20,
    "the the the the the the the the the the the the",
    "A cat " * 6 + "A",
    "!" * 60,
    "ha" * 40,
    "红色的" * 20,
    "猫がいる。" * 10,
    "I see a man with a hat and I see a man with a hat and I see a man with a hat and I see a man",
    "RED ball. red Ball. Red ball. RED BALL. red ball. red ball.",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_sentences_are_no_loop(text: str) -> None:
    assert not is_repetitive(text)


@pytest.mark.parametrize("text", LOOPS)
def test_loops_are_found(text: str) -> None:
    assert is_repetitive(text)


@given(st.text())
def test_any_text_can_be_judged(text: str) -> None:
    assert is_repetitive(text) in (True, False)


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (Fraction(0), "00:00:00.000"),
        (Fraction(1001, 24000), "00:00:00.042"),
        (Fraction(59_996, 1_000), "00:00:59.996"),
        (Fraction(599_996, 10_000), "00:01:00.000"),
        (Fraction(35_999_999, 10_000), "01:00:00.000"),
        (Fraction(86_400), "24:00:00.000"),
        (Fraction(360_000), "100:00:00.000"),
        (Fraction(1, 2000), "00:00:00.000"),
        (Fraction(3, 2000), "00:00:00.002"),
    ],
)
def test_a_timecode_is_rounded_once_and_carries(time: Fraction, text: str) -> None:
    assert timecode(time) == text


@given(st.fractions(Fraction(0), Fraction(10**7)))
def test_a_timecode_reads_back_to_half_a_millisecond(time: Fraction) -> None:
    assert abs(timecode_seconds(timecode(time)) - time) <= Fraction(1, 2000)
    assert abs(seconds(time) - time) <= Fraction(6, 10**7)


def test_a_time_before_the_axis_is_our_bug() -> None:
    with pytest.raises(AssertionError, match="starts at 0"):
        timecode(Fraction(-1, 1000))
