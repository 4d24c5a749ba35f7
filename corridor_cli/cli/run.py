"""`vlmtl run`: from the command line to a run and from its outcome to an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corridor_cli.cli.options import (
    CAPTION_FLAGS,
    INPUT_FLAGS,
    MODEL_FLAGS,
    ConfigFile,
    Cuts,
    Device,
    Engine,
    Exclude,
    FailFast,
    Include,
    Limit,
    LoadFormat,
    LogFormat,
    Mode,
    Model,
    PlainUsage,
    Preset,
    Prompt,
    Quiet,
    Set,
    Summary,
    Transcripts,
    flag_overrides,
    given_arguments,
    read_sets,
)
from corridor_cli.cli.results import show
from corridor_cli.errors import UsageError, VlmtlError
from corridor_cli.printable import printable

if TYPE_CHECKING:
    from corridor_cli.config import Override
    from corridor_cli.telemetry import RunOptions

# parameter of `run`: the flag and the setting it stands for
_FLAGS = {
    **MODEL_FLAGS,
    "batch_size": ("--batch-size", "gpu_pipeline.internvl3.batch_size"),
    **CAPTION_FLAGS,
    **INPUT_FLAGS,
    "fail_fast": ("--fail-fast", "errors.fail_fast"),
    "log_format": ("--log-format", "logging.format"),
}


class RunCommand(PlainUsage):
    """Shows its arguments as they are meant."""

    usage = "INPUT... OUTPUT"


def run(
    context: typer.Context,
    paths: Annotated[list[str], typer.Argument(metavar="INPUT... OUTPUT", hidden=True)],
    config: ConfigFile = None,
    sets: Set = None,
    model: Model = None,
    load_format: LoadFormat = None,
    preset: Preset = None,
    engine: Engine = None,
    device: Device = None,
    batch_size: Annotated[
        str | None, typer.Option(metavar="auto|N", help="Requests that run together.")
    ] = None,
    prompt: Prompt = None,
    mode: Mode = None,
    summary: Summary = False,
    transcripts: Transcripts = None,
    cuts: Cuts = None,
    include: Include = None,
    exclude: Exclude = None,
    limit: Limit = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Do finished videos again.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try inputs again that failed or are partial.")
    ] = False,
    fail_fast: FailFast = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Write where the time goes to OUTPUT/.vlmtl/profile.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON on stdout.")] = False,
    quiet: Quiet = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Tell of each batch and each video.")
    ] = False,
    log_format: LogFormat = None,
) -> None:
    """Turn videos into scene-by-scene timelines with captions.

    INPUT is a file, a folder (with all below it) or a pattern; the last path, OUTPUT, is the folder to write
    to. -- ends the options, for names that begin with a dash.

    Finished videos are skipped, and a run that was stopped goes on where it was: give the same command again.
    """
    from corridor_cli.telemetry import RunOptions

    inputs, output = _split(paths)
    options = RunOptions(dry_run=dry_run, force=force, retry_failed=retry_failed, profile=profile)
    overrides = [*read_sets(sets or []), *flag_overrides(context.params, _FLAGS)]
    arguments = given_arguments(context)
    raise typer.Exit(_run(inputs, output, config, overrides, options, arguments, as_json=as_json))


def _split(paths: list[str]) -> tuple[list[str], Path]:
    if len(paths) < 2:
        raise UsageError(
            f"got one path ({printable(paths[0])}), allowed: one INPUT or more, and then OUTPUT",
            hint="The last path is the folder to write to: vlmtl run videos/ out/",
        )
    *inputs, output = paths
    if Path(output).is_file():
        raise UsageError(
            f"OUTPUT is {printable(output)}, which is a file, allowed: a folder, new or not",
            hint="The last path is the folder to write to: vlmtl run videos/ out/",
        )
    return inputs, Path(output)


def _run(
    inputs: list[str],
    output: Path,
    config: Path | None,
    overrides: list[Override],
    options: RunOptions,
    arguments: Sequence[str],
    *,
    as_json: bool,
) -> int:
    from corridor_cli.cli.reporting import open_reporter
    from corridor_cli.cli.summary import dry_run_lines, outcome_as_json
    from corridor_cli.config import load_settings
    from corridor_cli.runners.local import run_local

    loaded = load_settings(config, overrides, os.environ)
    with open_reporter(loaded.settings.logging, sys.stderr) as reporter:
        if loaded.source is not None:
            reporter.note(loaded.note)
        try:
            outcome = run_local(inputs, output, loaded, options, reporter, arguments)
        except VlmtlError as error:
            if loaded.settings.logging.format != "json":
                raise
            reporter.run_failed(error)
            return error.exit_code
        reporter.run_finished(outcome, arguments, is_dry_run=options.dry_run)
    if as_json:
        show(outcome_as_json(outcome))
    elif options.dry_run:
        show("\n".join(dry_run_lines(outcome)))
    return outcome.exit_code
