"""Dissolves between pictures that move, and what moves and is none."""

from __future__ import annotations

import numpy as np
import pytest
from scenes_pictures import (
    HEIGHT,
    WIDTH,
    Picture,
    at_rate,
    blend,
    find_all,
    moving,
    plain,
    scenery,
    starts,
    still,
    window,
)

from corridor_cli.scenes.mixture_chance import chance
from corridor_cli.scenes.mixture_measures import changing_part
from corridor_cli.scenes.mixture_terms import FEATURES, TERMS, terms_of
from corridor_cli.scenes.mixture_weights import WEIGHTS
from corridor_cli.scenes.mixture_windows import LENGTHS, MixtureWindow, windows_of
from corridor_cli.scenes.mixtures import MIN_CHANCE


def panned(seed: int, step: float, *, is_back: bool = False) -> list[Picture]:
    """A camera that pans over a wide picture for 110 frames."""
    wide = scenery(seed, 72, 512)
    pictures = [window(wide, int(index * step)) for index in range(110)]
    return pictures[::-1] if is_back else pictures


def measured(pictures: list[Picture]) -> list[MixtureWindow]:
    """All windows that are measured of these pictures at 25 frames/s."""
    return list(windows_of(at_rate(pictures, 25)))


@pytest.mark.parametrize(
    ("seed", "step", "count", "is_back"),
    [(3, 1, 24, False), (3, 2, 24, True), (3, 1.5, 36, False), (1, 1, 36, True), (7, 1.5, 24, True)],
)
def test_a_dissolve_between_pans_is_found(seed: int, step: float, count: int, is_back: bool) -> None:
    frames = at_rate(blend(panned(seed, step), panned(seed + 1, step, is_back=is_back), count), 25)

    finder, found = find_all(frames)
    [start] = starts(found)
    [change] = finder.transitions
    assert found[1].scene.boundary == "transition"
    assert 110 - count <= start <= 110
    assert change.kind == "dissolve"
    assert change.start < found[1].scene.start < change.end


def test_a_cut_rules_out_no_window_behind_it() -> None:
    dissolve = blend(moving(2, 20), moving(7, 60), 14)
    alone, behind = measured(dissolve), measured([*still(9, 40), *dissolve])
    expected = [(each.start.frame_index + 40, each.features.tobytes()) for each in alone]
    found = [(each.start.frame_index, each.features.tobytes()) for each in behind]
    assert len(expected) > 3
    assert [each for each in found if each[0] >= 40] == expected


@pytest.mark.parametrize("seed", range(1, 9))
@pytest.mark.parametrize("step", [1, 2, 3, 4, 6])
def test_a_pan_is_no_mixture(seed: int, step: int) -> None:
    assert all(chance(each.features) < MIN_CHANCE for each in measured(moving(seed, 120, step)))


def test_a_title_on_a_slow_pan_is_no_mixture() -> None:
    pictures = panned(3, 0.25)
    for index, picture in enumerate(pictures):
        share = min(max((index - 40) / 20, 0), 1)
        titled = picture.copy()
        titled[0, 24:36, 16:112] += share * (235 - titled[0, 24:36, 16:112])
        pictures[index] = titled

    assert all(chance(each.features) < MIN_CHANCE for each in measured(pictures))
    assert starts(find_all(at_rate(pictures, 25))[1]) == []


def test_a_cut_after_a_dissolve_between_pans_opens_its_own_scene() -> None:
    pictures = blend(panned(3, 1), panned(4, 1), 24)[:125]

    first, second = starts(find_all(at_rate([*pictures, *still(5, 30)], 25))[1])
    assert 86 <= first <= 110
    assert second == 125


def test_a_perfect_mixture_sags_by_one_in_each_half() -> None:
    windows = measured(blend(still(1, 60), still(2, 60), 41))

    whole = [each for each in windows if each.start.frame_index >= 19 and each.end.frame_index <= 60]
    assert {each.end.frame_index - each.start.frame_index for each in whole} >= set(LENGTHS[:3])
    for each in whole:
        values = dict(zip(FEATURES, each.features, strict=True))
        assert values["misfit"] < 0.02
        assert values["residual"] < 0.03
        assert values["block_sag"] == pytest.approx(1, abs=0.2)
        assert chance(each.features) > MIN_CHANCE
    longest = dict(zip(FEATURES, max(whole, key=lambda each: each.features[0]).features, strict=True))
    assert longest["sag_first"] == pytest.approx(1, abs=0.1)
    assert longest["sag_second"] == pytest.approx(1, abs=0.1)


