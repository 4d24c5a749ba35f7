"""The captions of `vlmtl try`: pictures fetched once, then one engine after the other asked about them."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from corridor_cli.errors import ModelError, NoInputsError
from corridor_cli.hosts.hosted_engine import HostedEngine
from corridor_cli.hosts.media_pool import MediaPool
from corridor_cli.hosts.messages import EngineSetup
from corridor_cli.hosts.slots import create_arena
from corridor_cli.pipeline.asking import Asker, typical
from corridor_cli.pipeline.video import VideoWork
from corridor_cli.records import (
    BatchStarted,
    BatchStats,
    Caption,
    EngineInfo,
    Request,
    Role,
    ScanJob,
    Scene,
    SceneFrames,
    WantedPick,
)
from corridor_cli.runners.fetching import fetch_scenes
from corridor_cli.runners.model_name import identify_model
from corridor_cli.runners.picture_limits import picture_limits
from corridor_cli.runners.workers import worker_setup
from corridor_cli.settings import FrameSettings, Settings
from corridor_cli.telemetry import Reporter, counted
from corridor_cli.timeline.answers import Answer, read_answer
from corridor_cli.timeline.scan_record import ScanRecord

_TICK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to caption: whole settings, and what they are called beside the others."""

    label: str
    settings: Settings


