"""What a caption costs with this model on this machine: the engine is started as in a run, and asked."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count, cycle, islice, pairwise

from corridor_cli.errors import ModelError
from corridor_cli.hosts.hosted_engine import HostedEngine
from corridor_cli.hosts.media_pool import MediaPool
from corridor_cli.hosts.messages import EngineSetup
from corridor_cli.hosts.slots import create_arena
from corridor_cli.pipeline.asking import Asker, typical
from corridor_cli.pipeline.plan import ModelIdentity
from corridor_cli.pipeline.samples import Sampled
from corridor_cli.records import (
    BatchStarted,
    BatchStats,
    Caption,
    EngineInfo,
    FrameRef,
    Request,
    RequestKey,
    Role,
    ScanJob,
    WantedPick,
)
from corridor_cli.runners.amounts import Amount, relative_deviation
from corridor_cli.runners.fetching import fetch_scenes
from corridor_cli.runners.forecast import CaptionCost, full_batch_cost
from corridor_cli.runners.forecast_summaries import SummaryCost
from corridor_cli.runners.picture_limits import picture_limits
from corridor_cli.runners.summary_trial import SummaryTask, try_summaries
from corridor_cli.runners.workers import worker_setup
from corridor_cli.settings import Settings
from corridor_cli.telemetry import Reporter

MAX_PICKS = 16
_WARM_UP_SECONDS = 5.0
_TRIAL_SECONDS = 8.0
_MIN_CAPTIONS = 2
_NUM_STRETCHES = 4
_TICK_SECONDS = 0.25
# Nothing in a single caption says how far off it may be.
_UNKNOWN_SPREAD = 0.3


@dataclass(frozen=True, slots=True)
class Trial:
    """What was measured. `is_reckoned` where a full batch would have taken too long: its cost is then
    reckoned from a few captions made together. `model_seconds` is from the start of its process until it is
    loaded. `summary` is None where none was to be tried, or none could be made."""

    info: EngineInfo
    cost: CaptionCost
    num_captions: int
    mean_characters: float
    model_seconds: float
    seconds_per_fetch: float
    is_reckoned: bool
    summary: SummaryCost | None = None


def try_captions(
    sampled: Sequence[Sampled],
    model: ModelIdentity,
    settings: Settings,
    reporter: Reporter,
    summary: SummaryTask | None = None,
) -> Trial:
    """Caption some picks of what was sampled; there must be one. Raises `ModelError` as a run would."""
    limits = picture_limits(model, settings.gpu_pipeline.internvl3.max_tiles)
    jobs = list(_jobs(sampled))
    num_slots = sum(len(job.wanted or ()) for job in jobs)
    batches: list[BatchStats] = []

    def on_batch(event: BatchStarted | BatchStats) -> None:
        if isinstance(event, BatchStats):
            batches.append(event)

    with ExitStack() as stack:
        arena_fd = create_arena(num_slots, limits.slot_bytes)
        stack.callback(os.close, arena_fd)
        chosen = settings.gpu_pipeline.internvl3
        setup = EngineSetup(chosen, limits.slot_bytes, typical(settings.caption))
        engine = HostedEngine(setup, arena_fd, settings.errors, on_batch, reporter.warn)
        stack.callback(engine.close)
        media = MediaPool(worker_setup(settings, limits), arena_fd, 1, num_slots)
        stack.callback(media.close)
        return _Trial(engine, media, settings, batches).run(jobs, summary)


def _jobs(sampled: Sequence[Sampled]) -> Iterator[ScanJob]:
    """The picks to fetch, of as many videos as there are picks, and one scene after the other."""
    records = [(each.video, each.record) for each in sampled if each.record is not None]
    most = max(1, MAX_PICKS // max(1, len(records)))
    left = MAX_PICKS
    for number, (video, record) in enumerate(records):
        picks = [
            WantedPick(scene.index, pick, for_model=True, for_image=False)
            for scene, picks in zip(record.scenes, record.picks, strict=True)
            for pick in picks
            if pick.duplicate_of is None
        ][: min(most, left)]
        left -= len(picks)
        if picks:
            yield ScanJob(number, str(video.plan.source.path), tuple(picks), record.info)


class _Trial:
    """The engine and a worker that fetches for it."""

    def __init__(
        self, engine: HostedEngine, media: MediaPool, settings: Settings, batches: list[BatchStats]
    ) -> None:
        self._engine = engine
        self._media = media
        self._settings = settings
        self._batches = batches
        self._keys = (RequestKey(number, 0, Role.FIRST) for number in count())
        self._loaded_at: float | None = None
        self._num_frames_each = 1

    def run(self, jobs: Sequence[ScanJob], summary: SummaryTask | None) -> Trial:
        launched_at = time.monotonic()
        self._engine.launch()
        self._num_frames_each = _num_frames_each(jobs) if self._settings.caption.mode == "scene" else 1
        frames, seconds_per_fetch = self._fetch(jobs)
        if not frames:
            raise ModelError(
                "No frame could be fetched to try the model with.",
                hint="Give --no-model for an estimate without captions.",
            )
        info = self._engine.start()
        # Loading goes on while frames are fetched: the engine says when it was there, the loop hears it.
        model_seconds = (self._loaded_at or time.monotonic()) - launched_at
        size, each_seconds = info.batch_size, info.seconds_per_request or 0.0
        self._caption(frames, size if size * each_seconds <= _WARM_UP_SECONDS else 1)
        is_reckoned = 2 * size * each_seconds > _TRIAL_SECONDS
        number = max(_MIN_CAPTIONS, min(size, int(_TRIAL_SECONDS / each_seconds))) if is_reckoned else None
        self._batches.clear()
        began = time.monotonic()
        answers = self._caption(frames, number)
        captions = _good([caption for _, caption in answers])
        seconds = [(at - began) for at, _ in answers]
        each = _reckoned(captions, self._batches, size, seconds[-1]) if is_reckoned else None
        cost = _cost(each, captions, seconds, len(frames), size)
        characters = sum(len(caption.text) for caption in captions) / len(captions)
        found = None
        if summary is not None:
            texts = [caption.text for caption in captions]
            found = try_summaries(self._engine, self._keys, texts, summary, self._settings.caption)
        return Trial(
            info, cost, len(captions), characters, model_seconds, seconds_per_fetch, each is not None, found
        )

    def _fetch(self, jobs: Sequence[ScanJob]) -> tuple[list[FrameRef], float]:
        """Frames in shared memory, and what one took; a video that does not give them again is left out."""
        frames: list[FrameRef] = []
        began: float | None = None

        def hear(is_heard: bool) -> None:
            nonlocal began
            if is_heard:
                began = began or time.monotonic()  # the worker has started
            self._engine.poll(timeout_seconds=0)
            if self._engine.info is not None and self._loaded_at is None:
                self._loaded_at = time.monotonic()

        for event in fetch_scenes(self._media, jobs, hear):
            frames += [picked.frame for picked in event.picks if picked.frame]
        taken = time.monotonic() - began if began else 0.0
        return frames, taken / max(1, len(frames))

    def _caption(self, frames: Sequence[FrameRef], number: int | None) -> list[tuple[float, Caption]]:
        """Ask for `number` captions, or, where that is None, for two full batches or more while the time for
        a trial lasts; the answers and when they came."""
        prompt = typical(self._settings.caption).prompt
        generation = Asker(self._settings.caption).generation
        turn = cycle(frames)
        info = self._engine.info or self._engine.start()
        least = 2 * info.batch_size if number is None else number
        began = time.monotonic()
        answers: list[tuple[float, Caption]] = []
        num_asked = 0
        while num_asked < least or len(answers) < num_asked:
            is_over = number is not None or time.monotonic() - began > _TRIAL_SECONDS / 2
            while self._engine.num_free and (num_asked < least or not is_over):
                request_frames = tuple(islice(turn, self._num_frames_each))
                self._engine.submit(Request(next(self._keys), prompt, request_frames, generation))
                num_asked += 1
            captions = self._engine.poll(_TICK_SECONDS)
            answers += [(time.monotonic(), caption) for caption in captions]
        return answers


def _num_frames_each(jobs: Sequence[ScanJob]) -> int:
    """How many distinct picks a scene has, as they go into one request together."""
    scenes = [(job.video, wanted.scene_index) for job in jobs for wanted in job.wanted or ()]
    return max(1, round(len(scenes) / max(1, len(set(scenes)))))


def _good(captions: Sequence[Caption]) -> list[Caption]:
    """Those that are no errors. Raises `ModelError` when there is none."""
    good = [caption for caption in captions if caption.error is None]
    if not good:
        error = captions[0].error
        why = f"{error.type}: {error.message}" if error else "no answer"
        raise ModelError(f"None of {len(captions)} captions could be made to try the model ({why}).")
    return good


def _reckoned(
    captions: Sequence[Caption], batches: Sequence[BatchStats], batch_size: int, wall_seconds: float
) -> float | None:
    """Seconds a caption in a full batch, where the engine tells its passes apart; else None."""
    steps = sum(batch.pass_seconds.get("steps", 0.0) for batch in batches)
    if not steps:
        return None
    tokens = [caption.output_tokens for caption in captions]
    return full_batch_cost(max(0.0, wall_seconds - steps), steps, tokens, max(batch_size, len(captions)))


def _cost(
    each_seconds: float | None,
    captions: Sequence[Caption],
    seconds: Sequence[float],
    num_frames: int,
    batch_size: int,
) -> CaptionCost:
    """The cost with its error: what stretches of the trial differed by, and pictures in their tokens."""
    each = seconds[-1] / len(seconds) if each_seconds is None else each_seconds
    tokens = [float(caption.output_tokens) for caption in captions]
    mean_tokens = sum(tokens) / len(tokens)
    spread = relative_deviation(tokens, [1.0] * len(tokens)) if mean_tokens else 0.0
    by_picture = (_UNKNOWN_SPREAD if spread is None else spread) / math.sqrt(min(num_frames, len(tokens)))
    few = _UNKNOWN_SPREAD / math.sqrt(len(tokens))
    by_stretch = stretch_deviation(seconds, batch_size) if each_seconds is None else few
    return CaptionCost(
        Amount(each, each * math.hypot(by_picture, by_stretch)),
        Amount(mean_tokens, mean_tokens * by_picture),
    )


def stretch_deviation(seconds: Sequence[float], batch_size: int) -> float:
    """By how much of itself the cost is uncertain, from stretches of whole batches: `seconds` says when each
    answer came, from the beginning on."""
    whole_batches = len(seconds) // _NUM_STRETCHES // batch_size * batch_size
    size = max(batch_size, whole_batches)
    ends = [0.0, *seconds[size - 1 :: size]]
    lengths = [after - before for before, after in pairwise(ends)]
    spread = relative_deviation(lengths, [1.0] * len(lengths)) if lengths else None
    return _UNKNOWN_SPREAD if spread is None else spread / math.sqrt(len(lengths))
