"""Which pictures are kept: few, none before it is needed, and scenes are the same as with all of them."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from scenes_pictures import (
    DrawnFrame,
    at_rate,
    blend,
    end_of,
    find_all,
    moving,
    noise,
    plain,
    starts,
    still,
)

from corridor_cli.errors import DecodeError
from corridor_cli.hosts.blocks import MAX_TOGETHER, in_blocks
from corridor_cli.records import BareFrame, ScanFrame
from corridor_cli.scenes.candidates import PAST_GAP
from corridor_cli.scenes.find import FoundScene, SceneFinder
from corridor_cli.scenes.keeping import KEEP_SECONDS, SparsePictures
from corridor_cli.settings import FrameSettings, SceneSettings

INSET = Fraction(1, 10)


def encoded(frames: Sequence[DrawnFrame]) -> list[DrawnFrame]:
    """As an encoder gives them that sees scenes begin."""
    changes = [
        np.abs(after.planes.y.astype(int) - before.planes.y).mean() for before, after in pairwise(frames)
    ]
    return [
        replace(frame, is_intra=change > 15) for frame, change in zip(frames, [99, *changes], strict=True)
    ]


def kept(frames: Sequence[DrawnFrame]) -> list[int]:
    blocks = in_blocks(iter(frames), SparsePictures(INSET), 13)
    whole = [each.index for block in blocks for each in block if not isinstance(each, BareFrame)]
    return whole[:-1]  # the last frame of all is kept whatever it is


def find_thinned(
    frames: Sequence[DrawnFrame], max_kept: int = 13, settings: SceneSettings | None = None
) -> list[FoundScene]:
    """As a media worker does it."""
    finder = SceneFinder(settings or SceneSettings(), FrameSettings())
    found = [
        scene for block in in_blocks(iter(frames), finder.keeper, max_kept) for scene in finder.push(block)
    ]
    return found + finder.finish(end_of(frames))


def test_one_every_eighth_of_a_second_and_two_where_a_scene_may_begin() -> None:
    assert kept(at_rate(still(1, 50), 25)) == list(range(0, 50, 3))
    assert kept(at_rate(still(1, 120), 60)) == [0, *range(6, 120, 8)]
    frames = encoded(at_rate([*still(1, 60), *still(2, 60)], 30))
    assert [index for index in kept(frames) if 50 <= index <= 72] == [51, 55, 59, 60, 63, 67, 71]
    assert kept(at_rate(still(1, 20), 5)) == list(range(19))


def test_intra_pictures_alone_are_no_beginnings() -> None:
    frames = at_rate(still(1, 50), 25)
    assert kept([replace(frame, is_intra=True) for frame in frames]) == kept(frames)


STORIES = {
    "cuts": [*moving(1, 60, 3), *moving(2, 40, 3), *moving(3, 60)],
    "short first": [*moving(1, 7, 3), *moving(2, 60, 3)],
    "dissolve": blend(moving(1, 80), moving(2, 80), 20),
    "fade": [*blend(moving(1, 60), plain(16, 60), 15), *moving(2, 50)],
    "black between": [*moving(1, 60), *plain(16, 10), *moving(2, 60)],
    "flash": [*moving(1, 40), *plain(230, 2), *moving(1, 40)],
    "one frame": still(1, 1),
    "cut near the end": [*moving(1, 60), *moving(2, 3)],
    "noise": noise(80),
    "long": moving(1, 1800),
}


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("rate", [Fraction(12), Fraction(25), Fraction(60000, 1001)], ids=str)
@pytest.mark.parametrize("are_seen", [True, False], ids=["seen by the encoder", "not seen"])
def test_scenes_are_those_found_with_all_pictures(story: str, rate: Fraction, are_seen: bool) -> None:
    frames = at_rate(STORIES[story], rate)
    _, all_kept = find_all(frames)
    thinned = find_thinned(encoded(frames) if are_seen else frames)
    if story == "long":  # where a scene without a boundary is split hangs on the frames there are
        assert len(all_kept) == len(thinned)
        return
    assert [one.scene for one in thinned] == [one.scene for one in all_kept]
    for one, other in zip(thinned, all_kept, strict=True):
        first, middle, last = (pick.frame for pick in one.picks)
        assert one.scene.start_frame <= first.index <= middle.index <= last.index < one.scene.end_frame
        if "good" in other.picks[0].selection_reason:
            late = first.time - other.picks[0].frame.time
            assert late <= (0 if are_seen and one.scene.boundary == "cut" else KEEP_SECONDS) + 1 / rate
        # A fade to black that stays is told late: of what goes before it one is held every `PAST_GAP`.
        best = other.picks[-1].frame.time
        within = PAST_GAP if one.scene.end - best > 1 else KEEP_SECONDS
        assert best - last.time <= within + 1 / rate


def held(frames: Sequence[DrawnFrame], seconds: dict[int, Fraction]) -> list[DrawnFrame]:
    """The same frames, some of them shown for so much longer."""
    late, found = Fraction(0), []
    for frame in frames:
        found.append(replace(frame, time=frame.time + late))
        late += seconds.get(frame.index, Fraction(0))
    return found


@pytest.mark.parametrize("first", range(50, 58))
def test_a_scene_of_few_frames_of_which_one_is_held_is_not_lost(first: int) -> None:
    frames = at_rate([*moving(1, first), *moving(2, 3), *moving(3, 3), *moving(4, 50)], 50)
    frames = held(frames, {first + 2: Fraction(3, 10), first + 5: Fraction(3, 10)})
    assert starts(find_thinned(frames)) == [first, first + 3, first + 6]
    assert {first + 2, first + 5} <= set(kept(frames))


@pytest.mark.parametrize("seconds", [0, 0.05, 0.2])
def test_nor_are_short_scenes_where_they_are_asked_for(seconds: float) -> None:
    lengths = [60, 3, 9, 6, 11, 7, 60]
    frames = at_rate([each for seed, length in enumerate(lengths) for each in moving(seed, length)], 60)
    settings = SceneSettings(min_scene_seconds=seconds)
    _, all_kept = find_all(frames, settings)
    assert [one.scene for one in find_thinned(frames, 13, settings)] == [one.scene for one in all_kept]
    assert len(all_kept) > 2


@pytest.mark.parametrize(
    "settings",
    [SceneSettings(detector="interval"), SceneSettings(detector="content"), SceneSettings(scan="keyframes")],
    ids=str,
)
def test_others_keep_all(settings: SceneSettings) -> None:
    keeper = SceneFinder(settings, FrameSettings()).keeper
    for frame, after in pairwise(at_rate(still(1, 30), 25)):
        assert keeper.keeps(frame, after.time)


def test_a_picture_is_let_go_before_the_next_one_is_decoded() -> None:
    alive: list[weakref.ref[DrawnFrame]] = []
    most = 0

    def decoded() -> Iterator[ScanFrame]:
        nonlocal most
        for frame in iter(at_rate(still(1, 200), 25)):
            fresh = DrawnFrame(frame.index, frame.time, frame.planes)
            most = max(most, sum(each() is not None for each in alive))
            alive.append(weakref.ref(fresh))
            yield fresh
            del fresh

    gc.disable()
    try:
        for _ in in_blocks(decoded(), SparsePictures(INSET), MAX_TOGETHER):
            pass
    finally:
        gc.enable()
    # One in three of two blocks, the three of the beginning, and the newest.
    assert most <= 2 * MAX_TOGETHER / 3 + 5


def test_blocks_end_with_so_many_frames_or_pictures() -> None:
    frames = at_rate(still(1, 100), 25)
    blocks = list(in_blocks(iter(frames), SparsePictures(INSET), MAX_TOGETHER))
    assert [len(block) for block in blocks[:-1]] == [MAX_TOGETHER] * (len(blocks) - 1)
    assert [each.index for block in blocks for each in block] == list(range(100))
    whole = [each.index for block in blocks for each in block if not isinstance(each, BareFrame)]
    assert whole == [*range(0, 99, 3), 99]
    for block in in_blocks(iter(frames), SparsePictures(INSET), 1):
        assert sum(not isinstance(each, BareFrame) for each in block) <= 1


def test_an_error_comes_after_the_frames_before_it() -> None:
    def broken() -> Iterator[ScanFrame]:
        yield from at_rate(still(1, 5), 25)
        raise DecodeError("cut short")

    blocks = in_blocks(broken(), SparsePictures(INSET), 13)
    assert [frame.index for frame in next(blocks)] == list(range(5))
    with pytest.raises(DecodeError, match="cut short"):
        next(blocks)


def test_boundaries_do_not_hang_on_how_many_are_kept_together() -> None:
    frames = at_rate(STORIES["cuts"], 25)
    assert starts(find_thinned(frames, 1)) == starts(find_thinned(frames, 13)) == [60, 100]
