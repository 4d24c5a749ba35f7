"""One engine under a fixed load: so many requests, all open at once as far as the engine takes them."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from corridor_cli.bench.document import Sample
from corridor_cli.bench.frames import FrameSet
from corridor_cli.bench.points import Point
from corridor_cli.hosts.hosted_engine import HostedEngine
from corridor_cli.records import BatchStarted, BatchStats, Caption, Generation, Request, RequestKey, Role

_POLL_SECONDS = 1.0


class BatchEars:
    """Hears what an engine tells of its batches, and gives what was said since last asked."""

    def __init__(self) -> None:
        self._stats: list[BatchStats] = []

    def hear(self, event: BatchStarted | BatchStats) -> None:
        """A batch began or ended."""
        if isinstance(event, BatchStats):
            self._stats.append(event)

    def take(self) -> list[BatchStats]:
        """The batches that ended since the last call."""
        stats, self._stats = self._stats, []
        return stats


@dataclass(frozen=True, slots=True)
class Round:
    """What was answered in how many seconds, in the order of the requests, and the batches it was done in."""

    captions: tuple[Caption, ...]
    seconds: float
    batches: tuple[BatchStats, ...]


class Load:
    """Puts rounds of requests to one engine. Each round has keys of its own and the same frames."""

    def __init__(
        self, engine: HostedEngine, ears: BatchEars, frames: FrameSet, point: Point, prompt: str
    ) -> None:
        self._engine = engine
        self._ears = ears
        self._frames = frames
        self._point = point
        self._prompt = prompt
        self._num_rounds = 0

    def round(self, num_requests: int, first: int = 0) -> Round:
        """So many requests, from number `first` on, from the first `submit` to the last caption. Raises what
        the engine raises."""
        self._ears.take()
        ordinals = range(first, first + num_requests)
        waiting = [self._request(ordinal) for ordinal in ordinals]
        self._num_rounds += 1
        answers: dict[int, Caption] = {}
        started = time.perf_counter()
        while len(answers) < num_requests:
            if waiting and (num_free := self._engine.num_free):
                self._engine.submit_all(waiting[:num_free])
                del waiting[:num_free]
            for caption in self._engine.poll(_POLL_SECONDS):
                answers[caption.key.scene] = caption
        seconds = time.perf_counter() - started
        captions = tuple(answers[ordinal] for ordinal in ordinals)
        return Round(captions, seconds, tuple(self._ears.take()))

    def stream(self, seconds: float, on_caption: Callable[[Caption], None]) -> float:
        """Keep the engine full for so long; the seconds until the last caption of those begun is there."""
        ordinal, num_open = 0, 0
        started = time.perf_counter()
        while (now := time.perf_counter() - started) < seconds or num_open:
            if now < seconds and (num_free := self._engine.num_free):
                self._engine.submit_all([self._request(ordinal + i) for i in range(num_free)])
                ordinal, num_open = ordinal + num_free, num_open + num_free
            for caption in self._engine.poll(_POLL_SECONDS):
                num_open -= 1
                on_caption(caption)
        self._num_rounds += 1
        return time.perf_counter() - started

    def _request(self, ordinal: int) -> Request:
        frames = self._frames.of_request(ordinal, self._point.frames)
        key = RequestKey(self._num_rounds, ordinal, Role.FIRST)
        return Request(key, self._prompt, frames, Generation(self._point.output_tokens))


def sample_of(done: Round, frames_per_request: int) -> Sample:
    """The figures of a round whose captions all came without an error."""
    timings = [(caption, caption.timing) for caption in done.captions if caption.timing is not None]
    firsts = [(c, t, t.first_token_seconds) for c, t in timings if t.first_token_seconds is not None]
    passes: dict[str, float] = {}
    for stats in done.batches:
        for name, seconds in stats.pass_seconds.items():
            passes[name] = passes.get(name, 0.0) + seconds
    return Sample(
        seconds=done.seconds,
        num_requests=len(done.captions),
        num_frames=len(done.captions) * frames_per_request,
        num_tiles=sum(stats.num_tiles for stats in done.batches),
        prompt_tokens=sum(caption.prompt_tokens for caption in done.captions),
        output_tokens=sum(caption.output_tokens for caption in done.captions),
        latencies_ms=[1000 * timing.seconds for _, timing in timings],
        waits_ms=[1000 * timing.waited_seconds for _, timing in timings],
        first_token_ms=[1000 * first for _, _, first in firsts],
        time_per_token_ms=[
            1000 * (timing.seconds - first) / (caption.output_tokens - 1)
            for caption, timing, first in firsts
            if caption.output_tokens > 1
        ],
        pass_seconds=passes,
    )


def marks_of(done: Round, num_marks: int) -> list[int]:
    """Checksums of the first captions' texts, in the order of the requests."""
    return [zlib.crc32(caption.text.encode()) for caption in done.captions[:num_marks]]
