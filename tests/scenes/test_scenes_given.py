"""Cuts that are given: each opens a scene at the nearest frame, whatever the rate and the pictures are."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes_pictures import (
    DrawnFrame,
    at_rate,
    blend,
    end_of,
    find_all,
    moving,
    plain,
    run,
    starts,
    still,
    to_planes,
)

from corridor_cli.errors import CutFileError
from corridor_cli.records import Cut, GivenCuts
from corridor_cli.scenes.candidates import MAX_HELD
from corridor_cli.scenes.find import FoundScene, SceneFinder
from corridor_cli.scenes.given import MAX_WAITING
from corridor_cli.settings import FrameSettings, SceneSettings

FILE = SceneSettings(detector="file")
BLACK = 16.0


def find(
    frames: Sequence[DrawnFrame], cuts: Sequence[Fraction | int], scenes: SceneSettings = FILE
) -> tuple[SceneFinder, list[FoundScene]]:
    """What is found with cuts at these times; a whole number is the index of a frame."""
    rows = [
        Cut(f"line {line}", None, cut) if isinstance(cut, int) else Cut(f"line {line}", cut)
        for line, cut in enumerate(cuts, 1)
    ]
    finder = SceneFinder(scenes, FrameSettings(), cuts=GivenCuts("cuts.csv", tuple(rows)))
    found: list[FoundScene] = []
    for frame in frames:
        found += finder.push([frame])
        assert len(finder.held_frames) <= MAX_HELD + MAX_WAITING + 4
    return finder, found + finder.finish(end_of(frames))


def nearest(frames: Sequence[DrawnFrame], cut: Fraction | int) -> int:
    """The index of the frame that is nearest; past the middle of the last frame it is the end."""
    if isinstance(cut, int):
        return cut
    return min(
        range(len(frames) + 1),
        key=lambda i: abs(cut - (frames[i].time if i < len(frames) else end_of(frames))),
    )


PLANES = to_planes(still(1, 1)[0])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_cut_opens_a_scene_at_the_nearest_frame(data: st.DataObject) -> None:
    steps = data.draw(st.lists(st.integers(1, 90), min_size=1, max_size=150))
    times = [Fraction(sum(steps[:count]), 1000) for count in range(len(steps))]
    frames = [DrawnFrame(index, time, PLANES) for index, time in enumerate([t - times[0] for t in times])]
    longest = int(1000 * end_of(frames))
    cut = st.integers(0, longest).map(lambda ms: Fraction(ms, 1000)) | st.integers(0, len(frames) - 1)
    cuts = data.draw(st.lists(cut, max_size=40))
    finder, found = find(frames, cuts, SceneSettings(detector="file", transitions=data.draw(st.booleans())))
    expected = sorted({nearest(frames, each) for each in cuts} - {0, len(frames)})
    assert starts(found) == expected
    assert {one.scene.boundary for one in found[1:]} <= {"file"}
    assert finder.cut_notes() == ()


def test_scenes_of_one_frame_are_kept_at_any_rate() -> None:
    frames = at_rate(moving(1, 240), 120)
    cuts = [*range(60, 75), 150, 151]
    _, found = find(frames, cuts)
    assert starts(found) == cuts
    one = found[3]
    assert {pick.frame.index for pick in one.picks} == {one.scene.start_frame}


@pytest.mark.parametrize("shift", [-3, 0, 4])
def test_picks_keep_out_of_a_dissolve_around_a_given_cut(shift: int) -> None:
    pictures = blend(still(1, 100), still(2, 100), 24)
    finder, found = find(at_rate(pictures), [Fraction(88 + shift, 30)])
    [change] = finder.transitions
    assert change.kind == "dissolve"
    assert starts(found) == [88 + shift]
    for pick in (found[0].picks[2], found[1].picks[0]):
        assert not change.start <= pick.frame.time < change.end


def test_transitions_open_no_scene_of_their_own() -> None:
    fades = blend(blend(plain(BLACK, 30), moving(1, 90), 24), plain(BLACK, 130), 24)
    pictures = [*blend(fades, moving(2, 80), 20), *moving(3, 30)]
    frames = at_rate(pictures)
    finder, found = find(frames, [])
    assert starts(found) == []
    ours, others = find_all(frames)
    assert len(others) > 1
    assert [change.kind for change in finder.transitions] == ["fade"] * len(finder.transitions)
    assert finder.transitions[0] == ours.transitions[0]


def test_given_scenes_are_not_split() -> None:
    frames = at_rate(still(1, 300), 10)
    _, found = find(frames, [Fraction(1)], SceneSettings(detector="file", max_scene_seconds=2.0))
    assert starts(found) == [10]


def test_cuts_behind_the_end_are_told_and_all_of_them_are_refused() -> None:
    frames = at_rate(still(1, 50), 25)
    finder, found = find(frames, [Fraction(1), Fraction(2), Fraction(3), 50, 51])
    assert starts(found) == [25]
    (note,) = finder.cut_notes()
    assert note == "cuts.csv: 2 cuts lie behind the video's end at 2.000 s; the first is 3.000 s (line 3)"
    finder, _ = find(frames, [Fraction(1), Fraction(10**99)])
    assert finder.cut_notes()[0].endswith("; the first is 1e+99 s (line 2)")
    for first in (Fraction(29), Fraction(0)):  # every list of scenes has a row for the first one
        finder, _ = find(frames, [first, Fraction(30), 70])
        with pytest.raises(
            CutFileError, match=r"behind the video's end at 2\.000 s; .*, and none lies before"
        ):
            finder.cut_notes()
    for harmless in ([Fraction(0)], [0], [Fraction(2)], []):
        finder, found = find(frames, harmless)
        assert (finder.cut_notes(), starts(found)) == ((), [])


def test_the_same_frames_give_the_same_scenes() -> None:
    frames = at_rate(moving(1, 90))
    given = GivenCuts("cuts.csv", (Cut("line 1", Fraction(1)), Cut("line 2", None, 70)))
    one, other = (list(run(SceneFinder(FILE, FrameSettings(), cuts=given), frames)) for _ in range(2))
    assert [each.scene for each in one] == [each.scene for each in other]
