"""`vlmtl probe`: what would be decoded and why, asked in the media workers, where a bad file does no harm."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from corridor_cli.hosts.messages import WorkerSetup
from corridor_cli.pipeline.plan import plan_scans
from corridor_cli.pipeline.probes import ProbeReport, Probes
from corridor_cli.pipeline.writer import Writer
from corridor_cli.runners.in_order import InOrder
from corridor_cli.runners.inputs import find_inputs
from corridor_cli.runners.outcomes import problem_outcome, total
from corridor_cli.runners.scan_run import Plan, run_scans
from corridor_cli.settings import Settings
from corridor_cli.telemetry import Reporter, RunOutcome


def run_probe(
    inputs: list[str], settings: Settings, reporter: Reporter, sink: Callable[[ProbeReport], None]
) -> RunOutcome:
    """Describe all inputs. `sink` gets one report for each, in their order, also when it ends early."""
    started = time.monotonic()
    found = find_inputs(inputs, settings, None)
    for problem in found.problems:
        sink(ProbeReport(problem.path, problem.path, None, error=problem.error))
    plans = list(plan_scans(found.sources, settings))
    in_order = InOrder(map(_pending, plans), sink)

    def make_keeper(writer: Writer) -> Probes:
        return Probes(settings.decode, in_order.take)

    setup = WorkerSetup(
        settings.decode, settings.scenes, replace(settings.frames, save="none"), 0, 0, free_slots=()
    )
    try:
        run = run_scans(plans, len(found.problems), setup, make_keeper, settings, reporter)
    finally:
        in_order.close()
    outcomes = [*map(problem_outcome, found.problems), *run.outcomes]
    return total(outcomes, run.tally, run.stopped_by, time.monotonic() - started)


def _pending(plan: Plan) -> ProbeReport:
    source = plan.source
    return ProbeReport(str(source.path), str(source.relative), source.size_bytes)
