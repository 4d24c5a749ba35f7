"""Estimates that stay silent until they can be honest, and figures for people."""

from __future__ import annotations

import pytest

from corridor_cli.telemetry import eta_seconds, expected_time_note, format_bytes, format_duration


def test_there_is_no_eta_before_it_can_be_known() -> None:
    assert eta_seconds(100.0, None) is None
    assert eta_seconds(100.0, 0.0) is None
    assert eta_seconds(100.0, 0.005) is None, "so little was done that start-up costs would dominate"
    assert eta_seconds(2.0, 0.5) is None


def test_eta_is_the_time_so_far_for_what_is_left() -> None:
    assert eta_seconds(60.0, 0.25) == 180.0
    assert eta_seconds(60.0, 1.0) == 0.0
    assert eta_seconds(60.0, 1.5) == 0.0, "a source that grew meanwhile must not count backwards"


def test_expected_time_is_told_only_when_it_is_long() -> None:
    assert expected_time_note(10, 1.0, "cpu") is None
    assert expected_time_note(0, 1.0, "cpu") is None
    assert expected_time_note(1200, 10.0, "cpu") == (
        "expected time: about 3 h 20 min for 1,200 captions on cpu (10 s each)"
    )
    assert expected_time_note(600, 0.123, "cuda:0") == (
        "expected time: about 1 min 14 s for 600 captions on cuda:0 (0.12 s each)"
    )


def test_what_takes_longer_is_told_first() -> None:
    assert expected_time_note(1200, 10.0, "cpu", 120.0) == (
        "expected time: about 3 h 20 min for 1,200 captions on cpu (10 s each), "
        "and on the same processors about 2 min for decoding"
    )
    assert expected_time_note(600, 0.1, "cuda:0", 3600.0) == (
        "expected time: about 1 h for decoding, "
        "and beside it about 1 min for 600 captions on cuda:0 (0.1 s each)"
    )
    assert expected_time_note(5, 0.1, "cpu", 3.0) is None
    assert expected_time_note(1200, 10.0, "cpu", 0.0) == expected_time_note(1200, 10.0, "cpu")
    assert expected_time_note(600, None, "cpu", 3600.0) == (
        "expected time: about 1 h for decoding; what 600 captions take is not known"
    )
    assert expected_time_note(600, None, "cpu") is None


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "0.0 s"),
        (4.24, "4.2 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (192.0, "3 min 12 s"),
        (3599.6, "1 h"),
        (18_240.0, "5 h 4 min"),
        (183_600.0, "2 d 3 h"),
    ],
)
def test_durations(seconds: float, shown: str) -> None:
    assert format_duration(seconds) == shown


@pytest.mark.parametrize(
    ("num_bytes", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (2**20 - 1, "1.0 MiB"),
        (12 * 2**30, "12.0 GiB"),
        (2**50, "1024.0 TiB"),
    ],
)
def test_sizes(num_bytes: int, shown: str) -> None:
    assert format_bytes(num_bytes) == shown
