"""Choosing the weights of mixtures: what a window is called, and that what is fitted is what is written."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from train_mixtures import answer_of, as_module, fit

from corridor_cli.scenes.mixture_terms import FEATURES, MAX_DEVIATION, TERMS, terms_of
from corridor_cli.scenes.mixture_windows import MixtureWindow
from corridor_cli.scenes.thumb_rows import Instant
from corridor_cli.scenes.thumbs import HEIGHT, WIDTH

DISSOLVE = {"kind": "dissolve", "first": 50, "last": 79}


def between(start: int, end: int) -> MixtureWindow:
    """A window of which only the place counts."""
    thumb = np.zeros((3, HEIGHT, WIDTH), np.int16)
    first, middle, last = (Instant(at, Fraction(at, 25), thumb) for at in (start, (start + end) // 2, end))
    return MixtureWindow(first, middle, last, 10, np.zeros(len(FEATURES)))


@pytest.mark.parametrize(
    ("start", "end", "answer"),
    [(49, 80, 1.0), (55, 75, 1.0), (60, 70, None), (70, 98, None), (84, 100, 0.0), (10, 44, 0.0)],
)
def test_a_window_is_a_transition_where_both_share_half(start: int, end: int, answer: float | None) -> None:
    assert answer_of(between(start, end), [DISSOLVE]) == answer


def test_what_is_written_are_the_weights_that_tell_windows_apart() -> None:
    rng = np.random.default_rng(3)
    features = rng.normal(0, 1, (600, len(FEATURES)))
    answers = (features[:, 2] - features[:, 7] > 0).astype(np.float64)
    written: dict[str, Any] = {}
    exec(as_module(*fit(features, answers)), written)

    assert tuple(written["WEIGHTS"]) == TERMS
    means, deviations, weights = np.array(list(written["WEIGHTS"].values())).T
    apart = np.clip((terms_of(features) - means) / deviations, -MAX_DEVIATION, MAX_DEVIATION)
    assert ((apart @ weights + written["BIAS"] > 0) == answers).mean() > 0.97
