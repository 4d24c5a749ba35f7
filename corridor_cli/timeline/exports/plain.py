"""Captions made fit for text that people read: no control characters, no blank lines, no direction overrides.

Escaping for a format (VTT, Markdown, …) is that format's own.
"""

from __future__ import annotations

import re

# C0, C1 and DEL, line and paragraph separators: what they were meant to part stays apart.
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x84\x86-\x9f]")
_LINE_END = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# Embeddings, overrides and isolates turn the text around them; the plain marks U+200E and U+200F only place
# themselves, and writing from right to left needs them. BOM and noncharacters show nothing.
_UNSEEN = re.compile("[\u202a-\u202e\u2066-\u2069\ufeff\ufdd0-\ufdef\ufff9-\ufffb\ufffe\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def text_lines(text: str) -> list[str]:
    """The lines of a text that hold something, each without outer or doubled white space."""
    text = _UNSEEN.sub("", _SURROGATE.sub("\ufffd", _LINE_END.sub("\n", text)))
    lines = (" ".join(line.split()) for line in _CONTROL.sub(" ", text).split("\n"))
    return [line for line in lines if line]


def one_line(text: str) -> str:
    """The whole text on one line."""
    return " ".join(text_lines(text))


def cut_short(text: str, max_chars: int) -> str:
    """One line of at most so many characters, cut at a word where there is one, with an ellipsis."""
    text = one_line(text)
    if len(text) <= max_chars:
        return text
    head = text[: max_chars - 1]
    at_word = head.rpartition(" ")[0] if text[max_chars - 1] != " " else head
    return (at_word if len(at_word) >= max_chars // 2 else head).rstrip() + "…"