def test_of_a_window_only_what_changes_is_told() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.normal(0, 100, (2, 500))
    noise = rng.normal(0, 3, (41, 500))
    for first, last in [(0, 40), (12, 24), (0, 10), (30, 40), (20, 21)]:
        shares = np.clip((np.arange(41) - first) / (last - first), 0, 1)[:, None]
        found = changing_part(one * (1 - shares) + other * shares + noise)
        assert found == pytest.approx((first, last), abs=1)


def test_an_iris_is_told_where_it_closes() -> None:
    one, other = moving(5, 71, 1), moving(6, 71, 1)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    middle = np.hypot(y - HEIGHT / 2, x - WIDTH / 2)
    near = 1 - middle / middle.max()
    closing = [np.clip(share * 1.3 - near, 0, 0.3) / 0.3 for share in np.linspace(0, 1, 12)[1:-1]]
    mixed = [a * (1 - w) + b * w for a, b, w in zip(one[60:70], other, closing, strict=False)]

    finder, found = find_all(at_rate([*one[:60], *mixed, *other[10:]], 25))
    [start], [change] = starts(found), finder.transitions
    assert 62 <= start <= 67
    assert 58 <= 25 * change.start < 25 * change.end <= 71


def faint_dissolve(share: float) -> list[Picture]:
    """From one picture to another of which 0.6 is like it, both of so much contrast."""
    one, other = (window(scenery(seed), 0) for seed in (1, 2))
    one, other = (picture - picture.mean(axis=(1, 2), keepdims=True) for picture in (one, other))
    grey = np.array([120.0, 128.0, 128.0])[:, None, None]
    before, after = grey + share * one, grey + share * (0.6 * one + 0.8 * other)
    return blend([before] * 60, [after] * 60, 41)


def test_pictures_that_differ_little_are_measured_no_further() -> None:
    assert measured(faint_dissolve(0.3))
    assert measured(faint_dissolve(0.25)) == []


def test_a_dissolve_over_grey_is_measured_only_where_contrast_goes_as_a_mixture_s() -> None:
    one, other = (window(scenery(seed), 0) for seed in (3, 4))
    mixed = [one * (1 - share) + other * share for share in np.linspace(0, 1, 30)[1:-1]]
    ramp = np.minimum(np.arange(1, 29), 29 - np.arange(1, 29)) / 6
    for share, picture in zip(np.minimum(ramp, 1) * 0.3, mixed, strict=True):
        picture += share * (picture.mean(axis=(1, 2), keepdims=True) - picture)

    misfits = [
        each.features[FEATURES.index("misfit")] for each in measured([one] * 45 + mixed + [other] * 45)
    ]
    assert 0.1 < max(misfits) <= 0.15


def test_no_window_leads_over_frames_that_were_left_out() -> None:
    frames = at_rate(blend(still(1, 60), still(2, 60), 41), 25)

    windows = list(windows_of(frame for frame in frames if frame.index != 40))
    assert windows
    assert not any(each.start.frame_index < 40 < each.end.frame_index for each in windows)


def test_each_term_has_a_weight_and_one_window_is_as_good_as_many() -> None:
    assert tuple(WEIGHTS) == TERMS
    many = np.random.default_rng(1).normal(0, 1, (5, len(FEATURES)))
    assert terms_of(many).shape == (5, len(TERMS))
    assert np.array_equal(terms_of(many)[3], terms_of(many[3]))


def test_a_flash_in_a_fade_opens_no_scene() -> None:
    faded = blend(moving(1, 80), plain(16, 30), 20)
    white = np.array([255, 128, 128])[:, None, None]
    lit = [(picture + white) / 2 for picture in faded[63:65]]
    pictures = [*faded[:63], *lit, *faded[65:], *moving(2, 60)]

    assert len(starts(find_all(at_rate(pictures))[1])) == 1
