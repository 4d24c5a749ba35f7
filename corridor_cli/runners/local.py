"""A run on this machine: inputs found and planned, hosts set up, the pipeline driven, the outcome told."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from corridor_cli.config import LoadedSettings
from corridor_cli.errors import ExitCode
from corridor_cli.hardware import available_memory_bytes
from corridor_cli.hosts.hosted_engine import HostedEngine
from corridor_cli.hosts.media_pool import MediaPool
from corridor_cli.hosts.messages import EngineSetup, WorkerSetup
from corridor_cli.hosts.slots import create_arena
from corridor_cli.pipeline.asking import typical
from corridor_cli.pipeline.batch_log import BatchLog
from corridor_cli.pipeline.documents import Documents
from corridor_cli.pipeline.exports import VideoExports
from corridor_cli.pipeline.plan import ModelIdentity, UnreadableSource, VideoPlan, plan_videos
from corridor_cli.pipeline.run import Pipeline
from corridor_cli.pipeline.stop import StopSignals
from corridor_cli.pipeline.tally import Tally
from corridor_cli.pipeline.video import VideoWork
from corridor_cli.pipeline.writer import Writer
from corridor_cli.records import BatchStarted, BatchStats
from corridor_cli.runners.export import export_timelines, kept_lines
from corridor_cli.runners.inputs import check_captions, find_cuts, find_inputs, find_transcripts
from corridor_cli.runners.last_call import describe_run
from corridor_cli.runners.model_name import identify_model
from corridor_cli.runners.outcomes import exit_code, problem_outcome, total, unreadable_outcome
from corridor_cli.runners.picture_limits import picture_limits
from corridor_cli.runners.profile import ENGINE_TRACE, Span, TimedPool, TimedWriter, write_profile
from corridor_cli.runners.workers import WorkerPlan, plan_workers, worker_setup
from corridor_cli.settings import Settings
from corridor_cli.telemetry import Reporter, RunOptions, RunOutcome, RunPlan, VideoOutcome, VideoStatus
from corridor_cli.timeline.exports.find import find_timelines
from corridor_cli.timeline.exports.registry import Format, beside, choose_formats, tables
from corridor_cli.timeline.last_run import save_last_run
from corridor_cli.timeline.layout import OutputLayout
from corridor_cli.timeline.lock import OutputLock

_MIN_SLOTS = 3  # the picks of one scene: fewer would wait for ever
_MAX_SLOTS = 256  # a socket holds 278 `SlotsFreed`: main never blocks on a worker that has stopped reading
_SLOT_MEMORY_SHARE = 0.05
_TRACE_SECONDS = 60.0  # a trace of some hundred megabytes takes its time to be written


def run_local(
    inputs: list[str],
    output: Path,
    loaded: LoadedSettings,
    options: RunOptions,
    reporter: Reporter,
    arguments: Sequence[str] = (),
) -> RunOutcome:
    """Take all inputs to timelines under `output`. Raises `VlmtlError` where the whole run cannot go on.

    `arguments` is the command line behind `vlmtl`, for the note that `vlmtl status` reads.
    """
    started = time.monotonic()
    settings = loaded.settings
    layout = OutputLayout(output.resolve())
    formats = choose_formats(settings.output.exports)
    check_captions(settings.caption)
    found = find_inputs(inputs, settings, layout.root)
    cuts = find_cuts(found.sources, settings.scenes, reporter)
    transcripts = find_transcripts(settings.caption)
    model = identify_model(settings)
    with ExitStack() as stack:
        lock = OutputLock(layout)
        if not options.dry_run:
            stack.enter_context(lock)
            save_last_run(layout.last_run, describe_run(inputs, loaded, arguments))
        exports = beside(formats)
        plans = list(plan_videos(found.sources, layout, settings, model, options, cuts, exports, transcripts))
        run = _Run(layout, lock, settings, options, reporter, model, formats)
        outcomes = [problem_outcome(problem) for problem in found.problems]
        if options.dry_run:
            outcomes += [_dry_outcome(plan) for plan in plans]
        else:
            outcomes += run.work(plans, len(found.problems))
        run.tell_profile(time.monotonic() - started)
        code = ExitCode.OK if options.dry_run else run.stopped_by
        if run.are_exports_incomplete and code is None and exit_code(outcomes) is ExitCode.OK:
            code = ExitCode.PARTIAL
        outcome = total(outcomes, run.tally, code, time.monotonic() - started)
        return replace(outcome, decode_seconds=run.decode_seconds, write_seconds=run.write_seconds)


class _Run:
    """One run's parts, put together and taken down again."""

    def __init__(
        self,
        layout: OutputLayout,
        lock: OutputLock,
        settings: Settings,
        options: RunOptions,
        reporter: Reporter,
        model: ModelIdentity,
        formats: Sequence[Format],
    ) -> None:
        self._layout = layout
        self._lock = lock
        self._settings = settings
        self._options = options
        self._reporter = reporter
        self._model = model
        self._formats = formats
        self.are_exports_incomplete = False
        self.tally = Tally([], 0)
        self._batches: BatchLog | None = None
        self.stopped_by: ExitCode | None = None
        self._spans: list[Span] = []
        self.decode_seconds = self.write_seconds = 0.0

    def work(self, plans: Sequence[VideoPlan | UnreadableSource], num_problems: int) -> list[VideoOutcome]:
        """Do what the plans ask for; one outcome each, in order. `num_problems` inputs failed before."""
        videos = [
            VideoWork(ordinal, plan)
            for ordinal, plan in enumerate(plans)
            if isinstance(plan, VideoPlan) and plan.needs_work
        ]
        num_skipped = sum(isinstance(plan, VideoPlan) and not plan.needs_work for plan in plans)
        self._reporter.run_planned(RunPlan(len(plans), num_skipped, self._layout.root))
        unreadable = [plan for plan in plans if isinstance(plan, UnreadableSource)]
        self.tally = Tally(videos, num_problems + len(unreadable))
        writer = TimedWriter(self._spans) if self._options.profile else Writer()
        self._batches = BatchLog(self._layout.batches, writer)
        exports = VideoExports(self._layout, beside(self._formats), writer)
        documents = Documents(
            self._layout, self._lock, self._settings, self._options, writer, self.tally, exports
        )
        try:
            for plan in plans:
                if isinstance(plan, VideoPlan) and plan.exports:
                    exports.write(plan.relative, plan.exports)
            done = [documents.fail_unreadable(plan) for plan in unreadable]
            for outcome in done:
                self._reporter.video_finished(outcome)
            if videos:
                done += self._drive(videos, documents, writer)
            writer.submit(self._lock.check)
        finally:
            self._batches.close()
            writer.close()
        self.write_seconds = writer.seconds
        writer.check()
        self._end_exports(exports)
        by_relative = {outcome.relative: outcome for outcome in done}
        return [by_relative.get(_relative(plan)) or _untouched(plan) for plan in plans]

    def _drive(self, videos: list[VideoWork], documents: Documents, writer: Writer) -> list[VideoOutcome]:
        workers = plan_workers(self._settings, len(videos))
        documents.tell_workers(workers.reason)
        with StopSignals() as signals, self._hosts(workers) as (media, engine):
            pipeline = Pipeline(
                videos, media, engine, documents, writer, self._settings, self._reporter, self.tally
            )
            pipeline.run(signals)
            self.decode_seconds = max(0.0, self.tally.scan_seconds_of_finished - media.waited_seconds)
            if signals.received is not None:
                self.stopped_by = signals.exit_code
            elif self._options.profile:
                engine.finish(_TRACE_SECONDS)
            return pipeline.outcomes

    def _end_exports(self, exports: VideoExports) -> None:
        """Write the tables, unless the run was stopped, and tell what could not be exported."""
        kept, problems = exports.kept, exports.problems
        formats = tables(self._formats)
        if formats and self.stopped_by is None:
            report = export_timelines(
                self._layout,
                find_timelines(self._layout.root),
                formats,
                force=False,
                fsync=self._settings.output.fsync,
            )
            kept = [*kept, *report.kept]
            problems = [*problems, *(f"{problem.file}: {problem.what}" for problem in report.problems)]
        self.are_exports_incomplete = bool(kept or problems)
        for line in (*dict.fromkeys(problems), *kept_lines(kept)):
            self._reporter.warn(line)

    @contextmanager
    def _hosts(self, workers: WorkerPlan) -> Iterator[tuple[MediaPool, HostedEngine]]:
        settings = self._settings
        chosen = settings.gpu_pipeline.internvl3
        limits = picture_limits(self._model, chosen.max_tiles)
        num_workers = workers.num_workers
        num_slots = num_slots_each(settings, limits.slot_bytes, num_workers)
        arena_fd = create_arena(num_workers * num_slots, limits.slot_bytes)
        setup = worker_setup(settings, limits, workers)
        media = self._pool(setup, arena_fd, num_workers, num_slots)
        host = EngineSetup(chosen, limits.slot_bytes, typical(settings.caption), self._trace_path())
        engine = HostedEngine(host, arena_fd, settings.errors, self._on_batch, self._reporter.warn)
        try:
            yield media, engine
        finally:
            media.close()
            engine.close()
            os.close(arena_fd)

    def _pool(self, setup: WorkerSetup, *sizes: int) -> MediaPool:
        return TimedPool(self._spans, setup, *sizes) if self._options.profile else MediaPool(setup, *sizes)

    def _trace_path(self) -> str | None:
        if not self._options.profile:
            return None
        trace = self._layout.profile / ENGINE_TRACE
        trace.parent.mkdir(parents=True, exist_ok=True)
        trace.unlink(missing_ok=True)  # one that a run left which was killed
        return str(trace)

    def tell_profile(self, wall_seconds: float) -> None:
        """Write where the time went, where that was asked for and there was something to do."""
        if self._options.profile and self._spans:
            folder = self._layout.profile
            try:
                # Without captions the log of batches is still an earlier run's.
                batches = self._layout.batches if self.tally.num_captions else None
                found = write_profile(folder, self._spans, batches, wall_seconds)
            except (OSError, ValueError) as error:  # a full disk, or a trace cut off by one
                self._reporter.warn(f"the profile in {folder} could not be written: {error}")
                return
            self._reporter.note(f"where the time went: {found}")

    def _on_batch(self, event: BatchStarted | BatchStats) -> None:
        if isinstance(event, BatchStarted):
            self.tally.batch_started(event)
        else:
            self.tally.batch_done(event)
            if self._batches:
                self._batches.batch_done(event)
            self._reporter.batch_done(event)


def num_slots_each(settings: Settings, slot_bytes: int, num_workers: int) -> int:
    """Slots for each worker: how far decoding may run ahead of captioning."""
    if not settings.gpu_pipeline.internvl3.async_frame_loading:
        return _MIN_SLOTS
    budget = int(_SLOT_MEMORY_SHARE * available_memory_bytes())
    return max(_MIN_SLOTS, min(_MAX_SLOTS, budget // (slot_bytes * num_workers)))


def _relative(plan: VideoPlan | UnreadableSource) -> str:
    return str(plan.source.relative)


def _untouched(plan: VideoPlan | UnreadableSource) -> VideoOutcome:
    """What is said of an input nothing was done for: it needed nothing, or its turn did not come."""
    assert isinstance(plan, VideoPlan), "an unreadable source has an outcome"
    status: VideoStatus = "pending" if plan.needs_work else "skipped"
    exports = tuple(each.name for each in plan.exports)
    return VideoOutcome(str(plan.source.path), plan.relative, status, plan.found, exports=exports)


def _dry_outcome(plan: VideoPlan | UnreadableSource) -> VideoOutcome:
    if isinstance(plan, UnreadableSource):
        return unreadable_outcome(plan)
    return _untouched(plan)
