"""What holds for any sequence of frames and any settings."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scenes_pictures import DrawnFrame, end_of, to_planes

from corridor_cli.records import Role
from corridor_cli.scenes.candidates import MAX_HELD
from corridor_cli.scenes.find import FoundScene, SceneFinder
from corridor_cli.scenes.gaps import is_closer
from corridor_cli.scenes.pinned import MAX_SUSPECTS
from corridor_cli.settings import FrameSettings, SceneSettings

RANDOM = np.random.default_rng(7)
# A few pictures of two sizes to draw from: textured, plain, black, white.
PALETTE = [
    *(RANDOM.uniform(0, 255, (3, 1, 1)) + RANDOM.normal(0, 30, (3, 24, 40)) for _ in range(5)),
    *(np.full((3, 24, 40), float(level)) for level in (0, 16, 128, 255)),
    RANDOM.uniform(0, 255, (3, 5, 9)),
    RANDOM.uniform(0, 255, (3, 1, 1)),
]

seconds = st.floats(0.001, 5.0)
scene_settings = st.builds(
    SceneSettings,
    detector=st.sampled_from(["adaptive", "content", "psd-adaptive", "interval", "none"]),
    threshold=st.none() | st.floats(0.5, 60),
    min_scene_seconds=st.none() | st.just(0.0) | seconds,
    max_scene_seconds=st.none() | seconds,
    interval_seconds=seconds,
    transitions=st.booleans(),
)
frame_settings = st.builds(
    FrameSettings, inset_seconds=st.floats(0, 3), duplicate_threshold=st.just(0.0) | st.floats(0, 20)
)


@st.composite
def frame_runs(draw: st.DrawFn) -> list[DrawnFrame]:
    """Runs of one picture or of a blend between two, with constant or wildly varying frame times."""
    runs = draw(
        st.lists(
            st.tuples(st.integers(0, len(PALETTE) - 1), st.integers(0, len(PALETTE) - 1), st.integers(1, 45)),
            min_size=1,
            max_size=8,
        )
    )
    gaps = draw(
        st.sampled_from([[1], [2], [1, 2], [1, 1, 7], [5, 1, 120, 1, 1], [300], [1, 1, 1, 1, 1, 1, 400]])
    )
    frames: list[DrawnFrame] = []
    time = Fraction(0)
    for first, second, count in runs:
        before, after = PALETTE[first], PALETTE[second]
        for step in range(count):
            picture = before
            if before.shape == after.shape:
                weight = step / count
                picture = (1 - weight) * before + weight * after
            frames.append(DrawnFrame(len(frames), time, to_planes(picture)))
            time += Fraction(gaps[len(frames) % len(gaps)], 30)
    return frames


def found_in(frames: Sequence[DrawnFrame], finder: SceneFinder) -> list[FoundScene]:
    """All scenes, with a look at the held frames after each push."""
    found: list[FoundScene] = []
    for frame in frames:
        found += finder.push([frame])
        held = finder.held_frames
        assert len(held) <= MAX_HELD + MAX_SUSPECTS
        assert held[-1] is frame
    return found + finder.finish(end_of(frames))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(frame_runs(), scene_settings, frame_settings)
def test_scenes_are_contiguous_and_picks_lie_inside_in_order(
    frames: list[DrawnFrame], scenes: SceneSettings, picks: FrameSettings
) -> None:
    finder = SceneFinder(scenes, picks)
    found = found_in(frames, finder)

    assert [one.scene.index for one in found] == list(range(len(found)))
    assert found[0].scene.start == 0
    assert found[0].scene.start_frame == 0
    assert found[0].scene.boundary == "start"
    assert found[-1].scene.end == end_of(frames)
    assert found[-1].scene.end_frame == len(frames)
    for before, after in pairwise(found):
        assert before.scene.end == after.scene.start == frames[after.scene.start_frame].time
        assert before.scene.end_frame == after.scene.start_frame
        assert after.scene.boundary in ("cut", "transition", "split")
    for one in found:
        check_picks(one, picks)
    changes = finder.transitions
    assert all(0 <= change.start < change.end <= end_of(frames) for change in changes)
    assert list(changes) == sorted(changes, key=lambda change: change.start)


def check_picks(found: FoundScene, settings: FrameSettings) -> None:
    """Three picks inside their scene, ascending in time; duplicates point at what has a caption."""
    scene = found.scene
    assert scene.start < scene.end
    assert scene.start_frame < scene.end_frame
    assert [pick.role for pick in found.picks] == [Role.FIRST, Role.REPRESENTATIVE, Role.LAST]
    times = [pick.frame.time for pick in found.picks]
    assert times == sorted(times)
    assert scene.start <= times[0]
    assert times[-1] < scene.end
    by_role = {pick.role: pick for pick in found.picks}
    assert by_role[Role.REPRESENTATIVE].duplicate_of is None
    captioned = [pick.frame.index for pick in found.picks if pick.duplicate_of is None]
    assert len(set(captioned)) == len(captioned)
    for pick in found.picks:
        assert pick.selection_reason
        if pick.duplicate_of is not None:
            assert by_role[pick.duplicate_of].duplicate_of is None


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(frame_runs(), scene_settings, frame_settings)
def test_the_same_frames_give_the_same_scenes(
    frames: list[DrawnFrame], scenes: SceneSettings, picks: FrameSettings
) -> None:
    one, other = (found_in(frames, SceneFinder(scenes, picks)) for _ in range(2))

    assert [(found.scene, found.picks) for found in one] == [(found.scene, found.picks) for found in other]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(frame_runs(), scene_settings, st.integers(1, 200))
def test_scenes_before_a_broken_end_stay_what_they_were(
    frames: list[DrawnFrame], scenes: SceneSettings, count: int
) -> None:
    finder = SceneFinder(scenes, FrameSettings())
    early = [found for frame in frames[:count] for found in finder.push([frame])]
    early_scenes = [found.scene for found in early]
    whole = found_in(frames, SceneFinder(scenes, FrameSettings()))

    assert early_scenes == [found.scene for found in whole][: len(early)]
    rest = finder.finish(end_of(frames[:count]))
    assert rest[-1].scene.end == end_of(frames[:count])


times = st.fractions(min_value=-(10**6), max_value=10**6, max_denominator=10**6)


@given(times, times, times)
def test_gaps_are_compared_as_fractions_are(earlier: Fraction, later: Fraction, gap: Fraction) -> None:
    assert is_closer(earlier, later, gap) is (later - earlier < gap)
    assert is_closer(earlier, later, later - earlier) is False
