"""From what was read, seen and measured to an estimate. Nothing here opens a file or looks at a clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from corridor_cli.hardware import num_usable_cpus
from corridor_cli.runners.amounts import Amount
from corridor_cli.runners.caption_trial import Trial
from corridor_cli.runners.estimate_material import Material, Unopened
from corridor_cli.runners.forecast import Disk, Machine, RunTime, StartUp, forecast_disk, forecast_run
from corridor_cli.runners.forecast_decoding import MIN_DEVIATION, Decoding, forecast_decoding, makespan
from corridor_cli.runners.forecast_scenes import Scenes, forecast_scenes
from corridor_cli.runners.forecast_summaries import Summaries, forecast_summaries
from corridor_cli.runners.looks import Look
from corridor_cli.runners.workers import WorkerPlan
from corridor_cli.settings import Settings


@dataclass(frozen=True, slots=True)
class EstimateRequest:
    """What is asked. `with_model` False leaves captioning out; `cost_per_hour` is that of the
    whole machine, with all its devices, in any currency."""

    output: Path | None = None
    max_samples: int | None = None
    with_model: bool = True
    num_devices: int = 1
    cost_per_hour: float | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What was found and what follows. What a run would not have to do is in none of the figures.

    `other_work` is the share of the processors that other processes had while the sample was seen.
    `sampled_share` is the part of all seconds of video that was seen, now or by earlier runs. Figures are
    None where nothing is known to reckon them from. `output_tokens` has those of `summaries`, which are None
    where none are wanted or none could be tried; second tries nobody can know before.
    """

    num_videos: int
    num_finished: int
    num_known_scans: int
    unopened: tuple[Unopened, ...]
    video_seconds: float
    frames: float
    num_sampled: int
    num_cut_off: int
    sampled_share: float
    sampled_seconds: float
    wall_seconds: float
    other_work: float
    workers: WorkerPlan
    num_cpus: int
    start: StartUp
    decoding: Decoding | None = None
    scenes: Scenes | None = None
    trial: Trial | None = None
    summaries: Summaries | None = None
    output_tokens: Amount | None = None
    time: RunTime | None = None
    num_devices: int = 1
    disk: Disk | None = None
    cost: Amount | None = None


def base_of(material: Material, looks: Sequence[Look], workers: WorkerPlan, start: StartUp) -> Estimate:
    """What there is, and how much of it was seen."""
    video_seconds = sum(video.seconds for video in material.facts)
    seen = sum(
        material.facts[look.number].seconds
        if look.is_whole
        else min(look.video_seconds, material.facts[look.number].seconds)
        for look in looks
    )
    fresh = [look for look in looks if look.scan_seconds is not None]
    return Estimate(
        num_videos=len(material.plans),
        num_finished=material.num_finished,
        num_known_scans=len(material.known),
        unopened=tuple(material.unopened),
        video_seconds=video_seconds,
        frames=sum(video.frames for video in material.facts),
        num_sampled=len(fresh),
        num_cut_off=sum(not look.is_whole for look in fresh),
        sampled_share=seen / video_seconds if video_seconds else 1.0,
        sampled_seconds=sum(look.video_seconds for look in fresh),
        wall_seconds=0.0,
        other_work=0.0,
        workers=workers,
        num_cpus=num_usable_cpus(),
        start=start,
    )


def reckon(
    estimate: Estimate,
    material: Material,
    looks: Sequence[Look],
    trial: Trial | None,
    request: EstimateRequest,
    settings: Settings,
) -> Estimate:
    """Everything that follows."""
    scenes = scenes_of(material, looks, settings)
    fetch_seconds = trial.seconds_per_fetch if trial else 0.0
    decoding = forecast_decoding(material.facts, looks, fetch_seconds, estimate.other_work)
    estimate = replace(estimate, scenes=scenes, decoding=decoding, trial=trial)
    if scenes is None or decoding is None:
        return estimate
    captioning = None
    machine = Machine(estimate.num_cpus, estimate.workers.num_workers)
    if trial is not None:
        machine = replace(machine, model_threads=_model_threads(trial, estimate.num_cpus))
        disturbed = estimate.other_work / 2 if machine.model_threads else 0.0
        each = trial.cost.seconds.at_least_off(max(MIN_DEVIATION, disturbed))
        captioning = scenes.captions * each
        tokens, start = scenes.captions * trial.cost.tokens, _with_model(estimate, scenes, trial)
        if trial.summary is not None:
            summaries = forecast_summaries(
                estimate.num_videos, looks, scenes.scenes, trial.mean_characters, trial.summary
            )
            captioning, tokens = captioning + summaries.seconds, tokens + summaries.tokens
            estimate = replace(estimate, summaries=summaries)
        estimate = replace(estimate, output_tokens=tokens, start=start)
    core_seconds = decoding.all.expected
    wall_seconds = makespan(decoding.of_each, machine.num_workers)
    wall = decoding.all.times(wall_seconds / core_seconds) if core_seconds else Amount(0.0)
    run = forecast_run(wall, core_seconds, captioning, machine, estimate.start, request.num_devices)
    disk = forecast_disk(
        looks,
        estimate.num_videos,
        scenes.scenes,
        settings.frames.max_saved_bytes,
        is_saving=settings.frames.save != "none",
    )
    if disk is not None and trial is not None and trial.summary is not None:
        size = Amount(estimate.num_videos * trial.summary.characters)
        disk = replace(disk, timeline_bytes=disk.timeline_bytes + size)
    rate = request.cost_per_hour
    cost = None if rate is None else run.seconds.times(rate / 3600)
    return replace(estimate, time=run, disk=disk, cost=cost)


def scenes_of(material: Material, looks: Sequence[Look], settings: Settings) -> Scenes | None:
    """How many scenes and captions; None where nothing was seen."""
    is_split = settings.scenes.detector != "file"
    return forecast_scenes(material.facts, looks, settings.scenes.max_scene_seconds if is_split else None)


def _model_threads(trial: Trial, num_cpus: int) -> int:
    """How many of the processors the model takes while it captions."""
    info = trial.info
    if info.engine == "echo" or info.device != "cpu":
        return 0
    return int(info.environment.get("threads", num_cpus))


def _with_model(estimate: Estimate, scenes: Scenes, trial: Trial) -> StartUp:
    """The start with the model's own, and what the captions of the last video take when all is decoded."""
    # A video's summary can only be asked for when its last caption is there.
    summary_seconds = trial.summary.latency_seconds if trial.summary is not None else 0.0
    of_last = min(float(trial.info.batch_size), scenes.captions.expected / max(1, estimate.num_videos))
    return replace(
        estimate.start,
        model_seconds=trial.model_seconds,
        last_captions_seconds=of_last * trial.cost.seconds.expected + summary_seconds,
    )
