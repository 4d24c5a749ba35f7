"""A run without an engine: the same loop and media workers, and nobody captions."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from corridor_cli.errors import ExitCode
from corridor_cli.hosts.media_pool import MediaPool
from corridor_cli.hosts.messages import WorkerSetup
from corridor_cli.hosts.slots import create_arena
from corridor_cli.pipeline.keeper import Keeper, NoCaptions
from corridor_cli.pipeline.plan import UnreadableSource, VideoPlan
from corridor_cli.pipeline.run import Pipeline
from corridor_cli.pipeline.stop import StopSignals
from corridor_cli.pipeline.tally import Tally
from corridor_cli.pipeline.video import VideoWork
from corridor_cli.pipeline.writer import Writer
from corridor_cli.runners.outcomes import unreadable_outcome
from corridor_cli.runners.workers import plan_workers
from corridor_cli.settings import Settings
from corridor_cli.telemetry import Reporter, RunPlan, VideoOutcome

Plan = VideoPlan | UnreadableSource


class ScanOnlyKeeper(Keeper, Protocol):
    """A keeper that also hears of sources nobody could read."""

    def fail_unreadable(self, plan: UnreadableSource) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ScanRun:
    """How a run went: an outcome for each plan, in order, and the code of the signal that stopped it."""

    outcomes: list[VideoOutcome]
    tally: Tally
    stopped_by: ExitCode | None


def run_scans(
    plans: Sequence[Plan],
    num_problems: int,
    setup: WorkerSetup,
    make_keeper: Callable[[Writer], ScanOnlyKeeper],
    settings: Settings,
    reporter: Reporter,
    output: Path | None = None,
) -> ScanRun:
    """Take all plans through the media workers. `num_problems` inputs failed before. Raises `VlmtlError`."""
    videos = [VideoWork(number, plan) for number, plan in enumerate(plans) if isinstance(plan, VideoPlan)]
    unreadable = [plan for plan in plans if isinstance(plan, UnreadableSource)]
    reporter.run_planned(RunPlan(len(plans), 0, output))
    tally = Tally(videos, num_problems + len(unreadable), is_captioning=False)
    writer = Writer()
    keeper = make_keeper(writer)
    stopped_by = None
    try:
        done = [unreadable_outcome(plan) for plan in unreadable]
        for plan, outcome in zip(unreadable, done, strict=True):
            keeper.fail_unreadable(plan)
            reporter.video_finished(outcome)
        with StopSignals() as signals, _media(setup, settings, len(videos)) as media:
            pipeline = Pipeline(videos, media, NoCaptions(), keeper, writer, settings, reporter, tally)
            pipeline.run(signals)
            done += pipeline.outcomes
            if signals.received is not None:
                stopped_by = signals.exit_code
    finally:
        writer.close()
        keeper.close()
    writer.check()
    by_relative = {outcome.relative: outcome for outcome in done}
    outcomes = [by_relative.get(str(plan.source.relative)) or _pending(plan) for plan in plans]
    return ScanRun(outcomes, tally, stopped_by)


@contextmanager
def _media(setup: WorkerSetup, settings: Settings, num_videos: int) -> Iterator[MediaPool]:
    workers = plan_workers(settings, num_videos, has_model=False)
    arena_fd = create_arena(0, 0)
    setup = replace(setup, reads_ahead=workers.reads_ahead, num_cores=workers.num_cores)
    media = MediaPool(setup, arena_fd, workers.num_workers, 0)
    try:
        yield media
    finally:
        media.close()
        os.close(arena_fd)


def _pending(plan: Plan) -> VideoOutcome:
    return VideoOutcome(str(plan.source.path), str(plan.source.relative), "pending")
