"""`vlmtl estimate`: how long a run will take, on what, and at which cost, before hours are spent."""

from __future__ import annotations

import os
import sys
import time
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
    read_sets,
)
from corridor_cli.cli.results import show
from corridor_cli.errors import UsageError, VlmtlError
from corridor_cli.printable import printable

if TYPE_CHECKING:
    from corridor_cli.config import Override
    from corridor_cli.runners.reckon import EstimateRequest

# parameter of `estimate`: the flag and the setting it stands for
_FLAGS = {
    **MODEL_FLAGS,
    **CAPTION_FLAGS,
    **INPUT_FLAGS,
    "log_format": ("--log-format", "logging.format"),
}


class EstimateCommand(PlainUsage):
    """Shows its argument as it is meant."""

    usage = "INPUT..."


def estimate(
    context: typer.Context,
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", hidden=True)],
    output: Annotated[
        Path | None,
        typer.Option(metavar="OUTPUT", help="Leave out what `vlmtl run INPUT OUTPUT` would."),
    ] = None,
    sample: Annotated[
        str | None, typer.Option(metavar="N", help="Look into N videos at most; else as 30 s allow.")
    ] = None,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="Load no model: tell nothing of what captions take.")
    ] = False,
    devices: Annotated[
        str, typer.Option(metavar="N", help="As if N such devices shared the captioning.")
    ] = "1",
    cost_per_hour: Annotated[
        str | None, typer.Option(metavar="X", help="What the whole machine costs an hour.")
    ] = None,
    config: ConfigFile = None,
    sets: Set = None,
    model: Model = None,
    load_format: LoadFormat = None,
    preset: Preset = None,
    engine: Engine = None,
    device: Device = None,
    prompt: Prompt = None,
    mode: Mode = None,
    summary: Summary = False,
    transcripts: Transcripts = None,
    cuts: Cuts = None,
    include: Include = None,
    exclude: Exclude = None,
    limit: Limit = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the estimate as JSON on stdout.")] = False,
    quiet: Quiet = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Tell how the figures came.")] = False,
    log_format: LogFormat = None,
) -> None:
    """Tell how long `vlmtl run` will take over INPUT, and write nothing.

    Reads what all videos say of themselves, scans a sample of them (long ones only from their beginning),
    captions a few frames with the model, and reckons the rest. Each figure has a range, which comes from how
    far the sample's own videos lie apart.
    """
    from corridor_cli.runners.reckon import EstimateRequest

    request = EstimateRequest(
        _folder(output),
        None if sample is None else _count("--sample", sample),
        not no_model,
        _count("--devices", devices),
        None if cost_per_hour is None else _price("--cost-per-hour", cost_per_hour),
    )
    overrides = [*read_sets(sets or []), *flag_overrides(context.params, _FLAGS)]
    raise typer.Exit(_estimate(inputs, request, config, overrides, as_json=as_json, is_verbose=verbose))


def _estimate(
    inputs: list[str],
    request: EstimateRequest,
    config: Path | None,
    overrides: list[Override],
    *,
    as_json: bool,
    is_verbose: bool,
) -> int:
    from corridor_cli.cli.estimate_json import estimate_as_json
    from corridor_cli.cli.estimate_lines import estimate_lines
    from corridor_cli.cli.reporting import open_reporter
    from corridor_cli.config import load_settings
    from corridor_cli.runners.estimate import run_estimate

    settings = load_settings(config, overrides, os.environ).settings
    with open_reporter(settings.logging, sys.stderr) as reporter:
        try:
            outcome = run_estimate(inputs, request, settings, _seconds_since_start(), reporter)
        except VlmtlError as error:
            if settings.logging.format != "json":
                raise
            reporter.run_failed(error)
            return error.exit_code
    if outcome.estimate is not None and as_json:
        show(estimate_as_json(outcome.estimate))
    elif outcome.estimate is not None:
        show("\n".join(estimate_lines(outcome.estimate, is_verbose=is_verbose)))
    return outcome.exit_code


def _seconds_since_start() -> float:
    """What the program took until here: a run takes as long."""
    import psutil

    return max(0.0, time.time() - psutil.Process().create_time())


def _folder(output: Path | None) -> Path | None:
    if output is not None and output.is_file():
        raise UsageError(
            f"--output is {printable(output)}, which is a file, allowed: a folder, there or not",
            hint="Name the OUTPUT that `vlmtl run INPUT OUTPUT` is to have.",
        )
    return output


def _count(flag: str, text: str) -> int:
    if text.isascii() and text.isdecimal() and int(text) > 0:
        return int(text)
    raise UsageError(
        f"flag {flag}: got '{printable(text)}', allowed: a whole number from 1 on",
        hint=f"For example {flag} 8.",
    )


def _price(flag: str, text: str) -> float:
    try:
        price = float(text)
    except ValueError:
        price = -1.0
    if not 0 < price < float("inf"):
        raise UsageError(
            f"flag {flag}: got '{printable(text)}', allowed: a number above 0",
            hint=f"For example {flag} 2.5.",
        )
    return price
