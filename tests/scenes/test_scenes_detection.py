"""Cuts, dissolves and fades that must be found, and what must not be taken for one."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import numpy as np
import pytest
from scenes_pictures import (
    DrawnFrame,
    Picture,
    at_rate,
    blend,
    drifting,
    find_all,
    grain,
    moving,
    noise,
    plain,
    scenery,
    starts,
    still,
    to_planes,
    window,
)

from corridor_cli.scenes.blend_windows import blend_weights
from corridor_cli.scenes.thumbs import make_thumb
from corridor_cli.settings import SceneSettings

BLACK = 16


def boundaries(frames: list[DrawnFrame], settings: SceneSettings | None = None) -> list[tuple[int, str]]:
    """Where the scenes after the first begin, and why."""
    _, found = find_all(frames, settings)
    return [(one.scene.start_frame, one.scene.boundary) for one in found[1:]]


@pytest.mark.parametrize("detector", ["adaptive", "content", "psd-adaptive"])
@pytest.mark.parametrize("rate", [10, 24, 30, 60, 120])
def test_hard_cuts_are_found_at_their_frame(
    detector: Literal["adaptive", "content", "psd-adaptive"], rate: int
) -> None:
    pictures = [*moving(1, 40), *moving(2, 40), *moving(3, 40)]

    settings = SceneSettings(detector=detector)
    assert boundaries(at_rate(pictures, rate), settings) == [(40, "cut"), (80, "cut")]


def test_cuts_between_still_pictures_are_found() -> None:
    pictures = [*still(1, 25), *still(2, 10), *still(3, 25)]

    assert boundaries(at_rate(pictures)) == [(25, "cut"), (35, "cut")]


def test_a_cut_is_found_where_the_frame_times_vary() -> None:
    planes = [to_planes(picture) for picture in [*moving(1, 30), *moving(2, 30)]]
    times = [Fraction(index, 30) + Fraction(index % 3, 100) for index in range(60)]
    frames = [
        DrawnFrame(index, time, one) for index, (time, one) in enumerate(zip(times, planes, strict=True))
    ]

    _, found = find_all(frames)
    assert starts(found) == [30]
    assert found[1].scene.start == times[30]


def test_cuts_closer_than_the_minimum_are_one() -> None:
    pictures = [*still(1, 30), *still(2, 4), *still(3, 30)]

    assert boundaries(at_rate(pictures)) == [(30, "cut")]
    assert boundaries(at_rate(pictures), SceneSettings(min_scene_seconds=0.1)) == [(30, "cut"), (34, "cut")]


def test_a_short_first_scene_is_kept_when_the_cut_is_clear() -> None:
    assert boundaries(at_rate([*plain(60, 3), *plain(200, 30)])) == [(3, "cut")]


@pytest.mark.parametrize("count", [12, 16, 24, 40, 60])
def test_a_dissolve_opens_a_scene_at_its_midpoint(count: int) -> None:
    pictures = grain(blend(still(1, 100), still(2, 100), count), 3)

    finder, found = find_all(at_rate(pictures))
    [change] = finder.transitions
    assert change.kind == "dissolve"
    middle = Fraction(100 - count, 30) + Fraction(count, 60)
    assert [one.scene.boundary for one in found] == ["start", "transition"]
    assert abs(found[1].scene.start - middle) <= Fraction(3, 30)
    assert change.start <= middle <= change.end
    for pick in (found[0].picks[2], found[1].picks[0]):
        assert not change.start <= pick.frame.time < change.end


@pytest.mark.parametrize("rate", [24, 60, 120])
def test_a_dissolve_of_one_second_is_found_at_any_rate(rate: int) -> None:
    pictures = blend(still(1, 2 * rate), still(2, 2 * rate), rate)

    [(start, boundary)] = boundaries(at_rate(pictures, rate))
    assert boundary == "transition"
    assert abs(start - 3 * rate / 2) <= rate / 8


def test_a_dissolve_between_moving_pictures_is_found() -> None:
    pictures = blend(drifting(1, 80), drifting(2, 80), 20)

    [(start, boundary)] = boundaries(at_rate(pictures))
    assert boundary == "transition"
    assert abs(start - 70) <= 3


def test_fades_at_the_ends_are_transitions_without_a_boundary() -> None:
    pictures = blend(blend(plain(BLACK, 30), moving(1, 90), 24), plain(BLACK, 30), 24)

    finder, found = find_all(at_rate(pictures))
    assert [change.kind for change in finder.transitions] == ["fade", "fade"]
    [only] = found
    first, _, last = (pick.frame.time for pick in only.picks)
    assert first >= finder.transitions[0].end
    assert last < finder.transitions[1].start


def test_a_dip_to_black_is_one_transition_and_one_boundary() -> None:
    out = blend(moving(1, 60), plain(BLACK, 26), 20)
    pictures = [*out, *blend(plain(BLACK, 20), moving(2, 80), 20)]

    finder, found = find_all(at_rate(pictures))
    [change] = finder.transitions
    assert change.kind == "fade"
    assert [one.scene.boundary for one in found] == ["start", "transition"]
    assert change.start < found[1].scene.start < change.end


def test_a_fade_beside_a_cut_belongs_to_the_cut() -> None:
    into_cut = [*blend(moving(1, 60), plain(BLACK, 26), 20), *moving(2, 60)]
    from_cut = [*moving(1, 60), *blend(plain(BLACK, 26), moving(2, 80), 20)]

    assert boundaries(at_rate(into_cut)) == [(66, "cut")]
    assert boundaries(at_rate(from_cut)) == [(60, "cut")]
    assert [change.kind for change in find_all(at_rate(into_cut))[0].transitions] == ["fade"]
    assert [change.kind for change in find_all(at_rate(from_cut))[0].transitions] == ["fade"]


def test_black_held_for_long_is_a_scene() -> None:
    pictures = blend(blend(moving(1, 60), plain(BLACK, 130), 20), moving(2, 80), 20)

    _, found = find_all(at_rate(pictures))
    assert [one.scene.boundary for one in found] == ["start", "transition", "transition"]
    assert "nearly black" in found[1].picks[1].selection_reason


def test_transitions_can_be_turned_off() -> None:
    pictures = blend(still(1, 60), still(2, 60), 24)

    finder, found = find_all(at_rate(pictures), SceneSettings(transitions=False))
    assert len(found) == 1
    assert finder.transitions == ()


def flash(pictures: list[Picture], at: int, count: int) -> list[Picture]:
    """The same pictures with a white flash over some frames."""
    lit = [np.minimum(picture + np.array([170, 0, 0])[:, None, None], 255) for picture in pictures]
    return [*pictures[:at], *lit[at : at + count], *pictures[at + count :]]


def zoom(seed: int, count: int) -> list[Picture]:
    """A camera that comes nearer."""
    wide = scenery(seed, 288, 512)
    result = []
    for index in range(count):
        size = 1 - 0.7 * index / count
        rows = (144 + (np.arange(72) - 36) * 4 * size).astype(int)
        columns = (256 + (np.arange(128) - 64) * 4 * size).astype(int)
        result.append(wide[:, rows][:, :, columns])
    return result


def darker(pictures: list[Picture]) -> list[Picture]:
    """A light that goes down to two fifths and up again."""
    count = len(pictures)
    gains = [1 - 0.6 * np.sin(np.pi * index / count) for index in range(count)]
    return [
        np.stack([gain * picture[0], *picture[1:]]) for gain, picture in zip(gains, pictures, strict=True)
    ]


def titled(pictures: list[Picture]) -> list[Picture]:
    """A title that fades in over a tenth of the picture."""
    result = []
    for index, picture in enumerate(pictures):
        weight = min(max((index - 40) / 20, 0), 1)
        copy = picture.copy()
        copy[:, 30:42, 30:98] = (1 - weight) * copy[:, 30:42, 30:98] + weight * np.array([235, 128, 128])[
            :, None, None
        ]
        result.append(copy)
    return result


def on_threes(pictures: list[Picture]) -> list[Picture]:
    """Each picture held for three frames, as in drawn animation."""
    return [pictures[3 * (index // 3)] for index in range(len(pictures))]


ONE_SCENE = {
    "static": still(1, 120),
    "black": plain(BLACK, 120),
    "static with grain": grain(still(1, 120), 12),
    "noise": noise(120),
    "pan": moving(2, 120, 2),
    "fast pan": moving(2, 120, 6),
    "zoom": zoom(3, 120),
    "flash of one frame": flash(moving(1, 120), 60, 1),
    "flash of three frames": flash(still(1, 120), 60, 3),
    "three flashes": flash(flash(flash(moving(1, 120), 40, 1), 50, 2), 60, 1),
    "light": darker(drifting(1, 120)),
    "light on a still": darker(still(1, 120)),
    "title": titled(still(1, 120)),
    "animation on threes": on_threes(moving(2, 121, 4)),
}


@pytest.mark.parametrize("name", ONE_SCENE)
def test_one_scene_stays_one_scene(name: str) -> None:
    finder, found = find_all(at_rate(ONE_SCENE[name]))

    assert starts(found) == []
    assert finder.transitions == ()


def test_a_burst_of_flashes_is_no_scene() -> None:
    pictures = still(1, 90)
    for at, count in ((30, 1), (32, 2), (35, 1), (60, 3)):
        pictures = flash(pictures, at, count)

    assert boundaries(at_rate(pictures)) == []


def test_what_comes_back_within_a_quarter_of_a_second_is_no_scene() -> None:
    insert = [*still(1, 30), *still(2, 6), *still(1, 30)]
    longer = [*still(1, 30), *still(2, 9), *still(1, 30)]

    assert boundaries(at_rate(insert)) == []
    assert boundaries(at_rate(longer)) == [(30, "cut"), (39, "cut")]


def test_a_weak_cut_is_found_where_nothing_moves_and_the_picture_is_new() -> None:
    def dim(pictures: list[Picture], share: float) -> list[Picture]:
        black = np.array([16, 128, 128])[:, None, None]
        return [black + (picture - black) * share for picture in pictures]

    by_night = dim([*still(1, 30), *still(2, 30)], 0.25)
    lit = [*still(1, 30), *dim(still(1, 30), 0.9)]

    assert boundaries(at_rate(by_night)) == [(30, "cut")]
    assert boundaries(at_rate(lit)) == []


def test_a_dissolve_between_cameras_that_move_is_found() -> None:
    def pan(seed: int) -> list[Picture]:
        return [window(scenery(seed, 72, 384), index // 2) for index in range(90)]

    [(start, boundary)] = boundaries(at_rate(blend(pan(3), pan(4), 24)))
    assert boundary == "transition"
    assert 66 <= start <= 90


def test_a_flash_may_last_longer_where_frames_are_short() -> None:
    assert boundaries(at_rate(flash(still(1, 240), 120, 10), 120)) == []


def test_a_very_slow_change_is_no_edit() -> None:
    finder, found = find_all(at_rate(blend(still(1, 320), still(2, 320), 300)))

    assert starts(found) == []
    assert finder.transitions == ()


def test_a_blend_with_cuts_inside_opens_one_scene() -> None:
    pictures = blend(still(1, 60), still(2, 60), 24)
    pictures[48:] = pictures[51:] + pictures[-3:]
    settings = SceneSettings(threshold=1.0)
    alone = SceneSettings(threshold=1.0, transitions=False)

    assert boundaries(at_rate(pictures), alone) == [(48, "cut")]
    finder, found = find_all(at_rate(pictures), settings)
    [start] = starts(found)
    [change] = finder.transitions
    assert change.start <= found[1].scene.start <= change.end
    assert 36 <= start <= 60


def test_the_detectors_of_pyscenedetect_know_no_blends() -> None:
    frames = at_rate(blend(still(1, 60), still(2, 60), 24))

    for detector in ("content", "psd-adaptive"):
        finder, found = find_all(frames, SceneSettings(detector=detector))
        assert (starts(found), finder.transitions) == ([], ())


def as_thumbs(pictures: list[Picture]) -> np.ndarray:
    """Rows of thumbs, as the ring holds them."""
    return np.array([make_thumb(to_planes(picture)).reshape(-1) for picture in pictures], np.float64)


def test_a_blend_has_weights_and_a_wipe_has_none() -> None:
    before, after = still(1, 13), still(2, 13)
    wipe = [
        np.concatenate((b[:, :, : 10 * index], a[:, :, 10 * index :]), axis=2)
        for index, (a, b) in enumerate(zip(before, after, strict=True))
    ]

    weights = blend_weights(as_thumbs(blend(before, after, 11)[1:14]))
    assert weights is not None
    assert weights == pytest.approx(np.arange(13) / 12, abs=0.01)
    assert blend_weights(as_thumbs(wipe)) is None
    assert blend_weights(as_thumbs(before)) is None


def test_content_merges_a_burst_at_its_last_change() -> None:
    pictures = [*still(1, 30), *still(2, 30), *still(3, 3), *still(4, 3), *still(5, 3), *still(6, 30)]
    settings = SceneSettings(detector="content", min_scene_seconds=0.25)

    assert boundaries(at_rate(pictures), settings) == [(30, "cut"), (60, "cut")]
    burst = [*still(1, 30), *still(2, 3), *still(3, 4), *still(4, 4), *still(5, 30)]
    assert boundaries(at_rate(burst), settings) == [(30, "cut"), (41, "cut")]


def test_intervals_fall_on_frames_and_leave_gaps_alone() -> None:
    planes = to_planes(still(1, 1)[0])
    times = [Fraction(0), Fraction(1), Fraction(2), Fraction(9), Fraction(10), Fraction(11)]
    frames = [DrawnFrame(index, time, planes) for index, time in enumerate(times)]

    settings = SceneSettings(detector="interval", interval_seconds=2.0, max_scene_seconds=None)
    assert boundaries(frames, settings) == [(2, "split"), (3, "split"), (4, "split")]


def test_no_detector_means_one_scene() -> None:
    frames = at_rate([*still(1, 30), *still(2, 30)])

    assert boundaries(frames, SceneSettings(detector="none")) == []


def test_a_change_of_size_is_compared_all_the_same() -> None:
    small = [picture[:, ::2, ::2] for picture in still(1, 20)]
    frames = at_rate([*still(1, 20), *small, *still(2, 20)])

    assert boundaries(frames) == [(40, "cut")]


def test_the_threshold_is_the_users() -> None:
    frames = at_rate([*plain(100, 30), *plain(140, 30)])

    assert boundaries(frames) == [(30, "cut")]
    assert boundaries(frames, SceneSettings(threshold=20.0, transitions=False)) == []
