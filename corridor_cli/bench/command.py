"""`vlmtl bench` as one call: what was asked, in order, up to the files that say what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from corridor_cli.bench.document import BenchDocument
from corridor_cli.bench.going_on import resume_command
from corridor_cli.bench.measure import Effort
from corridor_cli.bench.pipe import run_pipe
from corridor_cli.bench.points import Axes, Point, plan_points
from corridor_cli.bench.prepare import NUM_DRAWN, can_run_loop, centre_of, frames_source
from corridor_cli.bench.sweep import Sweep, SweepPlan
from corridor_cli.config import LoadedSettings
from corridor_cli.engine.presets import describe_model
from corridor_cli.errors import StorageError, UsageError, VlmtlError
from corridor_cli.printable import printable
from corridor_cli.runners.inputs import find_inputs
from corridor_cli.telemetry import Reporter


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What was asked of this sweep beside its axes."""

    effort: Effort
    full_grid: bool = False
    with_loop: bool = True
    max_latency_ms: float | None = None
    duration_seconds: float | None = None
    seed: int = 0
    is_resumed: bool = False


def plan_sweep(
    inputs: list[str], loaded: LoadedSettings, axes: Axes, options: BenchOptions, command: Sequence[str]
) -> SweepPlan:
    """Everything that can be settled before anything is measured. Raises `UsageError`, `ModelError`,
    `NoInputsError`."""
    settings = loaded.settings
    model = settings.gpu_pipeline.internvl3
    if model.engine != "echo":
        describe_model(model)
    if inputs:
        find_inputs(inputs, settings, None)  # raises where there is nothing to take frames from
    with_loop = options.with_loop and can_run_loop(settings)
    points = plan_points(axes, full_grid=options.full_grid, with_loop=with_loop)
    workload: dict[str, Any] = {
        "source": inputs or "drawn",
        "num_drawn": None if inputs else NUM_DRAWN,
        "prompt": settings.caption.prompt,
    }
    return SweepPlan(
        points=tuple(points),
        centre=centre_of(axes, points),
        effort=options.effort,
        command=tuple(command),
        workload=workload,
        max_latency_ms=options.max_latency_ms,
        duration_seconds=options.duration_seconds,
        seed=options.seed,
    )


def run_bench(
    plan: SweepPlan,
    inputs: list[str],
    loaded: LoadedSettings,
    folder: Path,
    reporter: Reporter,
    *,
    is_resumed: bool,
) -> BenchDocument:
    """Measure all points, and with inputs the whole way as well. Raises `VlmtlError`."""
    if is_resumed and not folder.is_dir():
        raise UsageError(
            f"got --resume, and {folder} does not exist, allowed: the folder of a sweep that was stopped",
            hint="Leave --resume out to begin one.",
        )
    sweep = Sweep(plan, loaded.settings, frames_source(inputs, loaded.settings), reporter)
    document = sweep.run(folder, is_resumed=is_resumed)
    verdict, store = document.verdict, sweep.store
    if not inputs or verdict is None or verdict.recommended is None or store is None:
        return document
    size = verdict.recommended.batch_size
    if store.pipe is not None and store.pipe.batch_size == size:
        return document.model_copy(update={"pipe": store.pipe})
    reporter.note("the whole way, from files to timelines, with the batch size that is recommended")
    try:
        found = run_pipe(inputs, loaded, size, folder, reporter)
    except (VlmtlError, OSError) as error:  # what was measured before is worth its files all the same
        told = error.message if isinstance(error, VlmtlError) else str(error)
        again = resume_command(plan.command, folder)
        reporter.warn(f"the whole way failed: {printable(told.removesuffix('.'))}; `{again}` tries it again")
        return document
    try:
        store.add_pipe(found)
    except StorageError as error:  # it is still to be shown, and perhaps there is room for the results
        reporter.warn(error.message)
    return document.model_copy(update={"pipe": found})


def lacks_a_part(plan: SweepPlan, inputs: list[str], document: BenchDocument) -> bool:
    """Whether a longer run was asked for and failed; none is begun where nothing can be recommended."""
    if document.verdict is None or document.verdict.recommended is None:
        return False
    is_short = plan.duration_seconds is not None and document.long_run is None
    return is_short or (bool(inputs) and document.pipe is None)


def planned_lines(plan: SweepPlan) -> list[str]:
    """What a dry run prints: the points in the order they are asked for."""
    return [point.name + (" (centre)" if point == plan.centre else "") for point in plan.points]


def as_table(point: Point) -> dict[str, Any]:
    """A point as data, for a dry run that prints JSON."""
    return asdict(point)
