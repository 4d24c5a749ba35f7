"""The tables of the search index, and what is put into them of a timeline.

    about      one row: the version, and sums of what follows, for they would take longer than a question
    timelines  one a file: its stamp, its scenes' rows, and what is wrong with it if it cannot be read
    scenes     one a scene, what a result shows
    words      FTS5, one row a scene under the same number: the words of its caption, of what else is said of
               it (attributes, transcript, captions of its other picks), and of its video (path, title,
               synopsis, tags)

Rows of a timeline follow each other. `words` keeps its text too: a scene is then taken out, and its words
counted, without a look at the timeline.
"""

from __future__ import annotations

import os
import sqlite3
import unicodedata
from collections.abc import Iterator
from typing import Final

from corridor_cli.errors import TimelineError, UsageError
from corridor_cli.printable import printable
from corridor_cli.timeline.exports.document import SceneFields, Video, text_of
from corridor_cli.timeline.search.stamps import Stamp
from corridor_cli.timeline.search.words import words_of

VERSION: Final = f"2 {unicodedata.unidata_version}"
"""Raise the number when the same timelines make other tables; how words are folded is Unicode's."""

_TABLES = """
CREATE TABLE about (
    version TEXT NOT NULL, num_timelines INTEGER NOT NULL, num_scenes INTEGER NOT NULL,
    num_words INTEGER NOT NULL, end_row INTEGER NOT NULL
);
CREATE TABLE timelines (
    id INTEGER PRIMARY KEY, relative BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    problem TEXT, video TEXT, first_row INTEGER NOT NULL, end_row INTEGER NOT NULL, num_words INTEGER NOT NULL
);
CREATE INDEX problems ON timelines (relative) WHERE problem IS NOT NULL;
CREATE TABLE scenes (
    row INTEGER PRIMARY KEY, timeline INTEGER NOT NULL, number INTEGER NOT NULL, start REAL NOT NULL,
    end REAL NOT NULL, status TEXT NOT NULL, caption TEXT, picture TEXT
);
CREATE VIRTUAL TABLE words USING fts5(
    caption, details, video,
    prefix = '1 2 3', tokenize = "unicode61 remove_diacritics 0 categories 'L* M* N* Co'"
);
"""


