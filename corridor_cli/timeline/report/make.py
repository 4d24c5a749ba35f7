"""One document made into its page and its row in the library."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from urllib.parse import quote

from corridor_cli.printable import printable
from corridor_cli.timeline.exports.plain import one_line
from corridor_cli.timeline.layout import LIBRARY_NAME, REPORT_SUFFIX
from corridor_cli.timeline.report.facts import (
    Problem,
    problem_counts,
    problems_of,
    provenance_rows,
    source_facts,
)
from corridor_cli.timeline.report.library import VideoRow
from corridor_cli.timeline.report.pages import Player, VideoPage, video_html
from corridor_cli.timeline.report.thumbnails import poster, thumbnails
from corridor_cli.timeline.report.views import lines_of, scene_views, strip_view
from corridor_cli.timeline.schema import Timeline
from corridor_cli.timeline.timecode import timecode


@dataclass(frozen=True, slots=True)
class MadePage:
    """The bytes of a video's page, and its row in the library."""

    html: bytes
    row: VideoRow


def make_page(
    timeline: Timeline,
    name: str,
    document_name: str,
    player: Player,
    pictures: dict[str, bytes],
    pictures_note: str,
) -> MadePage:
    """The page of a document; `name` is its path below OUTPUT without suffix, valid UTF-8.

    `pictures` are JPEGs by scene id, and `pictures_note` says why some are missing.
    """
    small = thumbnails(pictures)
    if not pictures_note and len(small) < len(pictures):
        pictures_note = f"{len(pictures) - len(small):,} pictures are left out: they are damaged or too many."
    problems = problems_of(timeline)
    summary = timeline.summary
    page = VideoPage(
        printable(timeline.source.name),
        timeline.status,
        source_facts(timeline.source),
        one_line(summary.title or "") if summary else "",
        lines_of(summary.synopsis or "") if summary else "",
        one_line(", ".join(summary.tags)) if summary else "",
        problems,
        problem_counts(problems),
        scene_views(timeline, small),
        strip_view(timeline),
        player,
        pictures_note,
        bool(small),
        provenance_rows(timeline),
        ("../" * name.count("/") or "./") + LIBRARY_NAME,
        link_to(document_name),
        printable(document_name),
    )
    return MadePage(video_html(page), _row(timeline, name, problems, pictures))


def link_to(relative: str) -> str:
    """A path relative to the page as a URL; `./` keeps a name with a colon from being read as a scheme."""
    return quote(os.fsencode(f"./{relative}"), safe="/!~*'()")


def _row(timeline: Timeline, name: str, problems: list[Problem], pictures: dict[str, bytes]) -> VideoRow:
    scenes = timeline.scenes
    errors = [each for each in problems if each.kind == "error"]
    length = timeline.source.duration
    middle = (
        pictures.get(scenes[len(scenes) // 2].id) or next(iter(pictures.values()), None) if scenes else None
    )
    return VideoRow(
        name=printable(name),
        url=link_to(name + REPORT_SUFFIX),
        status=timeline.status,
        seconds=length or 0.0,
        duration="" if length is None else timecode(Fraction(length)),
        num_scenes=len(scenes),
        num_without_caption=sum(scene.caption.text is None for scene in scenes),
        num_errors=len(errors),
        num_warnings=len(problems) - len(errors),
        why=_why(errors),
        made=one_line(timeline.run.created_at).replace("T", " ")[:16],
        poster=poster(middle) if middle else None,
        captions=tuple(
            (scene.index + 1, scene.start_timecode, one_line(scene.caption.text))
            for scene in scenes
            if scene.caption.text
        ),
    )


def _why(errors: list[Problem]) -> str:
    if not errors:
        return ""
    more = f" (and {len(errors) - 1:,} more)" if len(errors) > 1 else ""
    return errors[0].text + more
