"""`vlmtl scenes`: the scenes of all inputs and no captions, with the scan records that `vlmtl run` uses."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from corridor_cli.errors import UsageError
from corridor_cli.hosts.messages import WorkerSetup
from corridor_cli.pipeline.plan import plan_scans
from corridor_cli.pipeline.scene_lists import SceneLists, ScenesRequest, is_one_file
from corridor_cli.pipeline.writer import Writer
from corridor_cli.printable import printable
from corridor_cli.runners.in_order import InOrder
from corridor_cli.runners.inputs import find_cuts, find_inputs
from corridor_cli.runners.outcomes import problem_outcome, total
from corridor_cli.runners.scan_run import Plan, run_scans
from corridor_cli.settings import Settings
from corridor_cli.telemetry import Reporter, RunOptions, RunOutcome, counted
from corridor_cli.timeline.contact_sheet import PICK_WIDTH_PX
from corridor_cli.timeline.listing import SceneListing
from corridor_cli.timeline.lock import OutputLock
from corridor_cli.timeline.source import SourceFacts

Sink = Callable[[SceneListing], None]

# Detectors that measure nothing.
_WITHOUT_SCORES = ("interval", "none", "file")


def run_scenes(
    inputs: list[str],
    request: ScenesRequest,
    settings: Settings,
    options: RunOptions,
    reporter: Reporter,
    sink: Sink,
) -> RunOutcome:
    """Find the scenes of all inputs. `sink` gets a listing of each, in their order, also when it ends early.

    Raises `VlmtlError` where the whole run cannot go on.
    """
    started = time.monotonic()
    if request.stats is not None:
        _check_detector(settings)
    found = find_inputs(inputs, settings, request.output.root if request.output else None)
    _check_num_stats(request.stats, len(found.sources))
    cuts = find_cuts(found.sources, settings.scenes, reporter)
    with ExitStack() as stack:
        lock = stack.enter_context(OutputLock(request.output)) if request.output else None
        plans = list(plan_scans(found.sources, settings, cuts))
        for problem in found.problems:
            facts = SourceFacts(problem.path, None, None)
            sink(SceneListing(facts, problem.path, "failed", error=problem.error))
        in_order = InOrder(map(_pending, plans), sink)

        def make_keeper(writer: Writer) -> SceneLists:
            return SceneLists(request, lock, settings, options, writer, in_order.take)

        try:
            setup = _worker_setup(request, settings)
            output = request.output.root if request.output else None
            run = run_scans(plans, len(found.problems), setup, make_keeper, settings, reporter, output)
            if lock is not None:
                lock.check()
        finally:
            in_order.close()
    outcomes = [*map(problem_outcome, found.problems), *run.outcomes]
    return total(outcomes, run.tally, run.stopped_by, time.monotonic() - started)


def _check_detector(settings: Settings) -> None:
    if settings.scenes.detector in _WITHOUT_SCORES:
        raise UsageError(
            f"--stats with scenes.detector {settings.scenes.detector}, which measures nothing, allowed: a "
            "detector that gives scores",
            hint="For example --detector adaptive.",
        )


def _check_num_stats(stats: Path | None, num_videos: int) -> None:
    if stats is not None and is_one_file(stats) and num_videos > 1:
        raise UsageError(
            f"--stats is the file {printable(stats)} and there are {counted(num_videos, 'video')}, "
            "allowed: a folder, which gets a file for each",
            hint="A path that does not end in .csv is a folder.",
        )


def _worker_setup(request: ScenesRequest, settings: Settings) -> WorkerSetup:
    """Picks come as small JPEGs for a sheet, and without any pixels else."""
    save = replace(settings.frames, save="none")
    if request.sheet is not None:
        # Twice the size in a cell: a portrait's longer side must do for its width.
        save = replace(settings.frames, save="thumbnails", thumbnail_px=2 * PICK_WIDTH_PX)
    with_scores = request.stats is not None
    return WorkerSetup(settings.decode, settings.scenes, save, 0, 0, (), with_scores)


def _pending(plan: Plan) -> SceneListing:
    source = plan.source
    return SceneListing(
        SourceFacts(str(source.path), source.size_bytes, None), str(source.relative), "pending"
    )
