"""Scenes that were found, for people and as JSON."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from corridor_cli.cli.page import Page, one_line
from corridor_cli.printable import encodable, printable, shell_word
from corridor_cli.timeline.search.words import placed_words

if TYPE_CHECKING:
    from rich.text import Text

    from corridor_cli.runners.search import SceneHit, SearchReport
    from corridor_cli.timeline.search.query import Query

MAX_CAPTION_CHARS = 400
"""Of a longer caption the part around the first hit is shown."""


def report_as_json(report: SearchReport) -> str:
    """The whole report; bytes of paths that are not UTF-8 are written as in documents."""
    document = {
        "num_found": report.num_found,
        "is_more": report.is_more,
        "num_timelines": report.num_timelines,
        "num_scenes": report.num_scenes,
        "fresh_seconds": round(report.fresh_seconds, 6),
        "query_seconds": round(report.query_seconds, 6),
        "scenes": [_hit_as_json(hit) for hit in report.hits],
        "unread": [{"file": each.file, "what": each.what} for each in report.unread],
        "exit_code": int(report.exit_code),
    }
    return json.dumps(document, indent=2)


def _hit_as_json(hit: SceneHit) -> dict[str, Any]:
    start, end = hit.timecodes
    return {
        "video": encodable(hit.video),
        "timeline": encodable(hit.timeline),
        "scene": hit.number,
        "start": hit.start,
        "end": hit.end,
        "start_timecode": start,
        "end_timecode": end,
        "caption_status": hit.status,
        "caption": hit.caption,
        "picture": encodable(str(hit.picture)) if hit.picture else None,
        "open": open_command(hit),
    }


def report_text(report: SearchReport) -> str:
    """The scenes for people: within the width of a terminal, with the words that were asked for marked."""
    from rich.text import Text

    page = Page()
    for number, hit in enumerate(report.hits, start=1):
        start, end = hit.timecodes
        head = Text(f"{number}. ").append(printable(hit.video), style="bold")
        page.line(head.append(f"  scene {hit.number}  {start}–{end}", style="cyan"))
        page.line(_caption(hit, report.query), indent=3)
        if hit.picture:
            page.line(f"picture  {printable(hit.picture)}", indent=3, style="dim", is_copied=True)
        page.line(f"open     {open_command(hit)}", indent=3, style="dim", is_copied=True)
        page.line()
    return page.text


def _caption(hit: SceneHit, query: Query) -> Text:
    from rich.text import Text

    if hit.caption is None:
        return Text(f"(no caption: {hit.status})", style="dim")
    caption = one_line(hit.caption)
    marks = list(hit_places(caption, query))
    text = Text(caption)
    for start, end in marks:
        text.stylize("bold yellow", start, end)
    if len(caption) > MAX_CAPTION_CHARS:
        first = marks[0][0] if marks else 0
        begin = max(0, min(first - MAX_CAPTION_CHARS // 4, len(caption) - MAX_CAPTION_CHARS))
        end = begin + MAX_CAPTION_CHARS
        text = Text.assemble("…" if begin else "", text[begin:end], "…" if end < len(caption) else "")
    return text


def hit_places(text: str, query: Query) -> Iterator[tuple[int, int]]:
    """Where in a text the words stand that were asked for: characters `[start, end)`, one after another."""
    words = list(placed_words(text))
    wanted = [(term.words.split(" "), term.is_prefix) for term in query.terms]
    place = 0
    while place < len(words):
        longest = 0
        for term, is_prefix in wanted:
            here = [word.text for word in words[place : place + len(term)]]
            is_last_like = len(here) == len(term) and here[-1].startswith(term[-1])
            if here == term or (is_prefix and is_last_like and here[:-1] == term[:-1]):
                longest = max(longest, len(term))
        if longest:
            yield words[place].start, words[place + longest - 1].end
        place += max(longest, 1)


def open_command(hit: SceneHit) -> str:
    """A command for bash that plays the video from the scene's start: mpv's, or ffplay's where only it is."""
    path = hit.video
    if path.startswith("-") or (":" in path and not path.startswith("/")):
        path = f"./{path}"  # neither an option nor a protocol
    if shutil.which("mpv") is None and shutil.which("ffplay") is not None:
        return f"ffplay -ss {hit.start:.3f} {shell_word(path)}"
    return f"mpv --start={hit.start:.3f} {shell_word(path)}"
