"""`vlmtl search`: the scenes of a folder's timelines whose captions say something."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corridor_cli.cli.options import PlainUsage
from corridor_cli.cli.results import show
from corridor_cli.printable import printable

if TYPE_CHECKING:
    from corridor_cli.runners.search import SearchReport

_MAX_LISTED = 20


class SearchCommand(PlainUsage):
    """Shows its arguments as they are meant."""

    usage = "OUTPUT QUERY..."


def search(
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="A folder that `vlmtl run` wrote to.")],
    query: Annotated[list[str], typer.Argument(metavar="QUERY...", help="What to look for.")],
    limit: Annotated[
        int, typer.Option("-n", "--limit", metavar="N", min=1, max=1000, help="Show so many scenes.")
    ] = 10,
    videos: Annotated[
        list[str] | None,
        typer.Option("--video", metavar="PATTERN", help="Only in videos like this; repeatable."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the scenes as JSON.")] = False,
) -> None:
    """Find scenes by what their captions, tags, titles and paths say; needs neither videos nor a model.

    QUERY: words (all of them), '"an exact phrase"', the begin* of a word, OR between what may stand for each
    other, -word for what must not be there. Case and accents do not matter. Put it all in one pair of
    quotes, for the shell has meanings of its own for most of these signs.

    The index is kept in OUTPUT/.vlmtl and follows the timelines. Finding nothing is no error: exit code 0.
    """
    from corridor_cli.cli.search_results import report_as_json, report_text
    from corridor_cli.runners.search import search_output

    def tell(note: str) -> None:
        typer.echo(f"vlmtl: {printable(note)}", err=True)

    report = search_output(output, " ".join(query), limit=limit, videos=videos or (), tell=tell)
    if as_json:
        show(report_as_json(report))
    elif report.hits:
        show(report_text(report))
    for line in _notes(report):
        tell(line)
    raise typer.Exit(report.exit_code)


def _notes(report: SearchReport) -> list[str]:
    from corridor_cli.telemetry import counted

    scenes, timelines = counted(report.num_scenes, "scene"), counted(report.num_timelines, "timeline")
    found = counted(report.num_found, "scene")
    if report.is_more:
        notes = [f"more than {found} found; the best of the first of them are shown: more words find fewer"]
    elif not report.num_found:
        notes = [f"nothing found in {scenes} of {timelines}"]
    else:
        shown = f", the best {len(report.hits)} are shown" if len(report.hits) < report.num_found else ""
        notes = [f"{found} found in {scenes} of {timelines}{shown}"]
    notes += [f"warning: {each.file}: {each.what}" for each in report.unread[:_MAX_LISTED]]
    if len(report.unread) > _MAX_LISTED:
        notes.append(f"warning: and {len(report.unread) - _MAX_LISTED:,} more; --json lists all of them")
    return notes
