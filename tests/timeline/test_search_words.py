"""What counts as a word, and how a question is read: nothing a user writes can be an error of FTS5."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import pairwise
from unicodedata import normalize

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corridor_cli.errors import UsageError
from corridor_cli.timeline.search.index import check_fts5, create_tables
from corridor_cli.timeline.search.query import MAX_TERMS, read_query
from corridor_cli.timeline.search.words import placed_words, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A Red Car's close-up: my_file.MP4", "a red car s close up my file mp4"),
        ("Crème BRÛLÉE, Straße, Ångström", "creme brulee strasse angstrom"),
        ("e\u0301 é ＣＡＲ", "e e car"),
        ("红色的汽车 car红", "红 色 的 汽 车 car 红"),
        ("東京タワー", "東 京 タ ワ ー"),
        ("고양이가", "고 양 이 가"),
        ("👍🏽 👩‍👧 🇫🇷", "ue1f44d ue1f469 ue1f467 ue1f1eb ue1f1f7"),
        ("मैं कि", "मैं कि"),
        ("مَدْرَسَةٌ أحمد", "مدرسة احمد"),
        ("שָׁלוֹם", "שלום"),
        (" \t\n\0 … – ° '\"()", ""),
        ("x" * 100, "x" * 64),
    ],
)
def test_words(text: str, words: str) -> None:
    assert normalize("NFC", words_of(text)) == words


@given(st.text())
def test_places_are_those_of_the_words(text: str) -> None:
    found = list(placed_words(text))
    assert " ".join(word.text for word in found) == words_of(text)
    assert all(before.end <= after.start for before, after in pairwise(found))
    assert all(words_of(text[word.start : word.end]) == word.text for word in found)


@pytest.mark.parametrize(
    ("text", "expressions"),
    [
        ("red car", ['"red" AND "car"']),
        ('"red car" -bus* OR tram', ['("red car") NOT ("bus" *)', '"tram"']),
        ("car OR", ['"car"']),
        ("OR OR car or OR", ['"car" AND "or"']),
        ('"left open', ['"left open"']),
        ("“a b” „c d”", ['"a b" AND "c d"']),
        ("汽车", ['"汽 车"']),
        ("close-up -", ['"close up"']),
        ("NEAR(a b) caption:x ^y + {z}", ['"near a" AND "b" AND "caption x" AND "y" AND "z"']),
        ("a a a", ['"a"']),
    ],
)
def test_questions(text: str, expressions: list[str]) -> None:
    assert [group.expression for group in read_query(text).groups] == expressions


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no word to look for"),
        ('" " -- * OR ()', "has no word to look for"),
        ("\x1b[", "got '\\x1b['"),
        ("-car", "not only what not"),
        ("car OR -bus", "not only what not"),
        ("x " * (MAX_TERMS + 1), f"has {MAX_TERMS + 1} words, allowed: {MAX_TERMS}"),
    ],
)
def test_a_question_without_anything_to_look_for(text: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_query(text)
    assert said in raised.value.message


_PIECES = st.sampled_from(
    ['"', "'", "*", "-", "(", ")", "AND", "OR", "NOT", "NEAR", ":", "^", "+", ";--", "\0"]
)


@given(st.lists(_PIECES | st.text(max_size=6), max_size=20).map(" ".join))
@example("'); DROP TABLE words; --")
@example(" ".join(f'w{number}* "a b" -c{number}' for number in range(MAX_TERMS // 3)))
@example(" OR ".join(f"w{number}" for number in range(MAX_TERMS)))
def test_no_question_is_an_error_of_fts5(text: str) -> None:
    try:
        query = read_query(text)
    except UsageError:
        return
    with closing(sqlite3.connect(":memory:")) as connection:
        create_tables(connection)
        for group in query.groups:
            found = connection.execute("SELECT rowid FROM words WHERE words MATCH ?", (group.expression,))
            assert found.fetchall() == []


@given(st.text(min_size=1))
@example("ﷺ ㎧ Ⅷ ① ª ⁵ 🀄 🧑‍🚀 \U0001fae8 \U00031350 ꙮ ჰ ᏸ")
def test_every_word_of_a_text_finds_it(text: str) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        create_tables(connection)
        connection.execute(
            "INSERT INTO words (rowid, caption, details, video) VALUES (7, ?, '', '')", (words_of(text),)
        )
        for word in placed_words(text):
            (group,) = read_query(f'"{text[word.start : word.end]}"').groups
            found = connection.execute("SELECT rowid FROM words WHERE words MATCH ?", (group.expression,))
            assert found.fetchall() == [(7,)], (word, group)


def test_an_sqlite_without_full_text_search_is_one_clear_line() -> None:
    check_fts5()
    with pytest.raises(UsageError) as raised:
        check_fts5("fts6")
    assert "cannot search texts: no such module: fts6" in raised.value.message
    assert "FTS5" in raised.value.hint
