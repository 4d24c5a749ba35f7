"""`vlmtl export`: subtitles, chapters, edit lists and tables from the timelines of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corridor_cli.cli.results import show
from corridor_cli.errors import UsageError
from corridor_cli.printable import printable

if TYPE_CHECKING:
    from corridor_cli.runners.export import ExportReport

_MAX_LISTED = 20


def export(
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="A folder that `vlmtl run` wrote to.")],
    formats: Annotated[
        list[str] | None,
        typer.Option("-f", "--format", metavar="FORMAT", help="What to write; repeatable, or with commas."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that were changed, or are not by vlmtl.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON on stdout.")] = False,
) -> None:
    """Write the timelines of a folder in other formats; needs neither videos nor a model.

    Beside each timeline: srt, vtt, txt, markdown, ffmetadata (chapters), edl, otio. One table of all scenes
    in OUTPUT: csv, tsv, jsonl, parquet, hf (a folder for datasets.load_dataset).

    What an earlier export wrote is written anew where its timeline has changed. A file that was changed
    since, or is not by vlmtl, is kept (exit code 3).
    """
    from corridor_cli.runners.export import export_output
    from corridor_cli.timeline.exports.registry import FORMATS, choose_formats

    names = [name.strip() for given in formats or () for name in given.split(",") if name.strip()]
    if not names:
        raise UsageError(
            f"got no format, allowed: {', '.join(FORMATS)}",
            hint="For example `vlmtl export out/ --format srt,parquet`.",
        )
    report = export_output(output, choose_formats(names), force=force)
    if as_json:
        show(_as_json(report))
    else:
        show("\n".join(_lines(report)))
    for line in _warnings(report):
        typer.echo(f"vlmtl: warning: {printable(line)}", err=True)
    raise typer.Exit(report.exit_code)


def _as_json(report: ExportReport) -> str:
    import json
    from dataclasses import asdict

    return json.dumps(asdict(report) | {"exit_code": int(report.exit_code)}, indent=2)


def _lines(report: ExportReport) -> list[str]:
    from corridor_cli.telemetry import counted

    captions = f", {report.num_without_caption:,} without a caption" if report.num_without_caption else ""
    failed = f"; {counted(report.num_failed, 'video')} failed and left out" if report.num_failed else ""
    timelines, scenes = counted(report.num_timelines, "timeline"), counted(report.num_scenes, "scene")
    lines = [f"{timelines}, {scenes}{captions}{failed}"]
    for name, counts in report.counts.items():
        told = ", ".join(f"{number:,} {fate}" for fate, number in sorted(counts.items(), reverse=True))
        lines.append(f"  {name}: {told}")
    return lines


def _warnings(report: ExportReport) -> list[str]:
    from corridor_cli.runners.export import kept_lines

    bad = [f"{problem.file}: {problem.what}" for problem in report.problems]
    lines: list[str] = []
    for kind in (bad, kept_lines(report.kept)):
        lines += kind[:_MAX_LISTED]
        if len(kind) > _MAX_LISTED:
            lines.append(f"and {len(kind) - _MAX_LISTED:,} more; --json lists all of them")
    if bad:
        lines.append(f"{len(bad):,} could not be exported; `vlmtl validate` tells more")
    return lines
