"""What is told to those who want to choose a threshold: every frame once, with the numbers that decided."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from scenes_pictures import at_rate, blend, end_of, moving, still

from corridor_cli.records import FrameScore
from corridor_cli.scenes.blend_windows import MAX_RESIDUAL, blend_residual, blend_weights
from corridor_cli.scenes.detectors.content import DEFAULT_THRESHOLD
from corridor_cli.scenes.detectors.opencv import to_hsv
from corridor_cli.scenes.detectors.psd_score import hsv_change
from corridor_cli.scenes.find import SceneFinder
from corridor_cli.scenes.scores import ScoreLog
from corridor_cli.settings import FrameSettings, SceneSettings

FRAMES = at_rate([*moving(1, 40), *blend(still(2, 40), still(3, 56), 16)])


def scores(detector: Literal["adaptive", "content"]) -> tuple[list[FrameScore], list[int]]:
    """The rows of all frames, and the frames that scenes begin with."""
    log = ScoreLog()
    finder = SceneFinder(SceneSettings(detector=detector), FrameSettings(), log)
    rows, found = [], []
    for frame in FRAMES:
        found += finder.push([frame])
        rows += log.take()
        assert not rows or rows[-1].frame_index <= frame.index
    found += finder.finish(end_of(FRAMES))
    return [*rows, *log.take()], [each.scene.start_frame for each in found]


@pytest.mark.parametrize("detector", ["adaptive", "content"])
def test_every_frame_has_one_row_and_a_cut_reaches_its_threshold(
    detector: Literal["adaptive", "content"],
) -> None:
    rows, starts = scores(detector)
    assert [(row.frame_index, row.time) for row in rows] == [(frame.index, frame.time) for frame in FRAMES]
    assert rows[0].score is None
    reached = [row.frame_index for row in rows if row.score is not None and row.score >= row.threshold]
    assert reached == [40]
    assert 40 in starts


def test_the_content_score_is_the_detectors_own() -> None:
    rows, _ = scores("content")
    assert {row.threshold for row in rows} == {DEFAULT_THRESHOLD}
    expected = hsv_change(to_hsv(FRAMES[40].rgb()), to_hsv(FRAMES[41].rgb()))
    assert rows[41].score == expected


def test_only_a_blend_comes_near_to_being_one() -> None:
    rows, _ = scores("adaptive")
    near = [row.frame_index for row in rows if row.transition is not None and row.transition <= MAX_RESIDUAL]
    assert near
    assert all(64 < frame <= 80 + 28 for frame in near), "the blend is from 64 to 80"
    assert rows[-1].transition is None, "nothing changes in a still picture"


def test_the_residual_is_the_one_the_finder_decides_by() -> None:
    rng = np.random.default_rng(4)
    start, end = (rng.integers(0, 4080, 1728).astype(np.float64) for _ in range(2))
    way = np.rint(start + np.linspace(0, 1, 13)[:, None] * (end - start))
    residual = blend_residual(way)
    assert residual is not None
    assert residual <= MAX_RESIDUAL
    assert blend_weights(way) is not None
    bent = way + np.sin(np.linspace(0, np.pi, 13))[:, None] * rng.normal(0, 800, 1728)
    bent_residual = blend_residual(np.rint(bent))
    assert bent_residual is not None
    assert bent_residual > MAX_RESIDUAL
    assert blend_weights(np.rint(bent)) is None
    assert blend_residual(np.repeat(start[None], 13, axis=0)) is None
