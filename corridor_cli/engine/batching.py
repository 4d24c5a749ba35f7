"""From a queue of requests to captions, batch by batch, whatever goes wrong in one of them.

Every engine that runs batches in its own process uses this: only the `CaptionModel` differs.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from corridor_cli.engine.base import BatchListener
from corridor_cli.engine.recovery import (
    BatchSizer,
    CaptionModel,
    Failure,
    FailureKind,
    error_caption,
    try_batch,
)
from corridor_cli.errors import DeviceLostError
from corridor_cli.records import (
    BatchStarted,
    BatchStats,
    Caption,
    CaptionTiming,
    ErrorInfo,
    Request,
    RequestKey,
)

BATCHES_AHEAD = 3


def max_pending(batch_size: int, is_async: bool) -> int:
    """How many requests may be open: with `async_frame_loading` the next batches wait while one runs."""
    return batch_size * (BATCHES_AHEAD if is_async else 1)


def round_batch_size(size: int) -> int:
    """Down to a multiple of 8 above 8, where kernels like it; else to a power of two."""
    return size // 8 * 8 if size >= 8 else 1 << (size.bit_length() - 1)


class Batcher:
    """Queues requests and runs them in arrival order, at most `sizer.size` together.

    A batch also keeps within `max_tiles`, except for a single request. A request with `attempt` above 0 runs
    alone. `submit` may be called from another thread than `poll`.
    """

    def __init__(
        self, model: CaptionModel, sizer: BatchSizer, on_batch: BatchListener, max_tiles: int | None = None
    ) -> None:
        self._model = model
        self._sizer = sizer
        self._on_batch = on_batch
        self._max_tiles = max_tiles
        self._arrived = threading.Condition()
        self._queue: deque[Request] = deque()
        self._open: set[RequestKey] = set()
        self._overflowed_alone: set[RequestKey] = set()
        self._submitted: dict[RequestKey, float] = {}

    @property
    def num_open(self) -> int:
        """Requests accepted and not yet answered."""
        return len(self._open)

    def submit(self, request: Request) -> None:
        """Queue a request; its key must not be open already."""
        with self._arrived:
            assert request.key not in self._open, f"{request.key} is already open"
            self._open.add(request.key)
            self._submitted[request.key] = time.perf_counter()
            self._queue.append(request)
            self._arrived.notify()

    def poll(self, timeout_seconds: float) -> list[Caption]:
        """Run at most one batch, waiting up to `timeout_seconds` for its first request.

        Raises `DeviceLostError` when the device needs a new process; the open requests are then unanswered.
        """
        with self._arrived:
            if not self._queue:
                self._arrived.wait(timeout_seconds)
            batch = self._cut_batch()
        captions = self._run(batch) if batch else []
        with self._arrived:
            self._open.difference_update(caption.key for caption in captions)
            for caption in captions:
                self._submitted.pop(caption.key, None)
        return captions

    def _cut_batch(self) -> list[Request]:
        batch: list[Request] = []
        num_tiles = 0
        while self._queue and len(batch) < self._sizer.size:
            request = self._queue[0]
            num_tiles += self._model.num_tiles(request)
            has_room = self._max_tiles is None or num_tiles <= self._max_tiles
            if batch and (request.attempt > 0 or not has_room):
                break
            batch.append(self._queue.popleft())
            if request.attempt > 0:
                break
        return batch

    def _run(self, requests: Sequence[Request]) -> list[Caption]:
        """The captions of these requests, bisecting on a failure; those put back are left out."""
        outcome = self._run_once(requests)
        if not isinstance(outcome, Failure):
            return outcome
        if outcome.kind is FailureKind.DEVICE_LOST:
            raise DeviceLostError(f"{outcome.error.type}: {outcome.error.message}")
        if outcome.kind is FailureKind.OUT_OF_MEMORY:
            return self._put_back(requests, outcome.error)
        if len(requests) == 1:
            return [error_caption(requests[0], outcome.error)]
        middle = len(requests) // 2
        return [*self._run(requests[:middle]), *self._run(requests[middle:])]

    def _put_back(self, requests: Sequence[Request], error: ErrorInfo) -> list[Caption]:
        """Queue the requests again, at the front; a single one gets one more try, then its error.

        The second try is worth it: what the failed batch held has been freed since.
        """
        if len(requests) == 1:
            (request,) = requests
            if request.key in self._overflowed_alone:
                self._overflowed_alone.discard(request.key)
                return [error_caption(request, ErrorInfo(error.stage, "OutOfMemory", error.message))]
            self._overflowed_alone.add(request.key)
        with self._arrived:
            self._queue.extendleft(reversed(requests))
        return []

    def _run_once(self, requests: Sequence[Request]) -> list[Caption] | Failure:
        self._on_batch(BatchStarted(tuple(request.key for request in requests)))
        num_tiles = sum(self._model.num_tiles(request) for request in requests)
        started = time.perf_counter()
        outcome = try_batch(self._model, requests)
        wall_seconds = time.perf_counter() - started
        is_overflow = isinstance(outcome, Failure) and outcome.kind is FailureKind.OUT_OF_MEMORY
        if is_overflow:
            self._sizer.overflowed(len(requests))
        elif not isinstance(outcome, Failure):
            self._sizer.fitted(len(requests))
        peak_bytes, free_bytes = self._model.memory_bytes()
        self._on_batch(
            BatchStats(
                batch_size=len(requests),
                num_tiles=num_tiles,
                wall_seconds=wall_seconds,
                output_tokens=0 if isinstance(outcome, Failure) else sum(c.output_tokens for c in outcome),
                peak_memory_bytes=peak_bytes,
                free_memory_bytes=free_bytes,
                num_oom_retries=int(is_overflow),
                next_batch_size=self._sizer.size,
            )
        )
        if isinstance(outcome, Failure):
            return outcome
        return [self._timed(caption, started, wall_seconds) for caption in outcome]

    def _timed(self, caption: Caption, started: float, seconds: float) -> Caption:
        waited = started - self._submitted.get(caption.key, started)
        return replace(caption, timing=CaptionTiming(waited, None, seconds))
