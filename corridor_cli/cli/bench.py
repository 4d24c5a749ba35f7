"""`vlmtl bench`: from the command line to a sweep, and from its document to the terminal."""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corridor_cli.bench.axes import BATCH_SIZES, FRAMES, OUTPUT_TOKENS, TILES, read_axes, read_duration
from corridor_cli.cli.options import (
    ConfigFile,
    LoadFormat,
    LogFormat,
    PlainUsage,
    Preset,
    Quiet,
    Set,
    flag_overrides,
    given_arguments,
    read_sets,
)
from corridor_cli.cli.results import show
from corridor_cli.errors import ExitCode, UsageError, VlmtlError
from corridor_cli.printable import printable

if TYPE_CHECKING:
    from corridor_cli.bench.command import BenchOptions
    from corridor_cli.bench.points import Axes
    from corridor_cli.config import LoadedSettings

_FLAGS = {
    "model": ("--model", "gpu_pipeline.internvl3.model"),
    "load_format": ("--load-format", "gpu_pipeline.internvl3.load_format"),
    "preset": ("--preset", "gpu_pipeline.internvl3.preset"),
    "engine": ("--engine", "gpu_pipeline.internvl3.engine"),
    "device": ("--device", "gpu_pipeline.internvl3.device"),
    "log_format": ("--log-format", "logging.format"),
}


class SweepCommand(PlainUsage):
    """Shows its arguments as they are meant."""

    usage = "[INPUT]..."


def bench(
    context: typer.Context,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[INPUT]...", hidden=True, help="Videos to take frames from; else frames are drawn."
        ),
    ] = None,
    batch_sizes: Annotated[
        str, typer.Option(metavar="LIST", help="Requests that run together; auto is what run would take.")
    ] = BATCH_SIZES,
    frames: Annotated[str, typer.Option(metavar="LIST", help="Frames in each request.")] = FRAMES,
    tiles: Annotated[str, typer.Option(metavar="LIST", help="Tiles of a frame: 1, 3 or 9.")] = TILES,
    output_tokens: Annotated[
        str, typer.Option(metavar="LIST", help="Most new tokens of a caption.")
    ] = OUTPUT_TOKENS,
    full_grid: Annotated[
        bool, typer.Option("--full-grid", help="Cross all lists; else one at a time around the first values.")
    ] = False,
    no_loop: Annotated[
        bool, typer.Option("--no-loop", help="Leave out transformers' own one-by-one loop.")
    ] = False,
    config: ConfigFile = None,
    sets: Set = None,
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Hugging Face id, local folder, or tiny (bundled).")
    ] = None,
    load_format: LoadFormat = None,
    preset: Preset = None,
    engine: Annotated[
        str | None, typer.Option(metavar="local|generic|echo", help="What runs the model.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(metavar="auto|cpu|cuda[:N]", help="Where the model runs.")
    ] = None,
    repeats: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="Repeats of each point.")] = 3,
    warmup: Annotated[
        int, typer.Option(metavar="N", min=1, max=1000, help="Batches before the first repeat.")
    ] = 1,
    seconds: Annotated[
        float, typer.Option(metavar="S", min=0, help="A repeat has enough batches to take about so long.")
    ] = 2.0,
    duration: Annotated[
        str | None, typer.Option(metavar="TIME", help="Then run the best for so long (30m): heat shows.")
    ] = None,
    max_latency_ms: Annotated[
        float | None, typer.Option(metavar="MS", min=0, help="Also name the best within this p95 latency.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the results; else ./bench-<time>.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep the points in --out, measure the rest.")
    ] = False,
    seed: Annotated[int, typer.Option(metavar="N", help="Decides the order of the points.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the points, measure nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print bench.json on stdout.")] = False,
    quiet: Quiet = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Tell more.")] = False,
    log_format: LogFormat = None,
) -> None:
    """Measure what this machine gives with a model, and what to set.

    INPUT are videos to take frames from; without any, frames are drawn.

    Each point of the sweep has an engine of its own, is warmed up and repeated; the order is random. Results
    go to a folder: bench.json with every sample, tables, pictures and report.html. The batch size that is
    recommended is kept for this machine, model and precision: --batch-size auto begins with it.
    """
    from corridor_cli.bench.command import BenchOptions
    from corridor_cli.bench.measure import Effort
    from corridor_cli.config import load_settings

    axes = read_axes(batch_sizes, frames, tiles, output_tokens)
    options = BenchOptions(
        effort=Effort(repeats, warmup, seconds),
        full_grid=full_grid,
        with_loop=not no_loop,
        max_latency_ms=max_latency_ms,
        duration_seconds=None if duration is None else read_duration("--duration", duration),
        seed=seed,
        is_resumed=resume,
    )
    if resume and out is None:
        raise UsageError(
            "got --resume without --out, allowed: both", hint="--out names the folder of the stopped sweep."
        )
    overrides = [*read_sets(sets or []), *flag_overrides(context.params, _FLAGS)]
    loaded = load_settings(config, overrides, os.environ)
    folder = out or Path(f"bench-{datetime.now():%Y%m%d-%H%M%S}")
    command = ("vlmtl", *given_arguments(context))
    code = _bench(inputs or [], loaded, axes, options, command, folder, as_json=as_json, dry_run=dry_run)
    raise typer.Exit(code)


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
    from corridor_cli.bench.command import as_table, plan_sweep, planned_lines, run_bench
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
    (folder / "bench.json").write_text(json.dumps(document.as_json(), indent=1) + "\n", encoding="utf-8")
    if as_json:
        show(json.dumps(document.as_json()))
    else:
        show(printable(str(folder)))
    return ExitCode.OK
