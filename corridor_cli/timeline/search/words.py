"""Text as the words that searching compares, each with its place in the text.

A word is a run of letters, marks and digits, without case and accents. Scripts that are written without
spaces between words (Chinese, Japanese, Thai, …) and Korean, whose words grow by particles, give each
character as a word of its own: any part of such a text is then found as a row of words. So does an emoji, by
the name of its number, for SQLite's tokenizer takes it for a space.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

MAX_WORD_CHARS = 64
"""Longer words are compared by their beginning."""

# Thai to Myanmar, Khmer, Hangul (jamo and syllables), kana and bopomofo, ideographs, half-width kana.
_ALONE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1100-\u11ff\u3005-\u3007\u3040-\u318f\u31a0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc\U00020000-\U0003ffff"
)
# Without U+1F3FB to U+1F3FF, which colour the skin of the emoji before them.
_EMOJI = "\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001f3fa\U0001f400-\U0001faff"
STANDING_ALONE = _ALONE + _EMOJI
"""Characters that are words of their own, as they stand between the brackets of a pattern."""

# Marks that stand on letters. `\w` knows none of them; in the blocks of India they make half of a word.
_DROPPED = (
    "\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670"
)
_MARKS = f"{_DROPPED}\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed\u0900-\u0963\u0966-\u0dff"

_WORD = re.compile(rf"[{_EMOJI}]|[{_ALONE}]|(?:(?![{_ALONE}])[^\W_]|[{_MARKS}])+")
_PLAIN_WORD = re.compile("[a-z0-9]+")
_IS_EMOJI = re.compile(f"[{_EMOJI}]")
_UNSOUNDED = re.compile(f"[{_DROPPED}]")
_NOT_OF_A_WORD = re.compile(rf"(?:(?![^\W_]|[{_MARKS}]|[\u3099\u309a]).)+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Word:
    """One word as it is compared, and the characters `[start, end)` it was."""

    text: str
    start: int
    end: int


def placed_words(text: str) -> Iterator[Word]:
    """The words of a text in its order."""
    for found in _WORD.finditer(text):
        if folded := _folded(found[0]):
            yield Word(folded, found.start(), found.end())


def words_of(text: str) -> str:
    """The words of a text, a blank between them: what the index holds."""
    if text.isascii():
        return " ".join([word[:MAX_WORD_CHARS] for word in _PLAIN_WORD.findall(text.lower())])
    return " ".join([folded for word in _WORD.findall(text) if (folded := _folded(word))])


def _folded(word: str) -> str:
    if word.isascii():
        return word.lower()[:MAX_WORD_CHARS]
    if _IS_EMOJI.match(word):
        return f"ue{ord(word):x}"
    parts = unicodedata.normalize("NFKD", word).casefold()
    # Some characters stand for a text with signs in it: "㎧" is "m∕s".
    kept = _NOT_OF_A_WORD.sub("", _UNSOUNDED.sub("", parts))
    return unicodedata.normalize("NFC", kept)[:MAX_WORD_CHARS]
