"""Two captions word by word: what both say, what only one says, and how alike they are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from corridor_cli.timeline.search.words import STANDING_ALONE

MAX_WORDS = 1500
"""Longer captions are not aligned, which takes time by the square of their length."""

# A character that stands alone, letters and digits with what joins them (don't, close-up), or a sign.
_LETTER = rf"(?![{STANDING_ALONE}])\w"
_WORD = re.compile(rf"[{STANDING_ALONE}]|(?:{_LETTER})+(?:['’-](?:{_LETTER})+)*|\S")

Kind = Literal["same", "gone", "new"]


@dataclass(frozen=True, slots=True)
class Piece:
    """Some words in a row, with the blanks between them as they were: in both texts, or in one of them."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class WordDiff:
    """The way from one text to another. `similarity` is 2·C / W: C words are common, in the same order, of W
    words in both texts together; signs and characters that stand alone count as words, case matters."""

    pieces: tuple[Piece, ...]
    similarity: float


def diff_words(before: str, after: str) -> WordDiff:
    """What changed from one text to the other. Two texts without words are equal."""
    if before == after:
        return WordDiff((Piece("same", before),) if before else (), 1.0)
    old, new = _Words(before), _Words(after)
    if max(len(old.words), len(new.words)) > MAX_WORDS:
        both = (Piece("gone", before), Piece("new", after))
        return WordDiff(both, _share(_num_in_common(old.words, new.words), old, new))
    matcher = SequenceMatcher(None, old.words, new.words, autojunk=False)
    pieces = tuple(_pieces(matcher, old, new))
    return WordDiff(pieces, _share(sum(block.size for block in matcher.get_matching_blocks()), old, new))


class _Words:
    """The words of a text, and where each begins and ends."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._places = [found.span() for found in _WORD.finditer(text)]
        self.words = [text[start:end] for start, end in self._places]

    def between(self, first: int, end: int) -> str:
        """The text of the words `[first, end)`, with the blanks in front of the next one."""
        stop = self._places[end][0] if end < len(self._places) else len(self.text)
        return self.text[self._places[first][0] : stop]


def _pieces(matcher: SequenceMatcher[str], old: _Words, new: _Words) -> Iterator[Piece]:
    for kind, old_first, old_end, new_first, new_end in matcher.get_opcodes():
        if kind == "equal":
            # A blank on either side keeps it apart from what follows.
            texts = new.between(new_first, new_end), old.between(old_first, old_end)
            yield Piece("same", max(texts, key=lambda text: text[-1:].isspace()))
            continue
        if old_end > old_first:
            yield Piece("gone", old.between(old_first, old_end))
        if new_end > new_first:
            yield Piece("new", new.between(new_first, new_end))


def _num_in_common(old: list[str], new: list[str]) -> int:
    """Words in common in any order: an upper bound where no order is looked for."""
    return (Counter(old) & Counter(new)).total()


def _share(num_common: int, old: _Words, new: _Words) -> float:
    num_words = len(old.words) + len(new.words)
    return 2 * num_common / num_words if num_words else 1.0
