"""Looks into a few videos as a run would scan them, with a limit of time for each, and what came of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median

from corridor_cli.errors import ExitCode, LimitError
from corridor_cli.hosts.media_pool import MediaPool
from corridor_cli.hosts.slots import create_arena
from corridor_cli.pipeline.plan import ModelIdentity, VideoPlan
from corridor_cli.pipeline.run import Pipeline
from corridor_cli.pipeline.samples import Sampled, SampleReporter, Samples, Unasked
from corridor_cli.pipeline.stop import StopSignals
from corridor_cli.pipeline.tally import Tally
from corridor_cli.pipeline.video import VideoWork
from corridor_cli.pipeline.writer import Writer
from corridor_cli.runners.local import num_slots_each
from corridor_cli.runners.looks import Look
from corridor_cli.runners.picture_limits import picture_limits
from corridor_cli.runners.workers import WorkerPlan, worker_setup
from corridor_cli.settings import Settings
from corridor_cli.telemetry import Reporter
from corridor_cli.timeline.scan_record import ScanRecord

# A speed is told apart from the opening of the file, and from its own change, only over some time.
_MIN_STEADY_SECONDS = 0.5
_MIN_DRIFT_SECONDS = 1.0
# Main's clock runs from before the worker is there, and the picks of the last scene come after the limit.
_LATE_SECONDS = 20.0
_NO_CUT = ("start", "split")


@dataclass(frozen=True, slots=True)
class SampleScan:
    """What was seen of the plans, by their ordinal, and what starting a worker takes. `stopped_by` is the
    code of the signal that ended it early."""

    sampled: dict[int, Sampled]
    worker_seconds: float
    stopped_by: ExitCode | None


def look_into(
    plans: Sequence[VideoPlan],
    look_seconds: float,
    seconds: float,
    model: ModelIdentity,
    workers: WorkerPlan,
    settings: Settings,
    reporter: Reporter,
) -> SampleScan:
    """Scan the plans in turn, each for `look_seconds` at most, and begin none after `seconds`.

    Workers are as many, and work as, in the run that is estimated. Raises `VlmtlError`.
    """
    limit = min(look_seconds, settings.decode.max_seconds or look_seconds)
    # What fails here is what is looked for: no limit of failures ends it.
    settings = replace(
        settings,
        decode=replace(settings.decode, max_seconds=limit),
        errors=replace(settings.errors, fail_fast=False, max_failures=None),
        caption=replace(settings.caption, retry=False, summary=False),  # the answers are empty
    )
    videos = [VideoWork(number, plan) for number, plan in enumerate(plans)]
    samples = Samples(seconds)
    writer = Writer()
    stopped_by = None
    try:
        with StopSignals() as signals, _media(model, workers, settings) as media:
            told = SampleReporter(reporter, samples)
            tally = Tally(videos, 0, is_captioning=False)
            Pipeline(videos, media, Unasked(samples), samples, writer, settings, told, tally).run(signals)
            if signals.received is not None:
                stopped_by = signals.exit_code
    finally:
        writer.close()
    return SampleScan(
        {each.video.ordinal: each for each in samples.sampled},
        _take_off_start(samples.sampled, workers.num_workers),
        stopped_by,
    )


@contextmanager
def _media(model: ModelIdentity, workers: WorkerPlan, settings: Settings) -> Iterator[MediaPool]:
    limits = picture_limits(model, settings.gpu_pipeline.internvl3.max_tiles)
    num_slots = num_slots_each(settings, limits.slot_bytes, workers.num_workers)
    arena_fd = create_arena(workers.num_workers * num_slots, limits.slot_bytes)
    # In a run more videos follow: the last ones of a sample get no more cores than the others.
    setup = replace(worker_setup(settings, limits, workers), num_cores=1, num_threads=workers.num_threads)
    media = MediaPool(setup, arena_fd, workers.num_workers, num_slots, _LATE_SECONDS)
    try:
        yield media
    finally:
        media.close()
        os.close(arena_fd)


def _take_off_start(sampled: Sequence[Sampled], num_workers: int) -> float:
    """What starting a worker took: by so much longer than the others its first file needed to be opened.

    Those first looks are made to begin later, so that their time is that of the video alone.
    """
    opened = [
        (each.begun_at, each.opened_at - each.begun_at, each)
        for each in sampled
        if each.opened_at is not None
    ]
    opened.sort(key=lambda item: item[0])
    first, others = opened[:num_workers], opened[num_workers:]
    usual_seconds = median(seconds for _, seconds, _ in others) if others else 0.0
    starts = []
    for begun_at, seconds, each in first:
        starts.append(max(0.0, seconds - usual_seconds))
        each.begun_at = begun_at + starts[-1]
    return sum(starts) / len(starts) if starts else 0.0


def look_of(number: int, sampled: Sampled) -> Look | None:
    """What is to be reckoned with; None where the look told nothing, such as none at all for want of time."""
    if sampled.ended_at is None:
        return None
    record, error = sampled.record, sampled.video.error
    seconds = sampled.ended_at - sampled.begun_at
    if record is None:
        is_cut_off = error is not None and error.type == LimitError.__name__
        return None if is_cut_off else Look(number, 0, 0.0, 0, 0, 0, scan_seconds=seconds)
    steady, drift = steady_speed(sampled.marks)
    return Look(
        number,
        record.num_frames,
        float(record.duration),
        num_scenes=len(record.scenes),
        num_cuts=sum(scene.boundary not in _NO_CUT for scene in record.scenes),
        num_asked=_num_requests(sampled.video, record),
        is_whole=record.error is None or record.error.type != LimitError.__name__,
        scan_seconds=seconds,
        seconds_per_frame=steady or seconds / max(1, record.num_frames),
        drift=drift,
        num_pictures=sampled.num_pictures,
        picture_bytes=sampled.picture_bytes,
    )


def _num_requests(video: VideoWork, record: ScanRecord) -> int:
    if video.plan.is_by_scene:
        return len(record.scenes)
    return sum(pick.duplicate_of is None for picks in record.picks for pick in picks)


def steady_speed(marks: Sequence[tuple[float, int]]) -> tuple[float | None, float | None]:
    """Seconds a frame between the first and the last of (time, frames seen), and by how much of that the two
    halves differ, as a deviation; each None where it was watched too shortly."""
    if len(marks) < 2:
        return None, None
    (begin, first), (end, last) = marks[0], marks[-1]
    if end - begin < _MIN_STEADY_SECONDS or last <= first:
        return None, None
    steady = (end - begin) / (last - first)
    if end - begin < _MIN_DRIFT_SECONDS or len(marks) < 3:
        return steady, None
    middle, seen = min(marks[1:-1], key=lambda mark: abs(mark[0] - (begin + end) / 2))
    if not first < seen < last:
        return steady, None
    halves = (middle - begin) / (seen - first), (end - middle) / (last - seen)
    return steady, abs(halves[0] - halves[1]) / (2**0.5) / steady
