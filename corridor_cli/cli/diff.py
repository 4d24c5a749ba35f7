"""`vlmtl diff`: what two runs say differently of the same videos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from corridor_cli.cli.options import PlainUsage
from corridor_cli.cli.results import show, show_file
from corridor_cli.errors import CheckFailedError
from corridor_cli.printable import printable


class DiffCommand(PlainUsage):
    """Shows its arguments as they are meant."""

    usage = "A B"


def diff(
    before: Annotated[Path, typer.Argument(metavar="A", hidden=True)],
    after: Annotated[Path, typer.Argument(metavar="B", hidden=True)],
    limit: Annotated[
        int, typer.Option("-n", "--limit", metavar="N", min=0, help="Show so many videos that differ.")
    ] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 8 where anything differs.")
    ] = False,
) -> None:
    """Compare the captions of two runs: B against A, scene by scene and word by word.

    A and B are two OUTPUT folders, or two timelines (out/a.mp4 means out/a.mp4.timeline.json). Videos are
    matched by their path, then by their content; scenes by the time they share.

    Words of A alone are shown as [-so-], words of B alone as {+so+}, on a terminal in colours. The similarity
    of two captions is twice the number of words they have in common, in the same order, by the number of all
    their words: 1 is the same, 0 nothing in common.
    """
    import tempfile

    from corridor_cli.cli.diff_json import head_as_json, tail_as_json, video_as_json
    from corridor_cli.cli.diff_lines import change_text, totals_text
    from corridor_cli.runners.diff import DiffTotals, compare_pairs, pair_documents

    totals = DiffTotals()
    num_shown = 0
    pairs = pair_documents(before, after)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as text:
        text.write(head_as_json(before, after))
        for number, change in enumerate(compare_pairs(pairs)):
            totals.take(change)
            if change.problem:
                typer.echo(f"vlmtl: warning: {printable(change.problem)}; skipped", err=True)
            if as_json:
                text.write((",\n" if number else "\n") + video_as_json(change))
            elif change.state not in ("same", "unread") and num_shown < limit:
                num_shown += 1
                show(change_text(change))
        if as_json:
            text.write(tail_as_json(totals, is_checked=exit_code))
            show_file(text)
        else:
            show(totals_text(totals, num_shown))
    if exit_code and not totals.is_same:
        raise CheckFailedError(f"{printable(before)} and {printable(after)} differ")
    raise typer.Exit(totals.exit_code)
