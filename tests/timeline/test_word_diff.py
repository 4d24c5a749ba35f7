"""Two captions word by word, and two timelines scene by scene."""

from __future__ import annotations

from typing import Any

import pytest
from export_samples import document, video
from hypothesis import given, settings
from hypothesis import strategies as st
from timeline_samples import FRAME

from corridor_cli.timeline.comparison import compare_boundaries, compare_provenance, compare_scenes
from corridor_cli.timeline.exports.document import Video, read_video
from corridor_cli.timeline.word_diff import MAX_WORDS, WordDiff, diff_words


def marked(diff: WordDiff) -> str:
    shapes = {"same": "{}", "gone": "[-{}-]", "new": "{{+{}+}}"}
    return "|".join(shapes[piece.kind].format(piece.text.strip()) for piece in diff.pieces)


@pytest.mark.parametrize(
    ("before", "after", "expected", "similarity"),
    [
        ("A red car.", "A red car.", "A red car.", 1.0),
        ("A red car.", "A blue car.", "A|[-red-]|{+blue+}|car.", 6 / 8),
        ("A car.", "A big red car!", "A|{+big red+}|car|[-.-]|{+!+}", 4 / 8),
        ("A car parked", "A car", "A car|[-parked-]", 4 / 5),
        ("don't stop", "don't go", "don't|[-stop-]|{+go+}", 2 / 4),
        ("红色的汽车", "蓝色的汽车", "[-红-]|{+蓝+}|色的汽车", 8 / 10),
        ("one two", "three four", "[-one two-]|{+three four+}", 0.0),
        ("", "new", "{+new+}", 0.0),
        ("a", "", "[-a-]", 0.0),
        ("  ", " ", "", 1.0),
        ("Car", "car", "[-Car-]|{+car+}", 0.0),
    ],
)
def test_words(before: str, after: str, expected: str, similarity: float) -> None:
    diff = diff_words(before, after)
    assert marked(diff) == expected
    assert diff.similarity == pytest.approx(similarity)


TEXTS = st.lists(
    st.sampled_from(["a", "b", "car", "Car", ".", "汽", "🚗", "don't", "x-y", "\u0301"]), max_size=12
)


@settings(max_examples=300, deadline=None)
@given(TEXTS, TEXTS)
def test_the_pieces_make_up_both_texts(old: list[str], new: list[str]) -> None:
    before, after = " ".join(old), " ".join(new)
    diff = diff_words(before, after)

    def joined(other: str) -> str:
        return "".join("".join(piece.text.split()) for piece in diff.pieces if piece.kind != other)

    assert joined("new") == "".join(before.split())
    assert joined("gone") == "".join(after.split())
    assert 0 <= diff.similarity <= 1
    assert (diff.similarity == 1) == (old == new or before.split() == after.split())
    back = diff_words(after, before)
    assert back.similarity == pytest.approx(diff.similarity, abs=0.5)


def test_very_long_captions_are_compared_without_their_order() -> None:
    before, after = "a b " * MAX_WORDS, "b a " * MAX_WORDS
    diff = diff_words(before, after)
    assert [piece.kind for piece in diff.pieces] == ["gone", "new"]
    assert diff.similarity == 1.0


def cut(texts: list[str], ends: list[int]) -> Video:
    """A video whose scenes end at these frames."""
    import json

    found = document(texts)
    start = 0
    for scene, end in zip(found["scenes"], ends, strict=True):
        scene["start"], scene["end"] = float(start * FRAME), float(end * FRAME)
        scene["duration"] = scene["end"] - scene["start"]
        start = end
    return read_video(json.dumps(found).encode(), "clip.mp4")


def pairs(before: Video, after: Video) -> list[tuple[Any, Any, str]]:
    return [
        (pair.before and pair.before["index"], pair.after and pair.after["index"], pair.state)
        for pair in compare_scenes(before, after)
    ]


def test_scenes_are_matched_by_the_time_they_share() -> None:
    before = cut(["a", "b", "c"], [40, 80, 120])
    assert pairs(before, before) == [(0, 0, "same"), (1, 1, "same"), (2, 2, "same")]
    # The second scene is cut in two: its longer half is the one.
    after = cut(["a", "b", "x", "c"], [40, 70, 80, 120])
    assert pairs(before, after) == [(0, 0, "same"), (1, 1, "same"), (None, 2, "only_b"), (2, 3, "same")]
    assert pairs(after, before) == [(0, 0, "same"), (1, 1, "same"), (2, None, "only_a"), (3, 2, "same")]
    moved = cut(["a", "B", "c"], [44, 76, 120])
    assert pairs(before, moved) == [(0, 0, "same"), (1, 1, "changed"), (2, 2, "same")]


def test_of_equal_halves_the_first_is_the_pair() -> None:
    whole, halves = cut(["all"], [80]), cut(["all", "rest"], [40, 80])
    assert pairs(whole, halves) == [(0, 0, "same"), (None, 1, "only_b")]


def test_boundaries_within_half_a_frame_are_the_same() -> None:
    before = cut(["a", "b", "c"], [40, 80, 120])
    nudged = cut(["a", "b", "c"], [40, 80, 120])
    for scene in nudged.scenes[1:]:
        scene["start"] += float(FRAME) * 0.4
    assert compare_boundaries(before, nudged).is_same
    other = compare_boundaries(before, cut(["a", "b", "c"], [40, 81, 120]))
    assert other.num_same == 1
    assert list(other.only_before) == [pytest.approx(float(80 * FRAME))]
    assert list(other.only_after) == [pytest.approx(float(81 * FRAME))]


def test_a_caption_that_failed_is_no_text() -> None:
    (first, second) = compare_scenes(video(["x", None]), video([None, None]))
    assert (first.state, second.state) == ("changed", "same")
    assert first.texts[0].words is None
    assert first.texts[0].status_after == "error"


def test_provenance_is_compared_field_by_field() -> None:
    before = {"scan_key": "1", "model": {"id": "a", "dtype": "x"}, "prompt": {"text": "p", "sha256": "s"}}
    after = {
        "scan_key": "2",
        "model": {"id": "b", "dtype": "x"},
        "prompt": {"text": "q", "sha256": "t"},
        "new": 1,
    }
    assert list(compare_provenance(before, after)) == [
        ("model.id", "a", "b"),
        ("prompt.text", "p", "q"),
        ("new", None, 1),
    ]
