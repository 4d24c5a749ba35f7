"""Text from the world made safe to show: one line, no control characters, no lone surrogates.

File names on Linux are bytes: they may hold newlines, escape sequences that repaint a terminal, marks that
turn the writing direction, and bytes that are not UTF-8 (Python shows those as lone surrogates, which no
UTF-8 stream accepts). The results are for people, not for opening files.
"""

from __future__ import annotations

import os
import re
import shlex

# C0, C1 and DEL; line and paragraph separators; direction marks, embeddings and isolates; BOM; surrogates.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str | os.PathLike[str]) -> str:
    """The text or path with everything that could harm a terminal or a UTF-8 stream escaped."""
    return _UNSAFE.sub(_escape, os.fspath(text))


def encodable(text: str) -> str:
    """The text with nothing escaped but what UTF-8 cannot hold: for documents, where line breaks are data."""
    return _SURROGATE.sub(_escape, text)


def shortened(text: str, max_chars: int = 60) -> str:
    """The start of the text, safe to show, with an ellipsis where something was left out."""
    return printable(text) if len(text) <= max_chars else printable(text[: max_chars - 1]) + "…"


def shell_word(text: str) -> str:
    """The text as one word for bash, whatever it holds: what is printed can be pasted and means the same."""
    if not _UNSAFE.search(text):
        return shlex.quote(text)
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return "$'" + _UNSAFE.sub(_shell_escape, escaped) + "'"


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    code = ord(char)
    if char in _NAMED:
        return _NAMED[char]
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as os.fsdecode keeps it
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _shell_escape(match: re.Match[str]) -> str:
    char = match.group()
    is_raw_byte = 0xDC80 <= ord(char) <= 0xDCFF
    encoded = char.encode("utf-8", "surrogateescape" if is_raw_byte else "surrogatepass")
    return "".join(f"\\x{byte:02x}" for byte in encoded)
