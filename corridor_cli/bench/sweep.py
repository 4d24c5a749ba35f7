"""A sweep: points in random order, each written down when it is measured, and the document they make."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from corridor_cli.bench.document import BenchDocument, PointResult
from corridor_cli.bench.environment import engine_facts, machine_facts
from corridor_cli.bench.frames import FrameSet
from corridor_cli.bench.going_on import kept_words, resume_command, with_what_is_kept
from corridor_cli.bench.long_run import run_long
from corridor_cli.bench.measure import Effort, Measured, measure_point
from corridor_cli.bench.peaks import PRECISIONS, DevicePeaks, find_peaks
from corridor_cli.bench.points import Point
from corridor_cli.bench.relate import Ceiling, relate
from corridor_cli.bench.store import PointStore
from corridor_cli.bench.verdict import judge, keep_profile
from corridor_cli.engine.local.shape import NetworkShape
from corridor_cli.engine.presets import describe_model
from corridor_cli.errors import ModelError, StorageError, VlmtlError
from corridor_cli.records import EngineInfo
from corridor_cli.settings import Settings
from corridor_cli.telemetry import Reporter, format_duration

FramesFor = Callable[[int], AbstractContextManager[FrameSet]]
"""The frames for a number of tiles; opened once for each number and closed when the sweep ends."""


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """What is to be measured. The order of `points` does not matter: `seed` decides in which they run."""

    points: tuple[Point, ...]
    centre: Point
    effort: Effort
    command: tuple[str, ...]
    workload: dict[str, Any]
    max_latency_ms: float | None = None
    duration_seconds: float | None = None
    seed: int = 0


def shuffled(points: Sequence[Point], seed: int) -> list[Point]:
    """The points in the order they are measured in: whatever drifts must not look like an axis."""
    ordered = list(points)
    random.Random(seed).shuffle(ordered)
    return ordered


class Sweep:
    """Measures the plan's points with engines of the settings. Without `folder` nothing is kept on disk."""

    def __init__(
        self, plan: SweepPlan, settings: Settings, frames_for: FramesFor, reporter: Reporter
    ) -> None:
        self._plan = plan
        self._settings = settings
        self._frames_for = frames_for
        self._reporter = reporter
        self._created_at = datetime.now(UTC).isoformat(timespec="seconds")
        self._machine = machine_facts()
        self._peaks: DevicePeaks | None = None
        self.store: PointStore | None = None

    def run(self, folder: Path, *, is_resumed: bool) -> BenchDocument:
        """Measure what is missing of the points kept in `folder`. Raises what `PointStore` raises."""
        store = self.store = PointStore(folder, self.setup, is_resumed=is_resumed)
        known = {result.key for result in store.results}
        todo = [p for p in shuffled(self._plan.points, self._plan.seed) if _key(p) not in known]
        if known:
            self._reporter.note(f"{len(known)} points were measured before; {len(todo)} are left")
        command = resume_command(self._plan.command, folder)
        try:
            return self._run(store, todo)
        except KeyboardInterrupt:
            kept = kept_words(len(store.results), len(self._plan.points), folder)
            self._reporter.warn(f"stopped: {kept}; `{command}` measures the rest")
            raise
        except VlmtlError as error:
            kept = kept_words(len(store.results), len(self._plan.points), folder)
            raise with_what_is_kept(error, kept, command) from error

    def _run(self, store: PointStore, todo: Sequence[Point]) -> BenchDocument:
        with ExitStack() as stack:
            opened: dict[int, FrameSet] = {}
            for number, point in enumerate(todo, start=1):
                if point.tiles not in opened:
                    opened[point.tiles] = stack.enter_context(self._frames_for(point.tiles))
                measured = self._measure(point, opened[point.tiles], f"{number}/{len(todo)}")
                store.add(measured.result, measured.info if point.contestant == "engine" else None)
            document = self.document(store.results, store.info)
            return self._with_long_run(document, store, stack, opened)

    @property
    def setup(self) -> dict[str, Any]:
        """What tells one sweep from another."""
        return {
            "points": sorted(point.name for point in self._plan.points),
            "effort": asdict(self._plan.effort),
            "workload": self._plan.workload,
            "settings": asdict(self._settings.gpu_pipeline.internvl3),
            "vlmtl": self._machine["vlmtl"],
        }

    def document(self, results: Sequence[PointResult], info: EngineInfo | None) -> BenchDocument:
        """The document of the points there are, run by the engine `info`."""
        plan = self._plan
        precision = (info.quantization or info.dtype) if info is not None else ""
        if info is not None and precision in PRECISIONS:  # echo has none
            self._peaks = find_peaks(info.device, precision)
        rows = relate(results, self._ceiling(info))
        verdict = judge(rows, plan.centre, plan.max_latency_ms)
        if info is not None and info.measurement_key is not None:
            keep_profile(verdict, rows, plan.centre, info.measurement_key)
        order = {_key(point): number for number, point in enumerate(plan.points)}
        return BenchDocument(
            schema="vlmtl.bench/1",
            created_at=self._created_at,
            command=list(plan.command),
            is_complete=len(rows) == len(plan.points),
            environment=self._machine | (engine_facts(info, self._shape(info)) if info else {}),
            workload=plan.workload,
            settings={"effort": asdict(plan.effort), "seed": plan.seed},
            peaks=asdict(self._peaks) if self._peaks else None,
            points=sorted(rows, key=lambda row: order[row.key]),
            verdict=verdict,
        )

    def _ceiling(self, info: EngineInfo | None) -> Ceiling | None:
        shape = self._shape(info)
        return None if info is None or shape is None else Ceiling.of(shape, self._peaks, info)

    def _shape(self, info: EngineInfo | None) -> NetworkShape | None:
        """The sizes of the network, where a model ran."""
        model = self._settings.gpu_pipeline.internvl3
        return None if info is None or model.engine == "echo" else describe_model(model).shape

    def _measure(self, point: Point, frames: FrameSet, place: str) -> Measured:
        self._reporter.note(f"{place} {point.name}")
        alone = replace(point, contestant="engine", batch_size=1)
        measured = measure_point(
            point, frames, self._settings, self._plan.effort, is_compared=alone in self._plan.points
        )
        row = measured.result
        if row.frames_per_second is None:
            self._reporter.warn(f"{point.name}: {row.status.replace('_', ' ')}: {row.error}")
        else:
            noisy = ", noisy" if row.is_noisy else ""
            self._reporter.note(f"{point.name}: {row.frames_per_second:.3g} frames/s{noisy}")
        return measured

    def _with_long_run(
        self, document: BenchDocument, store: PointStore, stack: ExitStack, opened: dict[int, FrameSet]
    ) -> BenchDocument:
        seconds, verdict = self._plan.duration_seconds, document.verdict
        if seconds is None or verdict is None or verdict.recommended is None:
            return document
        size, tiles = verdict.recommended.batch_size, self._plan.centre.tiles
        kept = store.long_run
        if kept is not None and (kept.batch_size, kept.seconds) == (size, seconds):
            return document.model_copy(update={"long_run": kept})
        if tiles not in opened:
            opened[tiles] = stack.enter_context(self._frames_for(tiles))
        self._reporter.note(
            f"for {format_duration(seconds)}: batch {size}, to see whether it keeps its speed"
        )
        try:
            found = run_long(self._plan.centre, size, opened[tiles], self._settings, seconds)
        except ModelError as error:  # what was measured before is worth its files all the same
            self._reporter.warn(f"the long run failed: {error.message}")
            return document
        try:
            store.add_long_run(found)
        except StorageError as error:  # it is still to be shown, and perhaps there is room for the results
            self._reporter.warn(error.message)
        return document.model_copy(update={"long_run": found})


def _key(point: Point) -> tuple[object, ...]:
    return point.contestant, point.batch_size, point.frames, point.tiles, point.output_tokens
