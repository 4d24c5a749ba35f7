"""Which frames are picked, what is split, and how much is held."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from scenes_pictures import (
    WIDTH,
    DrawnFrame,
    Picture,
    at_rate,
    blend,
    drifting,
    end_of,
    find_all,
    moving,
    plain,
    scenery,
    starts,
    still,
    to_planes,
    window,
)

from corridor_cli.hosts.blocks import in_blocks
from corridor_cli.records import Planes, Role, Scene, Transition
from corridor_cli.scenes.candidates import MAX_HELD, Candidate
from corridor_cli.scenes.find import SceneFinder
from corridor_cli.scenes.picking import pick_frames
from corridor_cli.scenes.pinned import MAX_SUSPECTS
from corridor_cli.scenes.thumbs import SCALE, look_distance, make_thumb
from corridor_cli.settings import FrameSettings, SceneSettings


def test_one_frame_fills_all_roles_once() -> None:
    [frame] = frames = at_rate(still(1, 1))

    _, [only] = find_all(frames, end=Fraction(1, 25))
    assert only.scene.end == Fraction(1, 25)
    assert [pick.frame for pick in only.picks] == [frame] * 3
    assert [pick.duplicate_of for pick in only.picks] == [Role.REPRESENTATIVE, None, Role.REPRESENTATIVE]
    assert only.picks[1].selection_reason == "middle frame: the only candidate"


def test_two_frames_are_one_scene_or_two() -> None:
    _, [alike] = find_all(at_rate(moving(1, 2)))
    _, apart = find_all(at_rate([*plain(40, 1), *plain(200, 1)]))

    assert [pick.frame.index for pick in alike.picks] in ([0, 0, 1], [0, 1, 1])
    assert [one.scene.boundary for one in apart] == ["start", "cut"]


def test_no_frames_are_no_scenes() -> None:
    finder = SceneFinder(SceneSettings(), FrameSettings())

    assert finder.finish(Fraction(0)) == []
    assert finder.transitions == ()


def test_first_and_last_are_inset_from_the_cuts() -> None:
    frames = at_rate([*moving(1, 60, 3), *moving(2, 60, 3), *moving(3, 60, 3)])

    _, (_, middle, _) = find_all(frames)
    first, representative, last = middle.picks
    assert first.frame.index == 63
    assert last.frame.index == 117
    assert 75 <= representative.frame.index <= 105
    assert first.selection_reason == "first good frame, 0.10 s after the cut"
    assert last.selection_reason == "last good frame, 0.10 s before the scene's end"


def test_the_inset_follows_the_setting_and_leaves_short_scenes_a_middle() -> None:
    frames = at_rate([*moving(1, 60, 3), *moving(2, 60, 3)])

    _, (scene, _) = find_all(frames, picks=FrameSettings(inset_seconds=0.5))
    assert scene.picks[0].frame.index == 15
    assert 42 <= scene.picks[2].frame.index <= 45
    _, (scene, _) = find_all(frames, picks=FrameSettings(inset_seconds=100.0))
    assert 15 <= scene.picks[0].frame.index <= scene.picks[2].frame.index <= 45


def test_the_representative_is_sharp() -> None:
    picture = window(scenery(1), 0)
    fine = np.where(np.indices(picture.shape).sum(axis=0) % 2, 6.0, -6.0)
    pictures = [picture + (fine if index == 31 else fine / 3) for index in range(64)]

    _, [scene] = find_all(at_rate(pictures))
    representative = scene.picks[1]
    assert representative.frame.index == 31
    assert representative.selection_reason.startswith("sharpest of ")


def test_a_short_scene_after_a_long_one_is_looked_at_closely() -> None:
    picture = window(scenery(2), 0)
    fine = np.where(np.indices(picture.shape).sum(axis=0) % 2, 6.0, -6.0)
    short = [picture + (fine if index == 7 else fine / 3) for index in range(15)]

    _, (_, scene, _) = find_all(at_rate([*moving(1, 500), *short, *moving(3, 30)]))
    assert scene.scene.start_frame == 500
    assert scene.picks[1].frame.index == 507


def test_first_comes_soon_after_a_fade_in_however_long_the_scene() -> None:
    frames = at_rate(blend(plain(16, 70), drifting(1, 700), 60))

    finder, [scene] = find_all(frames)
    [fade] = finder.transitions
    assert Fraction(1, 10) <= scene.picks[0].frame.time - fade.end <= Fraction(1, 5)


def test_black_frames_are_passed_over_unless_there_is_nothing_else() -> None:
    leader = [*plain(16, 20), *moving(1, 100)]
    settings = SceneSettings(detector="none")

    _, [scene] = find_all(at_rate(leader), settings)
    assert 20 <= scene.picks[0].frame.index <= 22
    _, [black] = find_all(at_rate(plain(16, 100)), settings)
    _, [white] = find_all(at_rate(plain(235, 100)), settings)
    _, [red] = find_all(at_rate(plain(81, 100, 90, 240)), settings)
    reasons = [scene.picks[1].selection_reason for scene in (black, white, red)]
    assert reasons == [
        "middle frame: every candidate is nearly black",
        "middle frame: every candidate is nearly white",
        "middle frame: every candidate is one colour",
    ]
    assert abs(black.picks[1].frame.index - 50) <= 8


def test_near_duplicates_share_the_representative() -> None:
    frames = at_rate(still(1, 60))

    _, [scene] = find_all(frames)
    assert [pick.duplicate_of for pick in scene.picks] == [Role.REPRESENTATIVE, None, Role.REPRESENTATIVE]
    _, [scene] = find_all(at_rate(moving(1, 90, 2)))
    assert [pick.duplicate_of for pick in scene.picks] == [None, None, None]


def test_last_may_share_the_first() -> None:
    away = moving(4, 60, 2)
    there_and_back = [*away[:1] * 20, *away, *reversed(away), *away[:1] * 20]

    _, [scene] = find_all(at_rate(there_and_back), SceneSettings(detector="none"))
    assert [pick.duplicate_of for pick in scene.picks] == [None, None, Role.FIRST]


def test_distance_of_looks_is_a_mean_over_all_planes() -> None:
    grey, lighter = (make_thumb(to_planes(plain(level, 1)[0])) for level in (100, 103))
    tinted = make_thumb(to_planes(plain(100, 1, u=130, v=124)[0]))

    assert look_distance(grey, lighter) == 3.0
    assert look_distance(grey, tinted) == 6.0


@pytest.mark.parametrize("shape", [(1, 1), (17, 300), (18, 32), (72, 128), (455, 256), (6000, 40)])
def test_thumbs_of_any_size_keep_the_mean(shape: tuple[int, int]) -> None:
    planes = to_planes(np.full((3, *shape), 77.0))

    thumb = make_thumb(planes)
    assert thumb.shape == (3, 18, 32)
    assert (thumb == 77 * 8).all()


@pytest.mark.parametrize("shape", [(53, 128), (27, 64), (18, 32), (19, 33), (5, 200), (256, 7), (1, 1)])
def test_thumbs_are_means_over_all_of_the_picture(shape: tuple[int, int]) -> None:
    planes = to_planes(np.random.default_rng(4).uniform(0, 255, (3, *shape)))

    for plane, thumb in zip(planes, make_thumb(planes), strict=True):
        height, width = plane.shape
        tall, wide = -(-height // 18) * 18, -(-width // 32) * 32
        whole = np.array(
            [[plane[y * height // tall, x * width // wide] for x in range(wide)] for y in range(tall)]
        )
        boxes = whole.reshape(18, tall // 18, 32, wide // 32).mean(axis=(1, 3))
        assert np.abs(thumb / 8 - boxes).max() <= 1 / 16
        assert {*plane.reshape(-1)} == {*whole.reshape(-1)}, "nothing is left out"


@pytest.mark.parametrize("num_rows", [256, 257, 258, 300])
def test_boxes_of_many_white_rows_are_white(num_rows: int) -> None:
    """Up to 257 of them are summed in 16 bits."""
    white = np.full((18 * num_rows, 32), 255, np.uint8)
    thumb = make_thumb(Planes(white, white[::2, ::2], white[::2, ::2]))
    assert (thumb == 255 * SCALE).all()


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    planes = to_planes(np.random.default_rng(3).uniform(0, 255, (3, 20, 30)))
    luma = planes.y.astype(float)
    laplacian = 4 * luma[1:-1, 1:-1] - luma[:-2, 1:-1] - luma[2:, 1:-1] - luma[1:-1, :-2] - luma[1:-1, 2:]

    candidate = Candidate(DrawnFrame(0, Fraction(0), planes), 0, Fraction(0), make_thumb(planes), 0)
    assert candidate.sharpness == pytest.approx(laplacian.var())


def long_run(seconds: int, rate: int = 10) -> list[DrawnFrame]:
    """A picture that hardly changes."""
    picture = to_planes(still(1, 1)[0])
    return [DrawnFrame(index, Fraction(index, rate), picture) for index in range(seconds * rate)]


@pytest.mark.parametrize(
    ("length", "parts"),
    [(9, [9]), (10, [10]), (12, [6, 6]), (20, [10, 10]), (23, [10, 6.5, 6.5]), (47, [10, 10, 10, 8.5, 8.5])],
)
@pytest.mark.parametrize("transitions", [True, False])
def test_long_scenes_are_split_evenly(length: int, parts: list[float], transitions: bool) -> None:
    settings = SceneSettings(max_scene_seconds=10.0, transitions=transitions)

    _, found = find_all(long_run(length), settings)
    assert [float(one.scene.end - one.scene.start) for one in found] == parts
    assert [one.scene.boundary for one in found] == ["start"] + ["split"] * (len(parts) - 1)


def test_a_long_scene_comes_out_in_parts_before_it_ends_and_holds_little() -> None:
    finder = SceneFinder(SceneSettings(max_scene_seconds=10.0), FrameSettings())
    num_found = 0
    for frame in long_run(300):
        num_found += len(finder.push([frame]))
        assert len(finder.held_frames) <= MAX_HELD
    assert num_found == 28
    assert MAX_HELD <= 34


@pytest.mark.parametrize(
    ("seeds", "lengths", "rate", "max_scene"),
    [
        ((6, 2), (39, 56, 27), 1, 2.0),
        ((8, 1), (65, 63, 36), 1, 2.0),
        ((7, 1), (67, 33, 25), 1, 1.0),
        ((1, 5), (55, 59, 15), 2, 2.0),
        ((3, 2), (59, 68, 17), 2, 1.0),
    ],
)
def test_each_part_of_a_scene_whose_end_is_told_late_has_its_picks(
    seeds: tuple[int, int], lengths: tuple[int, int, int], rate: int, max_scene: float
) -> None:
    """At a picture a second a dissolve is told half a minute later; then what goes before it is split."""
    before, after, count = lengths
    frames = at_rate(blend(still(seeds[0], before), still(seeds[1], after), count), rate)
    finder = SceneFinder(SceneSettings(max_scene_seconds=max_scene), FrameSettings())
    found = [each for frame in frames for each in finder.push([frame])]
    found += finder.finish(Fraction(len(frames), rate))
    assert found[0].scene.start == 0
    assert found[-1].scene.end_frame == len(frames)
    for before, after in pairwise(found):
        assert before.scene.end_frame == after.scene.start_frame
    for each in found:
        inside = [
            pick.frame.index in range(each.scene.start_frame, each.scene.end_frame) for pick in each.picks
        ]
        assert inside == [True] * 3


@pytest.mark.parametrize(
    ("size", "bytes_per_pixel", "most"),
    [
        ((1920, 1080), 1.5, MAX_HELD),
        ((1920, 1080), 3, MAX_HELD),
        ((3840, 2160), 1.5, 15),
        ((3840, 2160), 3, 7),
        ((7680, 4320), 1.5, 7),
    ],
)
@pytest.mark.parametrize("max_scene", [None, 10.0])
def test_of_large_pictures_few_are_held_and_each_scene_has_its_picks(
    size: tuple[int, int], bytes_per_pixel: float, most: int, max_scene: float | None
) -> None:
    finder = SceneFinder(SceneSettings(max_scene_seconds=max_scene), FrameSettings())
    pictures = at_rate([*moving(1, 400), *moving(2, 90)])
    frames = [replace(frame, size_px=size, bytes_per_pixel=bytes_per_pixel) for frame in pictures]
    found = []
    for frame in frames:
        found += finder.push([frame])
        assert len(finder.held_frames) <= most
    found += finder.finish(end_of(frames))
    assert "cut" in [each.scene.boundary for each in found]
    for each, boundary_behind in zip(
        found, [*(scene.scene.boundary for scene in found[1:]), "end"], strict=True
    ):
        roles = [pick.role for pick in each.picks]
        assert roles == ["first", "representative", "last"]
        inside = [each.scene.start <= pick.frame.time < each.scene.end for pick in each.picks]
        assert all(inside)
        first, middle, last = (pick.frame.time for pick in each.picks)
        if each.scene.boundary != "split":
            assert first - each.scene.start <= Fraction(1, 4)
        if max_scene is None:
            # Not beside one of the ends, as the very first frame would be.
            assert min(middle - first, last - middle) >= (each.scene.end - each.scene.start) / 10
        # A split is settled when the frames before it are gone but for those spread over the scene.
        if boundary_behind != "split":
            assert each.scene.end - last <= Fraction(2, 5)


def found_at_sizes(story: list[Picture], rate: int, least: float | None) -> list[list[int]]:
    """Where scenes start in the same story at 720p, of which all is held, and in 4K of 10 bits."""
    found = []
    for size, bytes_per_pixel in [((1280, 720), 1.5), ((3840, 2160), 3.0)]:
        frames = [
            replace(frame, size_px=size, bytes_per_pixel=bytes_per_pixel) for frame in at_rate(story, rate)
        ]
        finder = SceneFinder(SceneSettings(min_scene_seconds=least), FrameSettings())
        blocks = in_blocks(iter(frames), finder.keeper, 1)
        scenes = [scene for block in blocks for scene in finder.push(block)] + finder.finish(end_of(frames))
        found.append(starts(scenes))
    return found


@pytest.mark.parametrize("rate", [1, 2, 4, 5, 10, 25, 60])
@pytest.mark.parametrize("least", [None, 0.0])
@pytest.mark.parametrize(
    "lengths",
    [(41, 1, 30), (40, 2, 30), (37, 3, 30), (46, 1, 1, 30), (43, 1, 2, 1, 30), (40, 8, 30), (2, 30)],
    ids=str,
)
def test_no_scene_is_lost_because_few_pictures_are_held(
    rate: int, least: float | None, lengths: tuple[int, ...]
) -> None:
    story = [picture for seed, length in enumerate(lengths) for picture in moving(seed, length, 3)]
    many, few = found_at_sizes(story, rate, least)
    assert many == few


@pytest.mark.parametrize("rate", [2, 5, 12])
@pytest.mark.parametrize("first", [9, 12, 20])
def test_no_scene_is_lost_that_ends_in_a_dissolve_told_late(rate: int, first: int) -> None:
    story = [*plain(120, 5), *blend(still(3, first), still(4, 40), 9)]
    many, few = found_at_sizes(story, rate, None)
    assert len(many) == 2
    assert many == few


def test_in_quick_motion_no_more_pictures_are_held() -> None:
    rng = np.random.default_rng(1)
    wide = scenery(1, 72, 4 * WIDTH)
    shaken = [window(wide, int(left)) for left in rng.integers(0, 3 * WIDTH, 300)]
    finder = SceneFinder(SceneSettings(min_scene_seconds=0.0), FrameSettings())
    for frame in at_rate(shaken, 60):
        finder.push([replace(frame, size_px=(3840, 2160), bytes_per_pixel=3)])
        assert len(finder.held_frames) <= 7 + MAX_SUSPECTS


def test_scenes_come_out_soon_after_a_cut() -> None:
    frames = at_rate([*moving(1, 60), *moving(2, 60)])
    finder = SceneFinder(SceneSettings(), FrameSettings())

    out_at = [frame.index for frame in frames for _ in finder.push([frame])]
    assert out_at == [68]


def test_a_scan_that_breaks_off_closes_the_open_scene() -> None:
    frames = at_rate([*moving(1, 60), *moving(2, 60)])[:100]

    _, found = find_all(frames, end=Fraction(100, 30))
    assert [one.scene.end for one in found] == [2, Fraction(100, 30)]


def test_between_two_transitions_the_clearest_frame_is_picked() -> None:
    frames = at_rate(moving(1, 10), 25)
    candidates = [
        Candidate(frame, frame.index, frame.time, make_thumb(frame.planes), frame.index) for frame in frames
    ]
    scene = Scene(0, Fraction(0), Fraction(10, 25), 0, 10, "transition")
    covering = [
        Transition("dissolve", Fraction(-8, 25), Fraction(7, 25)),
        Transition("dissolve", Fraction(7, 25), Fraction(20, 25)),
    ]
    picks = pick_frames(scene, candidates, covering, inset=Fraction(1, 10), duplicate_threshold=3.0)
    assert [pick.frame.index for pick in picks] == [7, 7, 7]  # where one ends and the other begins
    assert "every candidate is inside a transition" in picks[1].selection_reason


def test_with_few_pictures_a_second_the_last_one_stays_at_the_end() -> None:
    frames = at_rate([*moving(1, 10, 3), *moving(2, 10, 3), *moving(3, 10, 3)], 5)
    _, found = find_all(frames)
    assert [one.picks[2].frame.index for one in found] == [9, 19, 29]
