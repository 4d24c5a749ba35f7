"""Names from the world, shown and pasted."""

from __future__ import annotations

import os
import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st

from corridor_cli.printable import encodable, printable, shell_word, shortened

# What a Linux file name can hold: any bytes but NUL and slash.
NAMES = st.binary(min_size=1, max_size=40).map(lambda name: os.fsdecode(name.replace(b"\0", b"\n")))


def test_ordinary_names_stay_as_they_are() -> None:
    for name in ("a b.mp4", "été 日本語 👩‍🚀.mkv", "[/]", "x\\ny", "نام‌ها"):
        assert printable(name) == name


def test_what_moves_a_terminal_is_escaped() -> None:
    assert printable("a\n\x1b[31m\x9bm\u202egpj.exe\u2028\ufeff") == (
        "a\\n\\x1b[31m\\x9bm\\u202egpj.exe\\u2028\\ufeff"
    )
    assert printable(os.fsdecode(b"caf\xe9")) == "caf\\xe9"


@given(NAMES | st.text())
def test_the_result_is_one_line_of_utf8(name: str) -> None:
    shown = printable(name)
    shown.encode("utf-8")
    assert len(shown.splitlines()) <= 1
    assert printable(shown) == shown


@given(st.text(max_size=100), st.integers(1, 50))
def test_shortened_says_that_something_is_missing(text: str, max_chars: int) -> None:
    shown = shortened(text, max_chars)
    assert shown == printable(text) if len(text) <= max_chars else shown.endswith("…")


@settings(max_examples=20, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=20))
def test_bash_reads_back_the_same_bytes(names: list[str]) -> None:
    words = " ".join(map(shell_word, names))
    assert printable(words) == words
    command = ["bash", "-c", f"printf '%s\\0' {words}"]
    told = subprocess.run(
        command, check=True, capture_output=True, env={**os.environ, "LC_ALL": "C.UTF-8"}
    ).stdout
    assert told == b"".join(os.fsencode(name) + b"\0" for name in names)


def test_for_documents_only_what_utf8_cannot_hold_is_escaped() -> None:
    assert encodable("a\udce9b") == "a\\xe9b"
    assert encodable("cannot open a\udce9b: \ud800\n\x1b[1m") == "cannot open a\\xe9b: \\ud800\n\x1b[1m"
    assert encodable("東京 ü") == "東京 ü"
