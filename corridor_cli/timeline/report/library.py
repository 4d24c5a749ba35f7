"""What stands on the library page: totals, a row a video, and the captions that its search box knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from corridor_cli.telemetry import counted, format_duration
from corridor_cli.timeline.exports.plain import one_line
from corridor_cli.timeline.report.thumbnails import Thumbnail

MAX_CAPTION_CHARACTERS = 8 * 1024 * 1024
"""More of them make a page that takes seconds to open: then it finds videos by name alone."""
MAX_POSTER_BYTES = 3 * 1024 * 1024

CaptionRow = tuple[int, int, str, str]
"""The video's row, the scene's number, its timecode, its caption."""


@dataclass(frozen=True, slots=True)
class VideoRow:
    """A video in the table. `captions` are (number of the scene, its timecode, its caption)."""

    name: str
    url: str
    status: str
    seconds: float
    duration: str
    num_scenes: int
    num_without_caption: int
    num_errors: int
    num_warnings: int
    why: str
    made: str
    poster: Thumbnail | None
    captions: tuple[tuple[int, str, str], ...]


@dataclass(frozen=True, slots=True)
class Unread:
    """A document that cannot be read: its path below OUTPUT, and why."""

    file: str
    what: str


@dataclass(frozen=True, slots=True)
class Tile:
    """A total: its value, what it counts, and whether it is good news."""

    value: str
    label: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class LibraryPage:
    """Everything that `library.html` shows."""

    title: str
    tiles: list[Tile]
    videos: list[VideoRow]
    unread: list[Unread]
    unread_count: str
    has_posters: bool
    captions: list[CaptionRow]
    search_note: str


def library_page(title: str, videos: Sequence[VideoRow], unread: Sequence[Unread]) -> LibraryPage:
    """The page of a folder called `title`, its videos in the order given."""
    rows = _with_room_for_posters(videos)
    captions: list[CaptionRow] = [
        (place, *caption) for place, video in enumerate(rows) for caption in video.captions
    ]
    note = ""
    if sum(len(caption) for _, _, _, caption in captions) > MAX_CAPTION_CHARACTERS:
        captions = []
        note = "The captions are too many for one page: its search box finds videos by name alone. "
        note += (
            "In a terminal `vlmtl search` finds scenes, and each video's page has a search box of its own."
        )
    return LibraryPage(
        one_line(title),
        _tiles(rows),
        rows,
        list(unread),
        counted(len(unread), "document"),
        any(video.poster for video in rows),
        captions,
        note,
    )


def _tiles(videos: Sequence[VideoRow]) -> list[Tile]:
    def count(status: str) -> int:
        return sum(video.status == status for video in videos)

    without = sum(video.num_without_caption for video in videos)
    tiles = [
        _counted(len(videos), "video"),
        Tile(format_duration(sum(video.seconds for video in videos)), "of video"),
        _counted(sum(video.num_scenes for video in videos), "scene"),
        Tile(f"{count('complete'):,}", "complete"),
    ]
    if partial := count("partial"):
        tiles.append(Tile(f"{partial:,}", "partial", "warn"))
    if failed := count("failed"):
        tiles.append(Tile(f"{failed:,}", "failed", "bad"))
    if without:
        tiles.append(Tile(f"{without:,}", "scenes without caption", "warn"))
    return tiles


def _counted(number: int, noun: str) -> Tile:
    return Tile(f"{number:,}", noun if number == 1 else f"{noun}s")


def _with_room_for_posters(videos: Sequence[VideoRow]) -> list[VideoRow]:
    """All of them with posters, or none: half a column of pictures tells nothing."""
    if sum(len(video.poster.uri) for video in videos if video.poster) <= MAX_POSTER_BYTES:
        return list(videos)
    return [replace(video, poster=None) for video in videos]
