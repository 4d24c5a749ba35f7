"""The scenes that answer a question, best first.

Ranked by BM25 as FTS5's own `bm25()` does it, but computed here: that one walks the whole list of every word
of the question, a second for a frequent word among a million scenes. Here at most `MAX_RANKED`
scenes of a question are looked at; where more answer, it asks for words so frequent that no order among them
says much, and the result tells that the best were chosen among the first.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from corridor_cli.timeline.search.index import num_words_in
from corridor_cli.timeline.search.query import Query, Term, spaced

MAX_RANKED = 500
CAPTION_WEIGHT, DETAILS_WEIGHT, VIDEO_WEIGHT = 1.0, 0.5, 0.25
"""A word of a caption says more of a scene than one of its attributes, or of the path of its video."""

_SATURATION, _LENGTH_SHARE = 1.2, 0.75  # k1 and b of BM25, as in FTS5
_LEAST_RARITY = 1e-6

Rows = tuple[int, int]
"""Rows of scenes, half-open."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """Rows of scenes, best first. `num_found` counts those that answer; with `is_more` it is where counting
    ended."""

    rows: tuple[int, ...]
    num_found: int
    is_more: bool


def rank(connection: sqlite3.Connection, query: Query, ranges: Sequence[Rows], limit: int) -> Ranked:
    """The best `limit` scenes among the rows in `ranges`, which are sorted and do not touch."""
    candidates: dict[int, tuple[str, str, str]] = {}
    is_more = False
    for group in query.groups:
        most = max(MAX_RANKED // len(query.groups), limit)
        found = _matching(connection, group.expression, ranges, most + 1)
        is_more |= len(found) > most
        candidates |= found[:most]
    scale = _Scale(connection, query.terms)
    scores = {row: scale.score(texts) for row, texts in candidates.items()}
    best = sorted(scores, key=lambda row: (-scores[row], row))
    return Ranked(tuple(best[:limit]), len(candidates), is_more)


def _matching(
    connection: sqlite3.Connection, expression: str, ranges: Sequence[Rows], most: int
) -> list[tuple[int, tuple[str, str, str]]]:
    """The first rows that match, with their words."""
    found: list[tuple[int, tuple[str, str, str]]] = []
    for first, end in ranges:
        rows = connection.execute(
            "SELECT rowid, caption, details, video FROM words "
            "WHERE words MATCH ? AND rowid >= ? AND rowid < ? LIMIT ?",
            (expression, first, end, most - len(found)),
        )
        found += [(row, (caption, details, video)) for row, caption, details, video in rows]
        if len(found) >= most:
            break
    return found


class _Scale:
    """How much a question's words weigh."""

    def __init__(self, connection: sqlite3.Connection, terms: Sequence[Term]) -> None:
        self._num_scenes, num_words, self._end_row = connection.execute(
            "SELECT num_scenes, num_words, end_row FROM about"
        ).fetchone()
        self._mean_words = num_words / self._num_scenes if self._num_scenes and num_words else 1.0
        # Of a single term every score has the same share: it changes no order.
        is_alone = len(terms) == 1
        self._terms = [(term, 1.0 if is_alone else self._rarity(connection, term)) for term in terms]

    def _rarity(self, connection: sqlite3.Connection, term: Term) -> float:
        """The logarithm of how rare the term is; of a frequent one estimated from where it stands densely."""
        count, last_row = connection.execute(
            "SELECT count(*), max(rowid) FROM (SELECT rowid FROM words WHERE words MATCH ? LIMIT ?)",
            (term.expression, MAX_RANKED),
        ).fetchone()
        if count == MAX_RANKED:
            count = min(self._num_scenes, count * self._end_row / last_row)
        return max(math.log((self._num_scenes - count + 0.5) / (count + 0.5)), _LEAST_RARITY)

    def score(self, texts: tuple[str, str, str]) -> float:
        """How well a scene answers; `texts` are its words in the columns of the index."""
        caption, details, video = map(spaced, texts)
        length = sum(map(num_words_in, texts)) / self._mean_words
        damping = _SATURATION * (1 - _LENGTH_SHARE + _LENGTH_SHARE * length)
        score = 0.0
        for term, rarity in self._terms:
            often = (
                CAPTION_WEIGHT * term.count_in(caption)
                + DETAILS_WEIGHT * term.count_in(details)
                + VIDEO_WEIGHT * term.count_in(video)
            )
            score += rarity * often * (_SATURATION + 1) / (often + damping)
        return score
