"""The set on which detectors are compared: a small piece of it is drawn, encoded, scanned and scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scenes_set.compose import Label, Story, thinned
from scenes_set.contenders import ours
from scenes_set.files import CODECS, draw, read_labels, recipes
from scenes_set.score import score_file

from corridor_cli.settings import SceneSettings

# Two videos are encoded: ten seconds of a quiet core, minutes of a busy one.
pytestmark = pytest.mark.timeout(400)

LABELS: dict[str, Any] = {
    "labels": [
        {"kind": "cut", "first": 30, "last": 30},
        {"kind": "dissolve", "first": 60, "last": 80},
        {"kind": "fade", "first": 120, "last": 150},
    ],
    "tags": [[0, ["still"]], [30, ["whip pan"]], [60, ["still"]], [120, ["still"]]],
    "num_frames": 200,
}


@pytest.mark.parametrize(
    ("boundaries", "found", "missed", "false"),
    [
        ([30, 70, 135], 3, 0, 0),
        ([29, 59, 151], 3, 0, 0),
        ([31, 82, 118], 1, 2, 2),
        ([30, 31, 62, 78, 140], 3, 0, 2),
        ([], 0, 3, 0),
    ],
)
def test_each_label_takes_one_boundary_near_it(
    boundaries: list[int], found: int, missed: int, false: int
) -> None:
    score, misses = score_file(boundaries, LABELS)

    figures = score.figures()
    assert (figures["found"], figures["missed"], figures["false"]) == (found, missed, false)
    assert len(misses) == missed + false


def test_a_false_alarm_is_told_with_what_is_in_the_shot() -> None:
    score, _ = score_file([30, 45, 62, 70, 135], LABELS)

    assert score.false == {"cut": 1, "dissolve": 1}
    assert score.false_by_tag == {"whip pan": 1, "beside another in a dissolve": 1}


def test_labels_follow_the_frames_that_are_left() -> None:
    story = Story((Label("cut", 4, 4), Label("dissolve", 6, 9)), ((0, ()), (4, ())), 12)

    left = thinned(story, [0, 1, 2, 3, 5, 7, 8, 10])
    assert left.labels == (Label("cut", 4, 4), Label("dissolve", 5, 6))
    assert left.num_frames == 8


def test_every_codec_is_in_both_halves() -> None:
    every = list(recipes(84))

    for half in ("tuning", "held-out"):
        assert {each.codec.name for each in every if each.half == half} == {codec.name for codec in CODECS}
        assert any(each.is_variable for each in every if each.half == half)
    assert len({each.seed % 2 for each in every if each.half == "tuning"}) == 1


def test_what_is_drawn_from_two_seeds_is_found(tmp_path: Path) -> None:
    find = ours(SceneSettings(max_scene_seconds=None))
    wrong = []
    for recipe in (each for each in recipes(84) if each.seed in (12, 24)):
        path = draw(recipe, tmp_path, None)
        score, misses = score_file(find(path), read_labels(path))
        wrong += misses
        assert sum(score.found.values()) >= 11
    assert len(wrong) <= 1
