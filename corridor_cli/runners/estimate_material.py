"""What an estimate is about: the videos a run would work on, their headers, and what earlier runs know."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from corridor_cli.errors import ExitCode
from corridor_cli.hosts.messages import WorkerSetup
from corridor_cli.media.discover import Discovery
from corridor_cli.pipeline.pictures import Pictures
from corridor_cli.pipeline.plan import ModelIdentity, VideoPlan, plan_scans, plan_videos
from corridor_cli.pipeline.probes import ProbeReport, Probes
from corridor_cli.pipeline.samples import QuietReporter, Sampled
from corridor_cli.pipeline.video import VideoWork
from corridor_cli.pipeline.writer import Writer
from corridor_cli.records import ErrorInfo, VideoInfo
from corridor_cli.runners.inputs import find_cuts, find_transcripts
from corridor_cli.runners.looks import Look, VideoFacts, kind_of
from corridor_cli.runners.scan_run import Plan, run_scans
from corridor_cli.settings import DecodeSettings, Settings
from corridor_cli.telemetry import Reporter, RunOptions
from corridor_cli.timeline.layout import OutputLayout
from corridor_cli.timeline.log import known_captions
from corridor_cli.timeline.scan_record import ScanRecord, load_scan

# Of a file whose header says neither how long it is nor how fast its frames come.
_ASSUMED_FPS = 25.0
_ASSUMED_BYTES_PER_SECOND = 500_000.0


@dataclass(frozen=True, slots=True)
class Unopened:
    """A file or input that cannot be taken, and why."""

    path: str
    error: ErrorInfo


@dataclass(slots=True)
class Material:
    """What there is to do: `plans` and their `facts`, one each; of those scanned before, `known` by number,
    and `known_samples` as if they had been looked into.

    `num_finished` videos need nothing; planning took `plan_seconds`, as it will in a run. `stopped_by` is the
    code of the signal that ended reading.
    """

    plans: list[VideoPlan] = field(default_factory=list)
    facts: list[VideoFacts] = field(default_factory=list)
    known: dict[int, Look] = field(default_factory=dict)
    unopened: list[Unopened] = field(default_factory=list)
    known_samples: list[Sampled] = field(default_factory=list)
    num_finished: int = 0
    plan_seconds: float = 0.0
    stopped_by: ExitCode | None = None


def gather(
    found: Discovery,
    layout: OutputLayout | None,
    model: ModelIdentity,
    settings: Settings,
    reporter: Reporter,
) -> Material:
    """Plan what was found as a run would, and read the header of all that no earlier run has scanned."""
    began = time.monotonic()
    material = Material(unopened=[Unopened(each.path, each.error) for each in found.problems])
    cuts = find_cuts(found.sources, settings.scenes, reporter)
    if layout is None:
        plans: list[Plan] = list(plan_scans(found.sources, settings, cuts))
    else:
        said = find_transcripts(settings.caption)
        plans = list(
            plan_videos(found.sources, layout, settings, model, RunOptions(), cuts, transcripts=said)
        )
    material.plan_seconds = time.monotonic() - began
    to_do = [plan for plan in plans if not isinstance(plan, VideoPlan) or plan.needs_work]
    material.num_finished = len(plans) - len(to_do)
    records = _known_scans(to_do, layout)
    reports = _probe(
        [plan for plan in to_do if str(plan.source.relative) not in records], settings, reporter, material
    )
    infos = {relative: record.info for relative, record in records.items()}
    for report in reports:
        if report.probed is not None:
            infos[report.relative] = report.probed.info
        elif report.error is not None:
            material.unopened.append(Unopened(report.path, report.error))
    material.plans = [plan for plan in to_do if isinstance(plan, VideoPlan) and plan.relative in infos]
    in_order = [(plan.source.size_bytes, infos[plan.relative]) for plan in material.plans]
    material.facts = video_facts(in_order, settings.decode)
    for number, plan in enumerate(material.plans):
        if layout is not None and (record := records.get(plan.relative)) is not None:
            material.known[number] = _known_look(number, plan, record, layout, settings)
            material.known_samples.append(Sampled(VideoWork(number, plan, record), 0.0, record))
            material.facts[number] = replace(
                material.facts[number], frames=record.num_frames, seconds=float(record.duration)
            )
    return material


def _known_scans(plans: Sequence[Plan], layout: OutputLayout | None) -> dict[str, ScanRecord]:
    if layout is None:
        return {}
    loaded = (
        (plan.relative, load_scan(layout.scan(plan.scan_key)))
        for plan in plans
        if isinstance(plan, VideoPlan)
    )
    return {relative: record for relative, record in loaded if record is not None}


def _probe(
    plans: Sequence[Plan], settings: Settings, reporter: Reporter, material: Material
) -> list[ProbeReport]:
    reports: list[ProbeReport] = []
    if not plans:
        return reports
    setup = WorkerSetup(
        settings.decode, settings.scenes, replace(settings.frames, save="none"), 0, 0, free_slots=()
    )
    lenient = replace(settings, errors=replace(settings.errors, fail_fast=False, max_failures=None))

    def make_keeper(writer: Writer) -> Probes:
        return Probes(settings.decode, reports.append)

    run = run_scans(plans, 0, setup, make_keeper, lenient, QuietReporter(reporter))
    material.stopped_by = run.stopped_by
    return reports


def _known_look(
    number: int, plan: VideoPlan, record: ScanRecord, layout: OutputLayout, settings: Settings
) -> Look:
    """What a scan of an earlier run says, and what is still to be done of it."""
    assert plan.caption_key is not None, "what is planned for an output has a key for its captions"
    video = VideoWork(number, plan, record)
    video.captions = known_captions(layout.captions(plan.caption_key), number)
    writer = Writer()
    try:
        pictures = Pictures(layout, settings, writer)
        video.saved = pictures.there(video)
        wanted = video.wanted(pictures.is_wanted)
        asked = [each for each in wanted if each.for_model]
    finally:
        writer.close()
    return Look(
        number,
        record.num_frames,
        float(record.duration),
        num_scenes=len(record.scenes),
        num_cuts=sum(scene.boundary not in ("start", "split") for scene in record.scenes),
        num_asked=len({(each.scene_index, None if plan.is_by_scene else each.pick.role) for each in asked}),
        num_to_fetch=len({each.pick.frame_index for each in wanted}),
    )


def video_facts(infos: Sequence[tuple[int, VideoInfo]], limits: DecodeSettings) -> list[VideoFacts]:
    """The facts of files, given as (size in bytes, what the header says), within the limits of a scan.

    Where a header tells no length, the file's size does, by what the others have to a second.
    """
    lengths = [(size, _stated_seconds(info)) for size, info in infos]
    told = [(size, seconds) for size, seconds in lengths if seconds]
    all_seconds = sum(seconds for _, seconds in told)
    per_second = sum(size for size, _ in told) / all_seconds if all_seconds else _ASSUMED_BYTES_PER_SECOND
    facts = []
    for (size, stated), (_, info) in zip(lengths, infos, strict=True):
        seconds = stated or size / max(1.0, per_second)
        frames = info.num_frames_from_header or max(1.0, seconds * _fps(info))
        share = min(
            1.0,
            (limits.max_duration_seconds or seconds) / seconds if seconds else 1.0,
            (limits.max_frames or frames) / frames,
        )
        pixels = info.width_px * info.height_px
        kind = kind_of(info.video_codec, info.width_px, info.height_px)
        facts.append(VideoFacts(kind, max(1, pixels), frames * share, seconds * share))
    return facts


def _stated_seconds(info: VideoInfo) -> float | None:
    if info.duration_seconds_from_header is not None:
        return float(info.duration_seconds_from_header)
    if info.num_frames_from_header is not None:
        return info.num_frames_from_header / _fps(info)
    return None


def _fps(info: VideoInfo) -> float:
    return float(info.frame_rate or info.guessed_rate or _ASSUMED_FPS)
