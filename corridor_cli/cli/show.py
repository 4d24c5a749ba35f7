"""`vlmtl show`: one timeline for people."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from corridor_cli.cli.results import show as show_result
from corridor_cli.errors import UsageError
from corridor_cli.printable import printable


def show(
    timeline: Annotated[
        Path, typer.Argument(metavar="TIMELINE", help="A timeline, or the name of a video in OUTPUT.")
    ],
    scene: Annotated[
        str | None, typer.Option(metavar="N", help="Only this scene, with all its frames; 1 is the first.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the document as it is.")] = False,
) -> None:
    """Print one timeline: the video, what captioned it, and each scene with its caption or why it has none.

    `vlmtl show out/holiday/beach.mp4` means out/holiday/beach.mp4.timeline.json, or its .failed.json.
    """
    from corridor_cli.cli.show_lines import scene_page, timeline_page
    from corridor_cli.timeline.opened import document_path, open_timeline

    opened = open_timeline(document_path(timeline))
    document = opened.timeline
    if scene is None:
        text = opened.data.decode("utf-8").rstrip("\n") if as_json else timeline_page(opened.path, document)
    else:
        chosen = document.scenes[_place(scene, len(document.scenes))]
        text = chosen.model_dump_json(indent=2) if as_json else scene_page(opened.path, document, chosen)
    show_result(text)


def _place(given: str, num_scenes: int) -> int:
    found = re.fullmatch(r"s?0*([1-9][0-9]{0,8})", given)
    if found is None or int(found[1]) > num_scenes:
        allowed = f"1 to {num_scenes:,}" if num_scenes else "nothing, for it has no scene"
        raise UsageError(f"flag --scene: got '{printable(given)}', allowed: {allowed}")
    return int(found[1]) - 1
