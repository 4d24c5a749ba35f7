"""Continuous batching, the decisions: who enters the slots, how many together, and what a failure means."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from corridor_cli.engine.base import BatchListener
from corridor_cli.engine.local.memory import memory_bytes, reserved_bytes
from corridor_cli.engine.local.sequences import TokenSequence, Translator
from corridor_cli.engine.local.stages import Stages
from corridor_cli.engine.local.timing import RequestTimes
from corridor_cli.engine.recovery import Failure, FailureKind, error_caption
from corridor_cli.records import BatchStarted, BatchStats, Caption, ErrorInfo, Request, RequestKey

_REFILL_SHARE = 8
_SILENT_SECONDS = 30.0  # a host is judged by how long it says nothing: far below any sensible limit


@dataclass(slots=True)
class Work:
    """What was done since the last report."""

    started: float = field(default_factory=time.perf_counter)
    num_sequences: int = 0
    num_tiles: int = 0


class Scheduler:
    """Queues requests and keeps the slots full. `submit` may be called from another thread than `poll`.

    A request with `attempt` above 0 runs alone, and so does one that ran when a decode step failed.
    """

    def __init__(self, translator: Translator, stages: Stages, device: str, on_batch: BatchListener) -> None:
        self._translator = translator
        self._stages = stages
        self._device = device
        self._on_batch = on_batch
        self._arrived = threading.Condition()
        self._arrivals: deque[Request] = deque()
        self._open: set[RequestKey] = set()
        self._queue: deque[TokenSequence] = deque()
        self._answers: list[Caption] = []
        self._alone: set[RequestKey] = set()
        self._overflowed: set[RequestKey] = set()
        self._times = RequestTimes(device)
        self._work = Work()

    def submit(self, request: Request) -> None:
        """Queue a request; its key must not be open already."""
        with self._arrived:
            assert request.key not in self._open, f"{request.key} is already open"
            if not self._open:
                self._work = Work()  # what passed while there was nothing to do is nobody's time
            self._open.add(request.key)
            self._times.submitted(request.key)
            self._arrivals.append(request)
            self._arrived.notify()

    def poll(self, timeout_seconds: float) -> list[Caption]:
        """One round: let sequences in, take a few steps, hand out what has ended. Waits only when idle.

        Raises `DeviceLostError` when the device needs a new process; the open requests are then unanswered.
        """
        with self._arrived:
            if not (self._arrivals or self._queue or self._stages.running):
                self._arrived.wait(timeout_seconds)
        self._read_arrivals()
        self._fill_slots()
        if self._stages.running:
            self._decode()
        captions, self._answers = self._answers, []
        self._report(captions)
        with self._arrived:
            self._open.difference_update(caption.key for caption in captions)
        return captions

    def _read_arrivals(self) -> None:
        """Make as many requests ready as there are slots."""
        while self._arrivals and len(self._queue) < self._stages.num_slots:
            request = self._arrivals.popleft()
            outcome = self._stages.attempt(lambda request=request: self._translator.read(request))  # type: ignore[misc]
            if isinstance(outcome, TokenSequence):
                self._overflowed.discard(request.key)  # each pass has a second try of its own
                self._queue.append(outcome)
            elif isinstance(outcome, Failure) and self._is_worth_another_try(request, outcome):
                self._arrivals.appendleft(request)
                return
            else:
                error = _error_of(outcome) if isinstance(outcome, Failure) else outcome
                self._overflowed.discard(request.key)
                self._times.ended(request.key)
                self._answers.append(error_caption(request, error))

    def _is_worth_another_try(self, request: Request, failure: Failure) -> bool:
        """Whether frames that found no room may find it yet: others hold some, or it is the first time."""
        if failure.kind is not FailureKind.OUT_OF_MEMORY:
            return False
        self._stages.num_oom_retries += 1
        is_first = request.key not in self._overflowed
        self._overflowed.add(request.key)
        return is_first or bool(self._queue or self._stages.running)

    def _fill_slots(self) -> None:
        while group := self._choose():
            for _ in group:
                self._queue.popleft()
            keys = [sequence.request.key for sequence in (*self._stages.running, *group)]
            self._on_batch(BatchStarted(tuple(keys)))
            self._let_in(group)

    def _choose(self) -> list[TokenSequence]:
        """The head of the queue that may enter now; nobody while too few slots are free to be worth it."""
        running, num_slots = self._stages.running, self._stages.num_slots
        num_free = num_slots - len(running)
        if not self._queue or any(self._is_alone(sequence) for sequence in running):
            return []
        head = self._queue[0]
        if running and (
            num_free < max(1, num_slots // _REFILL_SHARE)
            or self._is_alone(head)
            or not self._stages.has_room_for(head)
        ):
            return []
        if self._is_alone(head) or not self._stages.has_room_for(head):
            return [head]
        group: list[TokenSequence] = []
        num_tokens = 0
        for sequence in self._queue:
            num_tokens += len(sequence.token_ids)
            is_too_much = len(group) == num_free or (group and num_tokens > self._stages.max_prompt_tokens)
            if is_too_much or self._is_alone(sequence) or not self._stages.has_room_for(sequence):
                break
            group.append(sequence)
        return group

    def _let_in(self, group: Sequence[TokenSequence]) -> None:
        """Encode and prefill a group. On a failure its halves are tried, down to the one that is guilty."""
        self._translator.wait_for_frames()
        failure = None if self._stages.has_room_for(group[0]) else self._stages.make_room_for(group[0])
        if failure is None:
            with self._times.entering([sequence.request.key for sequence in group]):
                failure = self._stages.enter(group)
        if failure is None:
            self._work.num_tiles += sum(sequence.num_tiles for sequence in group)
        elif len(group) > 1:
            middle = len(group) // 2
            self._let_in(group[:middle])
            self._let_in(group[middle:])
        else:
            self._try_again_or_give_up(group[0], failure)

    def _decode(self) -> None:
        self._work.num_sequences = max(self._work.num_sequences, len(self._stages.running))
        ended = self._stages.decode(meanwhile=self._read_arrivals)
        if isinstance(ended, Failure):
            self._restart(ended)
            return
        for sequence, new_ids in ended:
            self._forget(sequence)
            answer = self._stages.attempt(partial(self._translator.answer, sequence, new_ids))
            if isinstance(answer, Failure):  # whatever a tokenizer makes of odd ids
                answer = error_caption(sequence.request, answer.error)
            self._answers.append(replace(answer, timing=self._times.ended(sequence.request.key)))

    def _restart(self, failure: Failure) -> None:
        """A step failed for all that run: they start again, fewer together, or each alone to find the one."""
        sequences = self._stages.clear()
        if len(sequences) == 1:
            self._try_again_or_give_up(sequences[0], failure)
            return
        if failure.kind is not FailureKind.OUT_OF_MEMORY:
            self._alone.update(sequence.request.key for sequence in sequences)
        self._queue.extendleft(reversed(sequences))

    def _try_again_or_give_up(self, sequence: TokenSequence, failure: Failure) -> None:
        """One that overflowed gets one more try, alone on the device: what others held is free by then."""
        key, is_overflow = sequence.request.key, failure.kind is FailureKind.OUT_OF_MEMORY
        if is_overflow and key not in self._overflowed:
            self._overflowed.add(key)
            self._alone.add(key)
            self._queue.appendleft(sequence)
            return
        self._forget(sequence)
        self._times.ended(sequence.request.key)
        self._answers.append(error_caption(sequence.request, _error_of(failure)))

    def _forget(self, sequence: TokenSequence) -> None:
        self._alone.discard(sequence.request.key)
        self._overflowed.discard(sequence.request.key)

    def _is_alone(self, sequence: TokenSequence) -> bool:
        return sequence.request.attempt > 0 or sequence.request.key in self._alone

    def _report(self, captions: Sequence[Caption]) -> None:
        """Tell what was done once something came of it, or after a long time of mere steps."""
        is_long = time.perf_counter() - self._work.started > _SILENT_SECONDS
        if not captions and not self._stages.num_oom_retries and not is_long:
            return
        peak_reserved_bytes = reserved_bytes(
            self._device
        )  # before it, as `memory_bytes` begins all peaks anew
        peak_bytes, free_bytes = memory_bytes(self._device)
        self._on_batch(
            BatchStats(
                batch_size=self._work.num_sequences,
                num_tiles=self._work.num_tiles,
                wall_seconds=time.perf_counter() - self._work.started,
                output_tokens=sum(caption.output_tokens for caption in captions),
                peak_memory_bytes=peak_bytes,
                free_memory_bytes=free_bytes,
                num_oom_retries=self._stages.num_oom_retries,
                next_batch_size=self._stages.num_slots,
                pass_seconds=self._stages.take_pass_seconds(),
                peak_reserved_bytes=peak_reserved_bytes,
            )
        )
        self._work = Work()
        self._stages.num_oom_retries = 0


def _error_of(failure: Failure) -> ErrorInfo:
    """What a caption says of it: every allocator calls a lack of memory something else."""
    if failure.kind is FailureKind.OUT_OF_MEMORY:
        return ErrorInfo(failure.error.stage, "OutOfMemory", failure.error.message)
    return failure.error
