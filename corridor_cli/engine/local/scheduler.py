"""Continuous batching, the decisions: who enters, how many together, and what a failure means.

Every stage has its own size: sequences that run together, tiles encoded together, prompt tokens read together.
When memory runs out only the size of that stage is halved, and the same requests run again.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import torch

from corridor_cli.engine.base import BatchListener
from corridor_cli.engine.local.failures import failure_kind
from corridor_cli.engine.local.generator import Generator
from corridor_cli.engine.local.memory import memory_bytes, release_memory
from corridor_cli.engine.local.sequences import TokenSequence, Translator
from corridor_cli.engine.recovery import BatchSizer, Failure, FailureKind, describe, error_caption
from corridor_cli.errors import DeviceLostError
from corridor_cli.records import BatchStarted, BatchStats, Caption, ErrorInfo, Request, RequestKey

T = TypeVar("T")

_REFILL_SHARE = 8


@dataclass(frozen=True, slots=True)
class StageSizes:
    """Running sequences, tiles encoded together, prompt tokens prefilled together."""

    slots: BatchSizer
    tiles: BatchSizer
    tokens: BatchSizer


@dataclass(slots=True)
class Work:
    """What was done since the last report."""

    started: float = field(default_factory=time.perf_counter)
    num_sequences: int = 0
    num_tiles: int = 0
    num_oom_retries: int = 0


class Scheduler:
    """Queues requests and keeps the generator's slots full. `submit` may be called from another thread.

    `make_generator` gives one whose slots hold so many tokens, so many of them new. A request with `attempt`
    above 0 runs alone, and so does one that was running when a decode step failed.
    """

    def __init__(
        self,
        translator: Translator,
        make_generator: Callable[[int, int], Generator],
        generator: Generator,
        sizes: StageSizes,
        on_batch: BatchListener,
    ) -> None:
        self._translator = translator
        self._make_generator = make_generator
        self._generator = generator
        self._sizes = sizes
        self._on_batch = on_batch
        self._arrived = threading.Condition()
        self._arrivals: deque[Request] = deque()
        self._queue: deque[TokenSequence] = deque()
        self._open: set[RequestKey] = set()
        self._alone: set[RequestKey] = set()
        self._overflowed_alone: set[RequestKey] = set()
        self._work = Work()

    def submit(self, request: Request) -> None:
        """Queue a request; its key must not be open already."""
        with self._arrived:
            assert request.key not in self._open, f"{request.key} is already open"
            self._open.add(request.key)
            self._arrivals.append(request)
            self._arrived.notify()

    def poll(self, timeout_seconds: float) -> list[Caption]:
        """One round: let sequences in, take a few steps, hand out what has ended. Waits only when idle.

        Raises `DeviceLostError` when the device needs a new process; the open requests are then unanswered.
        """
        with self._arrived:
            if not (self._arrivals or self._queue or self._generator.running):
                self._arrived.wait(timeout_seconds)
                self._work = Work()
        captions = [*self._read_arrivals(), *self._fill_slots(), *self._decode()]
        self._report(captions)
        with self._arrived:
            self._open.difference_update(caption.key for caption in captions)
        return captions

    def _read_arrivals(self) -> list[Caption]:
        """Make requests ready for as many slots as there are; the answers to those that cannot be."""
        refused: list[Caption] = []
        while self._arrivals and len(self._queue) < self._sizes.slots.size:
            request = self._arrivals.popleft()
            outcome = self._attempt(lambda request=request: self._translator.read(request))  # type: ignore[misc]
            if isinstance(outcome, TokenSequence):
                self._queue.append(outcome)
            else:
                error = outcome.error if isinstance(outcome, Failure) else outcome
                refused.append(error_caption(request, error))
        return refused

    # --- letting in ---

    def _fill_slots(self) -> list[Caption]:
        failed: list[Caption] = []
        while group := self._choose():
            self._queue = deque(list(self._queue)[len(group) :])
            running = [sequence.request.key for sequence in self._generator.running]
            self._on_batch(BatchStarted((*running, *(sequence.request.key for sequence in group))))
            failed += self._let_in(group)
        return failed

    def _choose(self) -> list[TokenSequence]:
        """The head of the queue that may enter now; none while too few slots are free to be worth it."""
        running = self._generator.running
        num_slots = min(self._sizes.slots.size, self._generator.num_slots)
        num_free = num_slots - len(running)
        if not self._queue or any(self._is_alone(sequence) for sequence in running):
            return []
        if running and num_free < max(1, num_slots // _REFILL_SHARE):
            return []
        head = self._queue[0]
        if self._is_alone(head) or not self._generator.has_room_for(head):
            if running:
                return []
            if not self._generator.has_room_for(head):
                self._enlarge(head)
            if self._is_alone(head):
                return [head]
        group: list[TokenSequence] = []
        num_tokens = 0
        for sequence in self._queue:
            num_tokens += len(sequence.token_ids)
            is_too_much = group and num_tokens > self._sizes.tokens.size
            if len(group) == num_free or is_too_much or self._is_alone(sequence):
                break
            if not self._generator.has_room_for(sequence):
                break
            group.append(sequence)
        return group

    def _enlarge(self, sequence: TokenSequence) -> None:
        """Longer slots for a sequence longer than any expected; they are fewer when memory says so."""
        generator = self._generator
        wanted = max(generator.max_tokens, sequence.max_tokens), max(generator.max_new_tokens, sequence.limit)
        self._generator = self._make_generator(*wanted)

    def _let_in(self, group: Sequence[TokenSequence]) -> list[Caption]:
        """Encode and prefill a group; on a failure fewer tiles, fewer prompts, or the guilty one by itself."""
        generator, tiles = self._generator, self._sizes.tiles
        visual = self._attempt(lambda: generator.encode(group, tiles.size))
        while isinstance(visual, Failure) and visual.kind is FailureKind.OUT_OF_MEMORY and tiles.size > 1:
            self._overflow(tiles, tiles.size)
            visual = self._attempt(lambda: generator.encode(group, tiles.size))
        if isinstance(visual, Failure):
            return self._split(group, visual)
        encoded = visual
        outcome = self._attempt(lambda: generator.prefill(group, encoded))
        if isinstance(outcome, Failure):
            return self._split(group, outcome)
        tiles.fitted(tiles.size)
        self._sizes.tokens.fitted(sum(len(sequence.token_ids) for sequence in group))
        self._work.num_tiles += sum(sequence.num_tiles for sequence in group)
        return []

    def _split(self, group: Sequence[TokenSequence], failure: Failure) -> list[Caption]:
        """What becomes of a group that could not enter: its halves, or the error of the only one."""
        is_overflow = failure.kind is FailureKind.OUT_OF_MEMORY
        if is_overflow:
            self._overflow(self._sizes.tokens, sum(len(sequence.token_ids) for sequence in group))
        if len(group) > 1:
            middle = len(group) // 2
            return [*self._let_in(group[:middle]), *self._let_in(group[middle:])]
        (sequence,) = group
        if is_overflow and sequence.request.key not in self._overflowed_alone:
            # One more try, alone in the whole device: what others held is free by then.
            self._overflowed_alone.add(sequence.request.key)
            self._alone.add(sequence.request.key)
            self._queue.appendleft(sequence)
            return []
        return [self._give_up(sequence, failure.error, is_overflow)]

    # --- running ---

    def _decode(self) -> list[Caption]:
        generator = self._generator
        if not generator.running:
            return []
        self._work.num_sequences = max(self._work.num_sequences, len(generator.running))
        outcome = self._attempt(generator.decode)
        # While the device works on these steps, the next frames go there.
        refused = self._read_arrivals()
        ended = outcome if isinstance(outcome, Failure) else self._attempt(generator.take_finished)
        if isinstance(ended, Failure):
            return [*refused, *self._restart(ended)]
        self._sizes.slots.fitted(len(generator.running) + len(ended))
        for sequence, _ in ended:
            self._overflowed_alone.discard(sequence.request.key)
            self._alone.discard(sequence.request.key)
        return [*refused, *(self._translator.answer(sequence, ids) for sequence, ids in ended)]

    def _restart(self, failure: Failure) -> list[Caption]:
        """A step failed for all that run: they start again, fewer together, or each alone to find the one."""
        sequences = self._generator.clear()
        is_overflow = failure.kind is FailureKind.OUT_OF_MEMORY
        if is_overflow:
            self._overflow(self._sizes.slots, len(sequences))
        if len(sequences) == 1:
            (sequence,) = sequences
            if not is_overflow or sequence.request.key in self._overflowed_alone:
                return [self._give_up(sequence, failure.error, is_overflow)]
            self._overflowed_alone.add(sequence.request.key)
        elif not is_overflow:
            self._alone.update(sequence.request.key for sequence in sequences)
        self._queue.extendleft(reversed(sequences))
        return []

    # --- failures and reports ---

    def _attempt(self, action: Callable[[], T]) -> T | Failure:
        """Run one stage. An exception comes back as a `Failure` once it has let go of its tensors."""
        try:
            return action()
        except Exception as error:  # noqa: BLE001 - whatever a stage raises, other requests must live
            failure = Failure(failure_kind(error), describe(error))
        if failure.kind is FailureKind.DEVICE_LOST:
            raise DeviceLostError(f"{failure.error.type}: {failure.error.message}")
        if failure.kind is FailureKind.OUT_OF_MEMORY:
            release_memory(self._generator.device)
        return failure

    def _overflow(self, sizer: BatchSizer, size: int) -> None:
        sizer.overflowed(size)
        self._work.num_oom_retries += 1

    def _give_up(self, sequence: TokenSequence, error: ErrorInfo, is_overflow: bool) -> Caption:
        self._overflowed_alone.discard(sequence.request.key)
        self._alone.discard(sequence.request.key)
        kind = "OutOfMemory" if is_overflow else error.type
        return error_caption(sequence.request, ErrorInfo(error.stage, kind, error.message))

    def _is_alone(self, sequence: TokenSequence) -> bool:
        return sequence.request.attempt > 0 or sequence.request.key in self._alone

    def _report(self, captions: Sequence[Caption]) -> None:
        """Tell what was done, once something came of it: a round of a few steps is no news."""
        work = self._work
        if not captions and not work.num_oom_retries:
            return
        peak_bytes, free_bytes = memory_bytes(self._generator.device)
        self._on_batch(
            BatchStats(
                batch_size=work.num_sequences,
                num_tiles=work.num_tiles,
                wall_seconds=time.perf_counter() - work.started,
                output_tokens=sum(caption.output_tokens for caption in captions),
                peak_memory_bytes=peak_bytes,
                free_memory_bytes=free_bytes,
                num_oom_retries=work.num_oom_retries,
                next_batch_size=min(self._sizes.slots.size, self._generator.num_slots),
            )
        )
        self._work = Work()