def check_fts5(module: str = "fts5") -> None:
    """Raise `UsageError` where Python's SQLite was built without full-text search."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute(f"CREATE VIRTUAL TABLE probe USING {module}(words)")
    except sqlite3.OperationalError as error:
        raise UsageError(
            f"This Python's SQLite ({sqlite3.sqlite_version}) cannot search texts: {error}",
            hint="Use a Python whose sqlite3 was built with FTS5, as those of python.org and Linux are.",
        ) from error
    finally:
        connection.close()


def create_tables(connection: sqlite3.Connection) -> None:
    """Make the tables in an empty database."""
    connection.executescript(_TABLES)
    connection.execute("INSERT INTO about VALUES (?, 0, 0, 0, 1)", (VERSION,))


def is_current(connection: sqlite3.Connection) -> bool:
    """Whether the tables are those of this version."""
    row = connection.execute("SELECT version FROM about").fetchone()
    return row is not None and row[0] == VERSION


def stamps_in(connection: sqlite3.Connection) -> dict[bytes, Stamp]:
    """The stamp of each timeline when it was read."""
    rows = connection.execute("SELECT relative, size, mtime_ns FROM timelines")
    return {relative: (size, mtime_ns) for relative, size, mtime_ns in rows}


def remove_timeline(connection: sqlite3.Connection, relative: bytes) -> None:
    """Take a timeline and its scenes out."""
    row = connection.execute(
        "SELECT id, first_row, end_row FROM timelines WHERE relative = ?", (relative,)
    ).fetchone()
    if row is not None:
        connection.execute("DELETE FROM words WHERE rowid >= ? AND rowid < ?", row[1:])
        connection.execute("DELETE FROM scenes WHERE row >= ? AND row < ?", row[1:])
        connection.execute("DELETE FROM timelines WHERE id = ?", row[:1])


def add_timeline(
    connection: sqlite3.Connection, relative: bytes, stamp: Stamp, video: Video | TimelineError
) -> None:
    """Put a timeline in, which is not there: its scenes, or what is wrong with it."""
    first = 1 + (connection.execute("SELECT max(end_row) - 1 FROM timelines").fetchone()[0] or 0)
    number = 1 + (connection.execute("SELECT max(id) FROM timelines").fetchone()[0] or 0)
    problem: str | None = None
    path: str | None = None
    num_scenes = num_words = 0
    if isinstance(video, TimelineError):
        problem = printable(video.message)
    else:
        path, num_scenes = _path(video), len(video.scenes)
        num_words = _add_scenes(connection, number, first, video)
    connection.execute(
        "INSERT INTO timelines VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (number, relative, *stamp, problem, path, first, first + num_scenes, num_words),
    )


def _add_scenes(connection: sqlite3.Connection, timeline: int, first: int, video: Video) -> int:
    """Put the scenes of a timeline in, from the row `first` on; how many words they have."""
    of_video = _words_of_video(video)
    scenes, words, num_words = [], [], 0
    for place, scene in enumerate(video.scenes):
        texts = words_of(text_of(scene["caption"]) or ""), " ".join(_words_of_scene(scene)), of_video
        num_words += sum(map(num_words_in, texts))
        words.append((first + place, *texts))
        scenes.append((first + place, timeline, place + 1, *_shown(scene)))
    connection.executemany("INSERT INTO scenes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", scenes)
    connection.executemany("INSERT INTO words (rowid, caption, details, video) VALUES (?, ?, ?, ?)", words)
    return num_words


def sum_up(connection: sqlite3.Connection) -> None:
    """Note the sums in `about`. To be called when timelines were put in or taken out."""
    connection.execute(
        "UPDATE about SET (num_timelines, num_scenes, num_words, end_row) = (SELECT count(*), "
        "coalesce(sum(end_row - first_row), 0), coalesce(sum(num_words), 0), coalesce(max(end_row), 1) "
        "FROM timelines)"
    )


def num_words_in(words: str) -> int:
    """How many words a text of the index has."""
    return words.count(" ") + 1 if words else 0


def _path(video: Video) -> str:
    """The path by which the video can be opened, as text that SQLite takes: bytes beyond UTF-8 in hex."""
    source = video.fields["source"]
    return f"\0{source['path_bytes']}" if source["path_bytes"] is not None else source["path"]


def video_path(stored: str) -> str:
    """The path of the video from what `timelines.video` holds of it."""
    return os.fsdecode(bytes.fromhex(stored[1:])) if stored.startswith("\0") else stored


def _shown(scene: SceneFields) -> tuple[float, float, str, str | None, str | None]:
    picks = {frame["role"]: frame["path"] for frame in scene["frames"]}
    picture = picks.get("representative") or next((path for path in picks.values() if path), None)
    caption = scene["caption"]
    return scene["start"], scene["end"], caption["status"], text_of(caption), picture


def _words_of_scene(scene: SceneFields) -> Iterator[str]:
    said = text_of(scene["caption"])
    others = {text for frame in scene["frames"] if (text := text_of(frame["caption"])) and text != said}
    texts = sorted(others)
    if attributes := scene["attributes"]:
        for value in attributes.values():
            texts += value if isinstance(value, list) else [value] if isinstance(value, str) else []
    if transcript := scene.get("transcript"):
        texts.append(transcript)
    return filter(None, map(words_of, texts))


def _words_of_video(video: Video) -> str:
    summary = video.fields["summary"]
    path = video.fields["source"]["path"]
    texts = [path] if path.endswith(video.stem) else [video.stem, path]
    if summary:
        texts += [summary["title"] or "", summary["synopsis"] or "", *summary["tags"]]
    return " ".join(filter(None, map(words_of, texts)))
