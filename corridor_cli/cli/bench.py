"""`vlmtl bench`: from the command line to a sweep, and from its document to the terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from corridor_cli.bench.axes import BATCH_SIZES, FRAMES, OUTPUT_TOKENS, TILES, read_axes, read_duration
from corridor_cli.cli.bench_options import (
    AsJson,
    BatchSizes,
    DryRun,
    Duration,
    Frames,
    FullGrid,
    Inputs,
    MaxLatencyMs,
    NoLoop,
    Out,
    OutputTokens,
    Repeats,
    Resume,
    Seconds,
    Seed,
    Tiles,
    Verbose,
    Warmup,
)
from corridor_cli.cli.options import (
    MODEL_FLAGS,
    ConfigFile,
    Device,
    Engine,
    LoadFormat,
    LogFormat,
    Model,
    PlainUsage,
    Preset,
    Quiet,
    Set,
    flag_overrides,
    given_arguments,
    read_sets,
)
from corridor_cli.cli.results import show
from corridor_cli.cli.tables import is_terminal, stdout_width
from corridor_cli.errors import ExitCode, UsageError, VlmtlError
from corridor_cli.printable import printable

if TYPE_CHECKING:
    from corridor_cli.bench.command import BenchOptions
    from corridor_cli.bench.points import Axes
    from corridor_cli.config import LoadedSettings

_FLAGS = {
    **MODEL_FLAGS,
    "log_format": ("--log-format", "logging.format"),
}


class SweepCommand(PlainUsage):
    """Shows its arguments as they are meant."""

    usage = "[INPUT]..."


def bench(
    context: typer.Context,
    inputs: Inputs = None,
    batch_sizes: BatchSizes = BATCH_SIZES,
    frames: Frames = FRAMES,
    tiles: Tiles = TILES,
    output_tokens: OutputTokens = OUTPUT_TOKENS,
    full_grid: FullGrid = False,
    no_loop: NoLoop = False,
    config: ConfigFile = None,
    sets: Set = None,
    model: Model = None,
    load_format: LoadFormat = None,
    preset: Preset = None,
    engine: Engine = None,
    device: Device = None,
    repeats: Repeats = 3,
    warmup: Warmup = 1,
    seconds: Seconds = 2.0,
    duration: Duration = None,
    max_latency_ms: MaxLatencyMs = None,
    out: Out = None,
    resume: Resume = False,
    seed: Seed = 0,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_format: LogFormat = None,
) -> None:
    """Measure what this machine gives with a model, and what to set.

    INPUT are videos to take frames from; without any, frames are drawn.

    Each point of the sweep has an engine of its own, is warmed up and repeated; the order is random. Results
    go to a folder: bench.json with every sample, tables, pictures and report.html. The batch size that is
    recommended is kept for this machine, model and precision: --batch-size auto begins with it.
    """
    from corridor_cli.config import load_settings

    axes = read_axes(batch_sizes, frames, tiles, output_tokens)
    options = _options(context.params)
    overrides = [*read_sets(sets or []), *flag_overrides(context.params, _FLAGS)]
    loaded = load_settings(config, overrides, os.environ)
    folder = out or Path(f"bench-{datetime.now():%Y%m%d-%H%M%S}")
    command = ("vlmtl", *given_arguments(context))
    code = _bench(inputs or [], loaded, axes, options, command, folder, as_json=as_json, dry_run=dry_run)
    raise typer.Exit(code)


def _options(given: Mapping[str, Any]) -> BenchOptions:
    """What was asked beside the axes. Raises `UsageError`."""
    from corridor_cli.bench.command import BenchOptions
    from corridor_cli.bench.measure import Effort

    if given["resume"] and given["out"] is None:
        raise UsageError(
            "got --resume without --out, allowed: both", hint="--out names the folder of the stopped sweep."
        )
    duration = given["duration"]
    return BenchOptions(
        effort=Effort(given["repeats"], given["warmup"], given["seconds"]),
        full_grid=given["full_grid"],
        with_loop=not given["no_loop"],
        max_latency_ms=given["max_latency_ms"],
        duration_seconds=None if duration is None else read_duration("--duration", duration),
        seed=given["seed"],
        is_resumed=given["resume"],
    )


def _bench(
    inputs: list[str],
    loaded: LoadedSettings,
    axes: Axes,
    options: BenchOptions,
    command: tuple[str, ...],
    folder: Path,
    *,
    as_json: bool,
    dry_run: bool,
) -> int:
    from corridor_cli.bench.command import as_table, lacks_a_part, plan_sweep, planned_lines, run_bench
    from corridor_cli.bench.files import unwritten_sentence, write_results
    from corridor_cli.bench.tables import terminal_table
    from corridor_cli.bench.wording import verdict_sentence
    from corridor_cli.cli.reporting import open_reporter

    plan = plan_sweep(inputs, loaded, axes, options, command)
    if dry_run:
        points = [as_table(point) for point in plan.points]
        show(json.dumps(points) if as_json else "\n".join(planned_lines(plan)))
        return ExitCode.OK
    with open_reporter(loaded.settings.logging, sys.stderr) as reporter:
        try:
            document = run_bench(plan, inputs, loaded, folder, reporter, is_resumed=options.is_resumed)
        except VlmtlError as error:
            if loaded.settings.logging.format != "json":
                raise
            reporter.run_failed(error)
            return error.exit_code
        written = write_results(folder, document)
        for problem in written.problems:
            reporter.warn(problem)
        if written.unwritten:
            reporter.warn(unwritten_sentence(plan.command, document, folder, written))
        reporter.note(verdict_sentence(document))
        reporter.note(f"{len(written.paths)} files in {printable(folder)}")
    if as_json:
        show(json.dumps(document.as_json()))
    else:
        show(terminal_table(document, stdout_width(), is_terminal=is_terminal()))
    if written.unwritten:
        return ExitCode.STORAGE
    is_whole = written.is_whole and not lacks_a_part(plan, inputs, document)
    return ExitCode.OK if is_whole else ExitCode.PARTIAL
