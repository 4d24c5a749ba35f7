"""Rows of thumbs: products find the blends that the thumbs themselves show, in blocks of any size."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from scenes_pictures import Picture, at_rate, blend, moving, still

from corridor_cli.scenes.blend_windows import EDGE_WEIGHT, WINDOWS, BlendMeter, blend_weights
from corridor_cli.scenes.detectors.base import Look
from corridor_cli.scenes.looks import LookMaker
from corridor_cli.scenes.mixture_windows import LENGTHS, WindowMeter
from corridor_cli.scenes.thumb_rows import CAPACITY, MAX_BLOCK, NUM_KEPT, ThumbRows

Found = tuple[int, int] | None


def story() -> list[Picture]:
    """Dissolves of several lengths, between pictures that stand and that move, cuts, nothing at all, and a
    title too small to count."""
    pictures: list[Picture] = []
    for seed, count in enumerate((10, 24, 31, 14), start=1):
        pictures += blend(still(seed, 70), still(seed + 1, 70), count)
        pictures += blend(moving(seed, 80), moving(seed + 5, 60), count)
    [plain] = still(6, 1)
    titled = plain.copy()
    titled[0, 24:36, 16:48] += 60
    return pictures + blend([plain] * 60, [titled] * 60, 24)


def looks_of(pictures: list[Picture], fps: int = 25) -> list[Look]:
    return LookMaker().look_at([*at_rate(pictures, fps)])


def in_blocks(looks: list[Look], size: int) -> Iterator[list[Look]]:
    for first in range(0, len(looks), size):
        yield looks[first : first + size]


def found_by_meter(looks: list[Look], size: int) -> list[Found]:
    rows = ThumbRows()
    meter = BlendMeter(rows)
    found: list[Found] = []
    for block in in_blocks(looks, size):
        rows.extend(block)
        for look in block:
            number = rows.number_of(look)
            blended = None if number is None else meter.widest_blend(number)
            found.append(blended and (blended[0].frame_index, blended[1].frame_index))
    return found


def found_by_thumbs(looks: list[Look]) -> list[Found]:
    thumbs = np.array([look.thumb.reshape(-1) for look in looks], np.float64)
    found: list[Found] = []
    for end in range(len(looks)):
        found.append(None)
        for length, stride in WINDOWS if end % 2 else ():
            first = end - length
            weights = blend_weights(thumbs[first : end + 1 : stride]) if first >= 0 else None
            if weights is not None:
                start = first + stride * int(np.flatnonzero(weights <= EDGE_WEIGHT)[-1])
                last = first + stride * int(np.flatnonzero(weights >= 1 - EDGE_WEIGHT)[0])
                found[-1] = (start, last)
                break
    return found


@pytest.mark.parametrize("size", [1, 7, 16, MAX_BLOCK])
def test_products_find_the_blends_that_the_thumbs_show(size: int) -> None:
    looks = looks_of(story())
    expected = found_by_thumbs(looks)
    assert len(looks) > 2 * CAPACITY, "rows must have gone"
    assert sum(each is not None for each in expected) > 50
    assert found_by_meter(looks, size) == expected


@pytest.mark.parametrize("size", [1, 7, MAX_BLOCK])
def test_what_stands_still_is_left_out_and_nothing_with_it(size: int) -> None:
    """Thumbs that are copies are never known to be the same picture: every row is measured."""
    frozen = still(3, 90)
    pictures = [
        *story(),
        *frozen,
        *blend(frozen[:60], moving(4, 60), 20),
        *[each for each in moving(9, 40) for _ in "abc"],
    ]
    looks = looks_of(pictures)
    num_shared = sum(one.thumb is other.thumb for one, other in pairwise(looks))
    assert num_shared > 200
    copies = [look._replace(thumb=look.thumb.copy()) for look in looks]
    found, expected = windows_by_meter(looks, size), windows_by_meter(copies, size)
    assert len(expected) > 20
    assert found == expected
    assert found_by_meter(looks, size) == found_by_meter(copies, size)


def windows_by_meter(looks: list[Look], size: int) -> list[tuple[int, int, bytes]]:
    rows = ThumbRows()
    meter = WindowMeter(rows)
    found: list[tuple[int, int, bytes]] = []
    for block in in_blocks(looks, size):
        rows.extend(block)
        for look in block:
            for window in meter.push(look) or []:
                found.append((window.start.frame_index, window.end.frame_index, window.features.tobytes()))
    return found


@pytest.mark.parametrize("size", [2, 7, MAX_BLOCK])
def test_windows_measured_together_are_the_same_as_alone(size: int) -> None:
    """To the last bit; and what only windows that sag ask for is measured of enough rows for each."""
    looks = looks_of([*moving(5, 70), *story()])
    alone = windows_by_meter(looks, 1)
    assert len({end - start for start, end, _ in alone}) == len(LENGTHS)
    assert windows_by_meter(looks, size) == alone


def test_a_repeated_picture_shares_the_thumb_before_it() -> None:
    [one], [other] = still(1, 1), still(2, 1)
    nearly = other.copy()
    nearly[0, 0, 0] += 1
    looks = looks_of([one, one, other, nearly, other, one, one, one])
    shared = [before.thumb is after.thumb for before, after in pairwise(looks)]
    assert shared == [True, False, False, False, False, True, True]
    assert np.array_equal(looks[0].thumb, looks[5].thumb)


def test_no_blend_leads_over_frames_that_were_left_out() -> None:
    pictures = blend(still(1, 60), still(2, 60), 41)
    looks = [look for look in looks_of(pictures) if look.frame_index != 40]
    found = [each for each in found_by_meter(looks, 8) if each is not None]
    assert found
    assert not any(start < 40 < end for start, end in found)


def test_above_forty_frames_a_second_only_some_become_rows() -> None:
    rows = ThumbRows()
    looks = looks_of(still(1, 120), fps=120)
    numbers = []
    for block in in_blocks(looks, 16):
        rows.extend(block)
        numbers += [rows.number_of(look) for look in block]
    assert [at for at, number in enumerate(numbers) if number is not None] == list(range(0, 120, 3))


def test_what_is_kept_beside_a_row_stays_with_it() -> None:
    rows = ThumbRows()
    beside = rows.beside(1)
    for block in in_blocks(looks_of(still(1, 400)), MAX_BLOCK):
        first = rows.end
        rows.extend(block)
        for number in range(first, rows.end):
            beside[rows.at(number), 0] = number
        oldest = max(0, first - NUM_KEPT)
        kept = [int(beside[rows.at(number), 0]) for number in range(oldest, rows.end)]
        assert kept == list(range(oldest, rows.end))
        assert [rows.instants[rows.at(number)].frame_index for number in kept] == kept
