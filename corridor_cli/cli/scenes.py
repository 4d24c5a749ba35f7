"""`vlmtl scenes`: cuts only, as a table, JSON, CSV, scores or contact sheets."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corridor_cli.cli.options import (
    INPUT_FLAGS,
    ConfigFile,
    Cuts,
    Exclude,
    FailFast,
    Include,
    Limit,
    LogFormat,
    PlainUsage,
    Quiet,
    Set,
    flag_overrides,
    given_arguments,
    read_sets,
)
from corridor_cli.errors import UsageError, VlmtlError
from corridor_cli.printable import printable

if TYPE_CHECKING:
    from corridor_cli.cli.scene_results import Form
    from corridor_cli.config import Override
    from corridor_cli.pipeline.scene_lists import ScenesRequest
    from corridor_cli.settings import Settings
    from corridor_cli.telemetry import RunOptions
    from corridor_cli.timeline.listing import SceneListing

# parameter of `scenes`: the flag and the setting it stands for
_FLAGS = {
    "detector": ("--detector", "scenes.detector"),
    "threshold": ("--threshold", "scenes.threshold"),
    "workers": ("--workers", "decode.workers"),
    **INPUT_FLAGS,
    "fail_fast": ("--fail-fast", "errors.fail_fast"),
    "log_format": ("--log-format", "logging.format"),
}


class ScenesCommand(PlainUsage):
    """Shows its argument as it is meant."""

    usage = "INPUT..."


def scenes(
    context: typer.Context,
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", hidden=True)],
    output: Annotated[
        Path | None,
        typer.Option(metavar="OUTPUT", help="Share scan records with `vlmtl run INPUT OUTPUT`."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of tables.")] = False,
    csv: Annotated[
        str | None,
        typer.Option(metavar="FILE|FOLDER|-", help="Write scenes as CSV: one file, or one a video."),
    ] = None,
    stats: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER|FILE", help="Write each frame's scores as CSV, to choose a threshold."),
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Draw a contact sheet of each video.")
    ] = None,
    config: ConfigFile = None,
    sets: Set = None,
    detector: Annotated[
        str | None, typer.Option(metavar="NAME", help="What finds the scenes: scenes.detector.")
    ] = None,
    cuts: Cuts = None,
    threshold: Annotated[
        str | None, typer.Option(metavar="N", help="How large a change is a cut: scenes.threshold.")
    ] = None,
    workers: Annotated[
        str | None, typer.Option(metavar="auto|N", help="Videos that are decoded together.")
    ] = None,
    include: Include = None,
    exclude: Exclude = None,
    limit: Limit = None,
    force: Annotated[bool, typer.Option("--force", help="Scan again what is recorded.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Scan again what is recorded as damaged.")
    ] = False,
    fail_fast: FailFast = False,
    quiet: Quiet = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Tell of each video.")] = False,
    log_format: LogFormat = None,
) -> None:
    """Find the scenes of videos, without captions and without a model.

    INPUT is a file, a folder (with all below it) or a pattern. Prints a table a video. With --output the
    scans are recorded as `vlmtl run` records them, so that neither command scans a file twice; without it
    nothing is written but what was asked for.

    A path of --csv or --stats that ends in .csv is one file, any other a folder with a file for each video;
    --csv - writes to stdout. CSV of one video named itself has exactly the columns that the detector `file`
    reads; else the path of the video comes first.
    """
    if as_json and csv == "-":
        raise UsageError("got both --json and --csv -, allowed: one of them on stdout")
    overrides = [*read_sets(sets or []), *flag_overrides(context.params, _FLAGS)]
    request = _request(output, csv, stats, sheet)
    raise typer.Exit(_prepare(inputs, request, config, overrides, context))


def _prepare(
    inputs: list[str],
    request: ScenesRequest,
    config: Path | None,
    overrides: list[Override],
    context: typer.Context,
) -> int:
    from corridor_cli.config import load_settings
    from corridor_cli.telemetry import RunOptions

    _require_folders(request)
    settings = load_settings(config, overrides, os.environ).settings
    parameters = context.params
    is_one_video = len(inputs) == 1 and Path(inputs[0]).is_file()
    forms = _forms(parameters["csv"], parameters["as_json"], is_one_video, settings)
    options = RunOptions(force=parameters["force"], retry_failed=parameters["retry_failed"])
    with ExitStack() as stack:
        for form in forms:
            stack.callback(form.close)
        return _run(inputs, request, settings, options, forms, given_arguments(context))


def _require_folders(request: ScenesRequest) -> None:
    from corridor_cli.pipeline.scene_lists import is_one_file

    stats = None if request.stats is None or is_one_file(request.stats) else request.stats
    output = request.output.root if request.output else None
    paths = {"--output": output, "--sheet": request.sheet, "--stats": stats, "--csv": request.csv}
    for flag, path in paths.items():
        if path is not None and path.is_file():
            is_table = flag in ("--stats", "--csv")
            raise UsageError(
                f"{flag} is {printable(path)}, which is a file, allowed: a folder, new or not",
                hint="A path that ends in .csv is one file." if is_table else "Name a folder.",
            )


def _request(output: Path | None, csv: str | None, stats: Path | None, sheet: Path | None) -> ScenesRequest:
    from corridor_cli.pipeline.scene_lists import ScenesRequest, is_one_file
    from corridor_cli.timeline.layout import OutputLayout

    folder = None if csv is None or csv == "-" or is_one_file(Path(csv)) else Path(csv)
    return ScenesRequest(OutputLayout(output.resolve()) if output else None, stats, sheet, folder)


def _forms(csv: str | None, as_json: bool, is_one_video: bool, settings: Settings) -> list[Form]:
    """One form on stdout, and a CSV file where it was asked for."""
    from corridor_cli.cli.scene_results import CsvForm, JsonForm, TableForm
    from corridor_cli.pipeline.scene_lists import is_one_file

    def as_csv(target: Path | None) -> Form:
        return CsvForm(target, has_paths=not is_one_video, fsync=settings.output.fsync)

    if csv == "-":
        return [as_csv(None)]
    shown: Form = JsonForm() if as_json else TableForm()
    is_file = csv is not None and is_one_file(Path(csv))
    return [as_csv(Path(csv)), shown] if csv is not None and is_file else [shown]


def _run(
    inputs: list[str],
    request: ScenesRequest,
    settings: Settings,
    options: RunOptions,
    forms: list[Form],
    arguments: Sequence[str],
) -> int:
    from corridor_cli.cli.reporting import open_reporter
    from corridor_cli.pipeline.spool import temporary_folder_error
    from corridor_cli.runners.scenes import run_scenes

    num_listings = 0

    def take(listing: SceneListing) -> None:
        nonlocal num_listings
        num_listings += 1
        try:
            for form in forms:
                form.take(listing)
        except OSError as error:
            raise temporary_folder_error(error) from error

    with open_reporter(settings.logging, sys.stderr) as reporter:
        try:
            outcome = run_scenes(inputs, request, settings, options, reporter, take)
        except VlmtlError as error:
            failure: VlmtlError | None = error
            if settings.logging.format == "json":
                reporter.run_failed(error)
        else:
            failure = None
            reporter.run_finished(outcome, arguments, is_dry_run=False)
    # What was found is shown also when the run could not go on.
    for form in forms if num_listings or failure is None else ():
        form.show()
    if failure is None:
        return outcome.exit_code
    if settings.logging.format == "json":
        return failure.exit_code
    raise failure
