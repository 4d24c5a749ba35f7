"""`vlmtl report`: the timelines of a folder as pages for a browser."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corridor_cli.cli.results import show
from corridor_cli.printable import printable

if TYPE_CHECKING:
    from corridor_cli.runners.report import PagesReport

_MAX_LISTED = 20


def report(
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="A folder that `vlmtl run` wrote to.")],
    thumbnails: Annotated[
        bool, typer.Option("--thumbnails/--no-thumbnails", help="Put a picture of each scene in the pages.")
    ] = True,
    force: Annotated[
        bool, typer.Option("--force", help="Replace pages that were changed, or are not by vlmtl.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON on stdout.")] = False,
) -> None:
    """Make pages to look at: OUTPUT/report.html for all videos, and one beside each timeline.

    A page is one file that asks nothing of any network: scenes to scale, pictures, captions, a search box,
    failures and warnings, and what made it. Where the video is on this machine a click plays it from there.

    Pictures are those that the run saved, else they are taken from the videos. What an earlier report wrote
    is written anew; a page that was changed since, or is not by vlmtl, is kept (exit code 3).
    """
    from corridor_cli.cli.reporting import open_reporter
    from corridor_cli.runners.report import report_output
    from corridor_cli.settings import LoggingSettings

    with open_reporter(LoggingSettings(), sys.stderr) as reporter:
        made = report_output(output, force=force, with_thumbnails=thumbnails, reporter=reporter)
    show(_as_json(made) if as_json else "\n".join(_lines(made)))
    for line in _warnings(made):
        typer.echo(f"vlmtl: warning: {printable(line)}", err=True)
    raise typer.Exit(made.exit_code)


def _as_json(made: PagesReport) -> str:
    import json

    document = {
        "library": printable(made.library),
        "num_videos": len(made.rows),
        "num_scenes": sum(row.num_scenes for row in made.rows),
        "videos": [{"video": row.name, "page": row.url, "status": row.status} for row in made.rows],
        "pages": made.counts,
        "kept": made.kept,
        "unread": [{"file": each.file, "what": each.what} for each in made.unread],
        "exit_code": int(made.exit_code),
    }
    return json.dumps(document, indent=2)


def _lines(made: PagesReport) -> list[str]:
    from corridor_cli.telemetry import counted

    failed = sum(row.status == "failed" for row in made.rows)
    scenes = counted(sum(row.num_scenes for row in made.rows), "scene")
    told = ", ".join(f"{number:,} {fate}" for fate, number in sorted(made.counts.items(), reverse=True))
    return [
        f"{counted(len(made.rows), 'video')}, {scenes}" + (f"; {failed:,} failed" if failed else ""),
        f"  pages: {told or 'none'}",
        printable(made.library) if made.stopped_by is None else "stopped; the library page is as it was",
    ]


def _warnings(made: PagesReport) -> list[str]:
    why = "kept, for it was changed since, or is not by vlmtl; `vlmtl report --force` replaces it"
    lines: list[str] = []
    for kind in (
        [f"{each.file}: {each.what}" for each in made.unread],
        [f"{page}: {why}" for page in made.kept],
    ):
        lines += kind[:_MAX_LISTED]
        if len(kind) > _MAX_LISTED:
            lines.append(f"and {len(kind) - _MAX_LISTED:,} more; --json lists all of them")
    return lines
