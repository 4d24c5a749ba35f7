"""Templates, style and scripts put together: one file a page, which loads nothing and asks nobody.

The content security policy names the style and the script by hash, so that nothing else in the page can run,
whatever a caption says. Videos come from the disk (`file:`), or from where the page is served (`'self'`).
"""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from corridor_cli.timeline.report.facts import Problem, Row
from corridor_cli.timeline.report.library import LibraryPage
from corridor_cli.timeline.report.style import FILES, base_style, read_file
from corridor_cli.timeline.report.views import SceneView, StripView

_SCRIPTS = {"video.html": ("shared.js", "video.js"), "library.html": ("shared.js", "library.js")}


@dataclass(frozen=True, slots=True)
class Player:
    """Where the video is for a browser: `url` is relative to the page, None where it is not there.

    `note` says what people should know of it.
    """

    url: str | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class VideoPage:
    """Everything that `video.html` shows."""

    name: str
    status: str
    facts: list[str]
    title: str
    synopsis: str
    tags: str
    problems: list[Problem]
    problem_counts: str
    scenes: list[SceneView]
    strip: StripView
    player: Player
    pictures_note: str
    has_pictures: bool
    provenance: list[list[Row]]
    library_url: str
    document_url: str
    document_name: str


def video_html(page: VideoPage) -> bytes:
    """The page of one video."""
    return _render("video.html", page=page)


def library_html(page: LibraryPage) -> bytes:
    """The page of a folder."""
    found = {"videos": [video.name for video in page.videos], "scenes": page.captions}
    return _render("library.html", page=page, captions=_embedded(found))


def policy(style: str, script: str) -> str:
    """What the page may do: show its own style, run its own script, play a video of this machine."""
    return (
        "default-src 'none'; "
        f"script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "img-src data:; media-src 'self' file:; base-uri 'none'; form-action 'none'"
    )


def _render(template: str, **values: object) -> bytes:
    style = base_style() + read_file("page.css")
    script = "\n" + "".join(map(read_file, _SCRIPTS[template]))
    text = (
        _environment()
        .get_template(template)
        .render(policy=policy(style, script), style=Markup(style), script=Markup(script), **values)
    )
    return text.encode("utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(FILES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _hash(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode("utf-8")).digest()).decode("ascii")


def _embedded(value: object) -> Markup:
    """JSON inside of a script element: no sign in it can end the element or begin a comment."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)
