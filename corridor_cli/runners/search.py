"""Searches the timelines of a folder: no video is opened and no model is loaded."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from corridor_cli.errors import ExitCode, NoInputsError, UsageError
from corridor_cli.media.patterns import is_included
from corridor_cli.printable import printable
from corridor_cli.timeline.layout import TIMELINE_SUFFIX, OutputLayout
from corridor_cli.timeline.search.find import Rows, rank
from corridor_cli.timeline.search.index import check_fts5, video_path
from corridor_cli.timeline.search.query import Query, read_query
from corridor_cli.timeline.search.refresh import SearchIndex
from corridor_cli.timeline.search.stamps import stamps_below
from corridor_cli.timeline.timecode import timecode

_MAGIC = re.compile(r"[*?[]")


@dataclass(frozen=True, slots=True)
class SceneHit:
    """A scene that was found. `video` is the path to open, `timeline` that below OUTPUT; `picture` is the
    saved one, which may have been removed since. `number` counts from 1, as in `s0001`."""

    video: str
    timeline: str
    number: int
    start: float
    end: float
    status: str
    caption: str | None
    picture: Path | None

    @property
    def timecodes(self) -> tuple[str, str]:
        """Start and end for people."""
        return timecode(Fraction(self.start)), timecode(Fraction(self.end))


@dataclass(frozen=True, slots=True)
class UnreadTimeline:
    """A timeline that is not searched: its path below OUTPUT, and why."""

    file: str
    what: str


@dataclass(frozen=True, slots=True)
class SearchReport:
    """What was found, best first. `num_found` scenes answer, or more than that many with `is_more`.

    `fresh_seconds` went into finding out which timelines changed, `query_seconds` into the question itself.
    """

    query: Query
    hits: tuple[SceneHit, ...]
    num_found: int
    is_more: bool
    num_timelines: int
    num_scenes: int
    unread: tuple[UnreadTimeline, ...]
    fresh_seconds: float = 0.0
    query_seconds: float = 0.0

    @property
    def exit_code(self) -> ExitCode:
        """0, also when nothing was found; 3 when a timeline could not be read."""
        return ExitCode.PARTIAL if self.unread else ExitCode.OK


def search_output(
    root: Path, text: str, *, limit: int, videos: Sequence[str], tell: Callable[[str], None]
) -> SearchReport:
    """The best `limit` scenes below `root` that answer `text`, of the videos that a pattern takes.

    Raises `UsageError`, `NoInputsError` where no timeline can be read, and `StorageError`.
    """
    query = read_query(text)
    if not root.is_dir():
        raise UsageError(
            f"{printable(root)} is not a folder.",
            hint="Give the OUTPUT folder of an earlier `vlmtl run`.",
        )
    check_fts5()
    layout = OutputLayout(root.resolve())
    started = time.perf_counter()
    stamps = stamps_below(layout.root)
    if not stamps:
        raise NoInputsError(
            f"No timeline was found in {printable(root)}.",
            hint="Give the OUTPUT folder of an earlier `vlmtl run`.",
        )

    def ask(connection: sqlite3.Connection) -> SearchReport:
        return answer(connection, query, root, limit=limit, videos=videos, started=started)

    report = SearchIndex(layout, tell).ask(stamps, ask)
    if len(report.unread) == report.num_timelines:
        first = report.unread[0]
        raise NoInputsError(
            f"{printable(root)}: none of its timelines can be read; the first is {first.file}, "
            f"which {first.what}",
            hint="`vlmtl validate` tells what is wrong, `vlmtl run --force` writes documents anew.",
        )
    return report


def answer(
    connection: sqlite3.Connection,
    query: Query,
    root: Path,
    *,
    limit: int,
    videos: Sequence[str],
    started: float,
) -> SearchReport:
    """What an index that is up to date says; `started` is when it began to be looked at."""
    ready = time.perf_counter()
    ranges = _chosen_rows(connection, videos)
    ranked = rank(connection, query, ranges, limit)
    hits = [_hit(connection, row, root) for row in ranked.rows]
    asked = time.perf_counter()
    num_timelines, num_scenes = connection.execute("SELECT num_timelines, num_scenes FROM about").fetchone()
    problems = connection.execute(
        "SELECT relative, problem FROM timelines WHERE problem IS NOT NULL ORDER BY relative"
    )
    unread = [
        UnreadTimeline(printable(os.fsdecode(relative) + TIMELINE_SUFFIX), problem)
        for relative, problem in problems
    ]
    return SearchReport(
        query,
        tuple(hits),
        ranked.num_found,
        ranked.is_more,
        num_timelines,
        num_scenes,
        tuple(unread),
        ready - started,
        asked - ready,
    )


def _chosen_rows(connection: sqlite3.Connection, videos: Sequence[str]) -> list[Rows]:
    """The rows of the timelines that a pattern takes, sorted; those that touch are one."""
    if not videos:
        return [(0, connection.execute("SELECT end_row FROM about").fetchone()[0])]
    chosen: list[Rows] = []
    # Most paths are told apart by what stands before the first `*` of the patterns.
    begins = tuple(os.fsencode(_MAGIC.split(each.strip("/"))[0]) if "/" in each else b"" for each in videos)
    files = connection.execute("SELECT relative, first_row, end_row FROM timelines ORDER BY first_row")
    for relative, first, end in files:
        if relative.startswith(begins) and is_included(os.fsdecode(relative).split("/"), videos):
            start = chosen.pop()[0] if chosen and chosen[-1][1] == first else first
            chosen.append((start, end))
    return chosen


def _hit(connection: sqlite3.Connection, row: int, root: Path) -> SceneHit:
    relative, video, number, start, end, status, caption, picture = connection.execute(
        "SELECT relative, video, number, start, end, status, caption, picture FROM scenes "
        "JOIN timelines ON timelines.id = scenes.timeline WHERE row = ?",
        (row,),
    ).fetchone()
    name = os.fsdecode(relative)
    saved = (root / name).parent / picture if picture else None
    return SceneHit(video_path(video), name + TIMELINE_SUFFIX, number, start, end, status, caption, saved)
