"""The thread between two stages: the same items, bounded, errors handed over, never left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from corridor_cli.errors import DecodeError
from corridor_cli.hosts.read_ahead import MAX_AHEAD, MIN_AHEAD, num_ahead, read_ahead


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "read-ahead"]


@pytest.mark.parametrize("max_ahead", [1, 2, 16])
def test_the_items_are_the_same_and_never_too_far_ahead(max_ahead: int) -> None:
    made = 0

    def items() -> Iterator[int]:
        nonlocal made
        for number in range(200):
            made += 1
            yield number

    taken = []
    for number in read_ahead(items(), max_ahead):
        taken.append(number)
        assert made <= len(taken) + max_ahead
    assert taken == list(range(200))
    assert threads() == []


def test_work_goes_on_while_nothing_is_taken() -> None:
    full = threading.Event()

    def items() -> Iterator[int]:
        for number in range(10):
            if number == 4:
                full.set()
            yield number

    ahead = read_ahead(items(), 4)
    assert next(ahead) == 0
    assert full.wait(5)
    ahead.close()
    assert threads() == []


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise DecodeError("the rest is missing")

    ahead = read_ahead(items(), 8)
    assert [next(ahead), next(ahead)] == [1, 2]
    with pytest.raises(DecodeError, match="the rest is missing"):
        next(ahead)
    assert threads() == []


def test_closing_waits_for_the_item_in_the_making() -> None:
    made = []

    def items() -> Iterator[int]:
        for number in range(1000):
            time.sleep(0.02)
            made.append(number)
            yield number

    ahead = read_ahead(items(), 2)
    assert next(ahead) == 0
    ahead.close()
    assert threads() == []
    num_made = len(made)
    time.sleep(0.1)
    assert len(made) == num_made <= 4


def test_an_iterator_that_never_began_is_closed_without_a_thread() -> None:
    read_ahead(iter(()), 2).close()
    assert list(read_ahead(iter(()), 2)) == []
    assert threads() == []


def test_large_pictures_wait_in_small_numbers() -> None:
    assert num_ahead(64, 64) == MAX_AHEAD
    assert 2 <= num_ahead(1920, 1080) <= 4
    assert num_ahead(3840, 2160) == MIN_AHEAD
    assert num_ahead(16384, 16384) == MIN_AHEAD
