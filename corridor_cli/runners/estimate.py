"""`vlmtl estimate`: how long a run will take, on what and at which cost, from a look into a few videos.

Headers are read of all, a sample is scanned by the workers of a run, some of its picks are captioned by the
engine of a run, and the rest is arithmetic (`forecast*.py`). Nothing is written.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from corridor_cli.errors import ExitCode, NoInputsError, UsageError
from corridor_cli.pipeline.plan import ModelIdentity
from corridor_cli.pipeline.sample_documents import document_bytes
from corridor_cli.pipeline.samples import Sampled
from corridor_cli.runners.caption_trial import Trial, try_captions
from corridor_cli.runners.estimate_material import Material, gather
from corridor_cli.runners.forecast import StartUp
from corridor_cli.runners.inputs import check_captions, find_inputs
from corridor_cli.runners.looks import Look
from corridor_cli.runners.model_name import identify_model
from corridor_cli.runners.other_work import OtherWork
from corridor_cli.runners.reckon import Estimate, EstimateRequest, base_of, reckon, scenes_of
from corridor_cli.runners.sample_choice import FIRST_LOOK_SECONDS, choose_sample, choose_second_looks
from corridor_cli.runners.sampling import look_into, look_of
from corridor_cli.runners.summary_trial import SummaryTask
from corridor_cli.runners.workers import WorkerPlan, is_model_on_processor, plan_workers
from corridor_cli.settings import Settings
from corridor_cli.telemetry import Reporter, counted
from corridor_cli.timeline.layout import OutputLayout

SAMPLE_SECONDS = 30.0
# Without a model its answers are taken to be half as long as allowed, and a token for four letters.
_CHARACTERS_PER_TOKEN = 4
_UNKNOWN_MODEL = ModelIdentity("none", "none", 448, cuts_tiles=True)


@dataclass(frozen=True, slots=True)
class EstimateOutcome:
    """An estimate, or the code of the signal that came before there was one."""

    exit_code: ExitCode
    estimate: Estimate | None


def run_estimate(
    inputs: list[str],
    request: EstimateRequest,
    settings: Settings,
    program_seconds: float,
    reporter: Reporter,
) -> EstimateOutcome:
    """Estimate a run over the inputs. `program_seconds` is what the program itself took to start.

    Raises `UsageError`, `NoInputsError` when no file can be opened, and `ModelError` as a run would.
    """
    began = time.monotonic()
    _check_devices(request, settings)
    layout = OutputLayout(request.output.resolve()) if request.output is not None else None
    check_captions(settings.caption)
    found = find_inputs(inputs, settings, layout.root if layout else None)
    needs_model = request.with_model or layout is not None  # a finished video is told by its model, too
    model = identify_model(settings) if needs_model else _UNKNOWN_MODEL
    program_seconds += time.monotonic() - began
    reporter.note(f"{counted(len(found.sources), 'video')} found; reading what they say of themselves")
    material = gather(found, layout, model, settings, reporter)
    if material.stopped_by is not None:
        return EstimateOutcome(material.stopped_by, None)
    _require_something(material)
    workers, others = plan_workers(settings, max(1, len(material.plans))), OtherWork()
    looking = _Looking(material, workers, model, settings, reporter)
    looking.work(request.max_samples)
    other_work = others.share()
    if looking.stopped_by is not None:
        return EstimateOutcome(looking.stopped_by, None)
    summary = _summary_task(material, looking.sampled, settings)
    trial = _try(list(looking.sampled.values()), material, request, model, settings, reporter, summary)
    looks = [*material.known.values(), *_looks(looking.sampled, trial, settings)]
    start = StartUp(program_seconds + material.plan_seconds, looking.worker_seconds)
    estimate = replace(
        base_of(material, looks, workers, start),
        wall_seconds=time.monotonic() - began,
        other_work=other_work,
        num_devices=request.num_devices,
    )
    estimate = reckon(estimate, material, looks, trial, request, settings)
    return EstimateOutcome(ExitCode.PARTIAL if material.unopened else ExitCode.OK, estimate)


def _check_devices(request: EstimateRequest, settings: Settings) -> None:
    if request.num_devices > 1 and request.with_model and is_model_on_processor(settings):
        raise UsageError(
            f"--devices is {request.num_devices} and the model computes on the processor, of which there is "
            "one, allowed: 1",
            hint="Measure where the device is, with --device cuda, or with the echo engine.",
        )


def _require_something(material: Material) -> None:
    if material.plans or material.num_finished:
        return
    num_inputs, first = counted(len(material.unopened), "input"), material.unopened[0]
    raise NoInputsError(
        f"None of {num_inputs} can be opened; the first: {first.error.message}",
        hint="`vlmtl probe` says why for each.",
    )


class _Looking:
    """Looks into a sample of the material: at first shortly into many, then longer into those cut off."""

    def __init__(
        self,
        material: Material,
        workers: WorkerPlan,
        model: ModelIdentity,
        settings: Settings,
        reporter: Reporter,
    ) -> None:
        self._material = material
        self._workers = workers
        self._model = model
        self._settings = settings
        self._reporter = reporter
        self._ends_at = time.monotonic() + SAMPLE_SECONDS
        self.sampled: dict[int, Sampled] = {}
        self.worker_seconds = 0.0
        self.stopped_by: ExitCode | None = None

    def work(self, max_videos: int | None) -> None:
        material = self._material
        unknown = [number for number in range(len(material.plans)) if number not in material.known]
        order = choose_sample([material.facts[number] for number in unknown], max_videos)
        numbers = [unknown[place] for place in order]
        if numbers:
            self._reporter.note(f"looking into a sample of them, for {SAMPLE_SECONDS:.0f} s or less")
            self._look_into(numbers, FIRST_LOOK_SECONDS, SAMPLE_SECONDS / 2)
        seconds = max(0.0, self._ends_at - time.monotonic())
        again, look_seconds = choose_second_looks(
            self._costs_of_cut_off(), seconds * self._workers.num_workers
        )
        if again and self.stopped_by is None:
            self._look_into(again, look_seconds, seconds)

    def _look_into(self, numbers: Sequence[int], look_seconds: float, seconds: float) -> None:
        plans = [self._material.plans[number] for number in numbers]
        scan = look_into(
            plans, look_seconds, seconds, self._model, self._workers, self._settings, self._reporter
        )
        self.stopped_by = scan.stopped_by
        self.worker_seconds = self.worker_seconds or scan.worker_seconds
        for ordinal, each in scan.sampled.items():
            number = numbers[ordinal]
            before = self.sampled.get(number)
            if each.ended_at is not None and (before is None or before.num_frames <= each.num_frames):
                self.sampled[number] = each

    def _costs_of_cut_off(self) -> dict[int, float]:
        """What those would take whole that were not seen whole, by number."""
        looks = [look_of(number, each) for number, each in self.sampled.items()]
        return {
            look.number: self._material.facts[look.number].frames * look.seconds_per_frame
            for look in looks
            if look is not None and not look.is_whole
        }


def _try(
    sampled: Sequence[Sampled],
    material: Material,
    request: EstimateRequest,
    model: ModelIdentity,
    settings: Settings,
    reporter: Reporter,
    summary: SummaryTask | None,
) -> Trial | None:
    """Caption some picks, of known scans where nothing was scanned now."""
    usable = [each for each in sampled if each.record is not None and each.record.scenes]
    usable = usable or material.known_samples
    is_all_known = len(material.known) == len(material.plans)
    has_captions = not is_all_known or any(look.num_asked for look in material.known.values())
    if not has_captions and summary is None:
        return None
    if not request.with_model or not usable:
        return None
    reporter.note("loading the model and captioning a few of their frames")
    return try_captions(usable, model, settings, reporter, summary)


def _summary_task(material: Material, sampled: dict[int, Sampled], settings: Settings) -> SummaryTask | None:
    """A summary like those of these videos, where they are wanted: of as many scenes as they have on the
    average."""
    looks = [*material.known.values(), *_looks(sampled, None, settings)]
    scenes = scenes_of(material, looks, settings)
    if not settings.caption.summary or scenes is None or not material.plans:
        return None
    num_videos = len(material.plans)
    return SummaryTask(max(1, round(scenes.scenes.expected / num_videos)), num_videos)


def _looks(sampled: dict[int, Sampled], trial: Trial | None, settings: Settings) -> list[Look]:
    half = settings.caption.max_new_tokens * _CHARACTERS_PER_TOKEN // 2
    num_characters = half if trial is None else round(trial.mean_characters)
    layout = OutputLayout(Path("/"))
    looks = []
    for number, each in sorted(sampled.items()):
        look = look_of(number, each)
        if look is not None:
            size = document_bytes(each, layout, num_characters, settings)
            looks.append(replace(look, document_bytes=size))
    return looks
