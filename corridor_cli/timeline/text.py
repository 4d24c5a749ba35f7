"""A model's text on its way into a document: cleaned, and whether it loops or says the prompt back.

Escaping for a format (HTML, SRT) is that format's own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

MAX_UNIT = 24
MIN_REPEATS = 3
MIN_LOOP_WORDS = 12
MIN_LOOP_CHARACTERS = 24
LONG_WORD_CHARACTERS = 20
ECHO_RUN_WORDS = 5
MIN_ECHO_WORDS = 8

_WORD = re.compile(r"\w+")
# Backslashes in pairs are whole: what is left of them stays.
_HALF_AN_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\(?:u[0-9a-fA-F]{0,3})?$")


def caption_text(text: str) -> str:
    """A model's text without outer white space; surrogate pairs are joined, lone ones become U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip()


def unfinished_text(text: str, name: str) -> str | None:
    """As much as there is of the text under `name` in JSON that was cut off; None before it begins."""
    start = re.search(rf'[{{,]\s*"{re.escape(name)}"\s*:\s*(?=")', text)
    if start is None:
        return None
    rest = text[start.end() :]
    try:
        found, _ = json.JSONDecoder().raw_decode(rest)
    except ValueError:
        try:
            found = json.loads(_HALF_AN_ESCAPE.sub(r"\1", rest) + '"')
        except ValueError:
            return None
    return str(found)


def is_repetitive(text: str) -> bool:
    """Whether the model ran into a loop: the same unit over and over makes up at least half of the text.

    A loop is a unit of at most 24 words that stands three times or more back to back, 12 words or more in
    all. Text hardly broken into words (Chinese, or one endless word) is judged by its characters instead:
    24 of them in all. "A very, very, very dark street" is no loop.
    """
    words = text.casefold().split()
    if len(text) <= LONG_WORD_CHARACTERS * len(words):
        return _has_loop(words, MIN_LOOP_WORDS)
    return _has_loop("".join(words), MIN_LOOP_CHARACTERS)


def is_echo(text: str, prompt: str) -> bool:
    """Whether the model said the prompt back instead of answering it.

    At least half of the text's runs of five words stand in the prompt, and there are eight words or more: a
    caption may well begin with words of the question.
    """
    runs = _runs(text)
    if len(runs) + ECHO_RUN_WORDS - 1 < MIN_ECHO_WORDS:
        return False
    asked = set(_runs(prompt))
    return 2 * sum(run in asked for run in runs) >= len(runs)


def _runs(text: str) -> list[tuple[str, ...]]:
    words = _WORD.findall(text.casefold())
    return [tuple(words[start : start + ECHO_RUN_WORDS]) for start in range(len(words) - ECHO_RUN_WORDS + 1)]


def _has_loop(tokens: Sequence[str], min_tokens: int) -> bool:
    wanted = max(min_tokens, (len(tokens) + 1) // 2)
    for unit in range(1, MAX_UNIT + 1):
        span = unit
        for index in range(unit, len(tokens)):
            span = span + 1 if tokens[index] == tokens[index - unit] else unit
            if span >= wanted and span >= MIN_REPEATS * unit:
                return True
    return False