@dataclass(frozen=True, slots=True)
class TriedScene:
    """A scene that was tried. `pictures` are small JPEGs of its picks."""

    path: str
    relative: str
    scene: Scene
    pictures: dict[Role, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VariantResult:
    """What one variant made of the scenes, in their order: answers as a timeline would quote them.

    `seconds` is the time from the first request to the last answer, `output_tokens` are of all of them.
    """

    variant: Variant
    engine: EngineInfo
    answers: list[Answer]
    retries: list[str | None]
    num_requests: int
    output_tokens: int
    seconds: float

    @property
    def seconds_per_scene(self) -> float:
        return self.seconds / len(self.answers)


class Trial:
    """The pictures of the chosen scenes in shared memory, and one engine after the other to caption them."""

    def __init__(
        self,
        chosen: Sequence[tuple[VideoWork, int]],
        variants: Sequence[Variant],
        reporter: Reporter,
        stack: ExitStack,
    ) -> None:
        self._chosen = chosen
        self._reporter = reporter
        limits = [
            picture_limits(identify_model(each.settings), each.settings.gpu_pipeline.internvl3.max_tiles)
            for each in variants
        ]
        self._limits = max(limits, key=lambda each: each.max_pixels)
        self._events: list[SceneFrames] = []
        self._engine: HostedEngine | None = None
        self._engine_of: object = None
        wanted = sum(len(_distinct(video, scene)) for video, scene in chosen)
        self._num_slots = wanted
        self._arena_fd = create_arena(wanted, self._limits.slot_bytes)
        stack.callback(os.close, self._arena_fd)
        stack.callback(self._close_engine)

    def fetch(self, settings: Settings) -> list[TriedScene]:
        """Take the pictures of the scenes. Raises `NoInputsError` where not one can be had."""
        setup = worker_setup(replace(settings, frames=FrameSettings(save="thumbnails")), self._limits)
        media = MediaPool(setup, self._arena_fd, 1, self._num_slots)
        pictures: dict[tuple[int, int], dict[Role, bytes]] = {}
        try:
            for event in fetch_scenes(media, list(self._jobs())):
                self._events.append(event)
                for picked in event.picks:
                    if picked.image is not None:
                        pictures.setdefault((event.video, event.scene_index), {})[picked.pick.role] = (
                            picked.image
                        )
        finally:
            media.close()
        # A video that was moved meanwhile is left out.
        self._chosen = [(video, scene) for video, scene in self._chosen if (video.ordinal, scene) in pictures]
        if not self._chosen:
            raise NoInputsError("None of the chosen scenes could be read again.", hint="Try again.")
        return [
            TriedScene(
                str(video.plan.source.path),
                video.relative,
                record_of(video).scenes[scene],
                pictures[video.ordinal, scene],
            )
            for video, scene in self._chosen
        ]

    def caption(self, variant: Variant) -> VariantResult:
        """Ask for all scenes as a run with these settings would, its engine started before the clock."""
        settings = variant.settings
        engine, info = self._start(settings)
        asker = Asker(settings.caption)
        videos = {video.ordinal: _as_asked(video, settings) for video, _ in self._chosen}
        requests: list[Request] = []
        for event in self._events:
            requests += asker.requests(videos[event.video], event)[0]
        self._reporter.note(f"{variant.label}: {counted(len(requests), 'request')}")
        began = time.perf_counter()
        answers = _answers(engine, asker, requests)
        seconds = time.perf_counter() - began
        for caption in answers:
            videos[caption.key.video].answered(caption)
        quoted = [videos[video.ordinal].caption_of(scene) for video, scene in self._chosen]
        return VariantResult(
            variant,
            info,
            [read_answer(caption, settings.caption) for caption in quoted],
            [caption.retry_of if caption else None for caption in quoted],
            len(requests),
            sum(caption.output_tokens for caption in answers),
            seconds,
        )

    def _jobs(self) -> Iterator[ScanJob]:
        wanted: dict[int, list[WantedPick]] = {}
        for video, scene in self._chosen:
            wanted.setdefault(video.ordinal, []).extend(_distinct(video, scene))
        videos = {video.ordinal: video for video, _ in self._chosen}
        for ordinal, picks in wanted.items():
            video = videos[ordinal]
            yield ScanJob(ordinal, str(video.plan.source.path), tuple(picks), record_of(video).info)

    def _start(self, settings: Settings) -> tuple[HostedEngine, EngineInfo]:
        """The engine of these settings: the one that runs, where only the question differs."""
        chosen = settings.gpu_pipeline.internvl3
        if self._engine is None or self._engine_of != chosen:
            self._close_engine()
            setup = EngineSetup(chosen, self._limits.slot_bytes, typical(settings.caption))
            self._engine = HostedEngine(setup, self._arena_fd, settings.errors, _unheard, self._reporter.warn)
            self._engine_of = chosen
        return self._engine, self._engine.start()

    def _close_engine(self) -> None:
        if self._engine is not None:
            self._engine.close()
            self._engine = None


def record_of(video: VideoWork) -> ScanRecord:
    """Its scan: only videos with scenes are tried."""
    assert video.record is not None
    return video.record


def _answers(engine: HostedEngine, asker: Asker, requests: Sequence[Request]) -> list[Caption]:
    """Every request answered, some after a second try. Raises `ModelError` where all fail alike."""
    waiting, asked = deque(requests), {request.key: request for request in requests}
    answers: list[Caption] = []
    while len(answers) < len(requests):
        while waiting and engine.num_free:
            engine.submit(waiting.popleft())
        for caption in engine.poll(_TICK_SECONDS):
            again = asker.again(asked[caption.key], caption)
            if again is not None:
                waiting.appendleft(again)
                continue
            answers.append(asker.settle(caption))
    failed = [caption.error for caption in answers if caption.error is not None]
    if failed and len(failed) == len(answers):
        raise ModelError(f"Not one caption could be made: {failed[0].type}: {failed[0].message}")
    return answers


def _as_asked(video: VideoWork, settings: Settings) -> VideoWork:
    """The video without what another variant was answered."""
    plan = replace(video.plan, is_by_scene=settings.caption.mode == "scene")
    return VideoWork(video.ordinal, plan, record_of(video), transcript=video.transcript)


def _distinct(video: VideoWork, scene: int) -> list[WantedPick]:
    picks = (pick for pick in record_of(video).picks[scene] if pick.duplicate_of is None)
    return [WantedPick(scene, pick, for_model=True, for_image=True) for pick in picks]


def _unheard(event: BatchStarted | BatchStats) -> None:
    """Batches are not told one by one."""
