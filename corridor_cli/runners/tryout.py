"""`vlmtl try`: some scenes at random, captioned in each of several ways, before hours are spent on one."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from corridor_cli.errors import NoInputsError, TranscriptError, UsageError
from corridor_cli.media.discover import SourceFile
from corridor_cli.pipeline.plan import VideoPlan, plan_scans
from corridor_cli.pipeline.video import VideoWork
from corridor_cli.runners.inputs import check_captions, find_cuts, find_inputs, find_transcripts
from corridor_cli.runners.model_name import identify_model
from corridor_cli.runners.sampling import look_into
from corridor_cli.runners.tryout_captions import Trial, TriedScene, Variant, VariantResult, record_of
from corridor_cli.runners.workers import plan_workers
from corridor_cli.settings import Settings
from corridor_cli.telemetry import Reporter, counted
from corridor_cli.transcripts import load_transcript

MAX_SCENES = 200
_LOOK_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Tryout:
    """The scenes, and what each variant made of them; `num_videos` were there to choose from."""

    scenes: list[TriedScene]
    results: list[VariantResult]
    num_videos: int
    seed: int


def run_tryout(
    inputs: list[str], variants: Sequence[Variant], num_scenes: int, seed: int, reporter: Reporter
) -> Tryout:
    """Try `variants` on `num_scenes` scenes chosen by `seed`. Raises `VlmtlError`.

    Videos are looked into for some seconds each, so scenes late in long ones are not chosen.
    """
    if not 1 <= num_scenes <= MAX_SCENES:
        raise UsageError(
            f"got {num_scenes} scenes, allowed: 1 to {MAX_SCENES}", hint="For example --scenes 8."
        )
    first = variants[0].settings
    for variant in variants:
        check_captions(variant.settings.caption)
    found = find_inputs(inputs, first, None)
    chance = random.Random(seed)
    sources = chance.sample(found.sources, min(num_scenes, len(found.sources)))
    videos = list(_look(sources, first, reporter))
    chosen = _choose(videos, num_scenes, chance)
    if not chosen:
        raise NoInputsError(
            f"No scene was found in {counted(len(sources), 'video')} of {len(found.sources)}.",
            hint="`vlmtl scenes` says why for each.",
        )
    with ExitStack() as stack:
        trial = Trial(chosen, variants, reporter, stack)
        tried = trial.fetch(first)
        results = [trial.caption(variant) for variant in variants]
    return Tryout(tried, results, len(found.sources), seed)


def _look(sources: Sequence[SourceFile], settings: Settings, reporter: Reporter) -> Iterator[VideoWork]:
    """The videos with their scans, as far as these come in some seconds; those without scenes left out."""
    cuts = find_cuts(sources, settings.scenes, reporter)
    transcripts = find_transcripts(settings.caption)
    plans = [plan for plan in plan_scans(sources, settings, cuts) if isinstance(plan, VideoPlan)]
    if not plans:
        return
    workers = plan_workers(settings, len(plans), has_model=False)
    quiet = replace(settings, frames=replace(settings.frames, save="none"))
    model = identify_model(settings)
    seconds = _LOOK_SECONDS * len(plans)
    reporter.note(f"looking for scenes in {counted(len(plans), 'video')}")
    scan = look_into(plans, _LOOK_SECONDS, seconds, model, workers, quiet, reporter)
    for _, sampled in sorted(scan.sampled.items()):  # not as they ended: the seed alone decides
        if sampled.record is None or not sampled.record.scenes:
            continue
        video, source = sampled.video, sampled.video.plan.source
        video.record = sampled.record
        try:
            said = transcripts.of(source.path, video.relative) if transcripts else None
            video.transcript = load_transcript(said) if said else None
        except TranscriptError as error:
            reporter.warn(f"{video.relative}: {error}")
        yield video


def _choose(
    videos: Sequence[VideoWork], num_scenes: int, chance: random.Random
) -> list[tuple[VideoWork, int]]:
    """Scenes of all videos in turn, each video's in random order; then sorted as they stand in them."""
    orders = {video.ordinal: _shuffled(len(record_of(video).scenes), chance) for video in videos}
    chosen: list[tuple[VideoWork, int]] = []
    while len(chosen) < num_scenes and any(orders.values()):
        for video in videos:
            if orders[video.ordinal] and len(chosen) < num_scenes:
                chosen.append((video, orders[video.ordinal].pop()))
    return sorted(chosen, key=lambda each: (each[0].relative, each[1]))


def _shuffled(number: int, chance: random.Random) -> list[int]:
    return chance.sample(range(number), number)
