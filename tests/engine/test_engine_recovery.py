"""Batching and recovery over a model of plain Python: nothing lost, nothing twice, few extra calls."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Sequence

import pytest
from engine_samples import Listener, make_request
from hypothesis import given, settings
from hypothesis import strategies as st

from corridor_cli.engine.batching import Batcher, max_pending
from corridor_cli.engine.recovery import CLEAN_ROUNDS_TO_GROW, BatchSizer, FailureKind
from corridor_cli.errors import DeviceLostError
from corridor_cli.records import Caption, Request, RequestKey


class PlainModel:
    """Answers with the request's key; `before` may raise for a batch."""

    def __init__(self, before: Callable[[Sequence[Request]], None]) -> None:
        self.before = before
        self.calls: list[tuple[RequestKey, ...]] = []
        self.num_releases = 0

    def caption(self, requests: Sequence[Request]) -> list[Caption]:
        self.calls.append(tuple(request.key for request in requests))
        self.before(requests)
        return [Caption(request.key, str(request.key), 1, 1, "stop") for request in requests]

    def num_tiles(self, request: Request) -> int:
        return max(1, len(request.prompt.split()))

    def failure_kind(self, error: Exception) -> FailureKind:
        if isinstance(error, MemoryError):
            return FailureKind.OUT_OF_MEMORY
        return FailureKind.DEVICE_LOST if isinstance(error, SystemError) else FailureKind.REQUEST

    def release_memory(self) -> None:
        self.num_releases += 1

    def memory_bytes(self) -> tuple[int | None, int | None]:
        return None, None


def drain(batcher: Batcher, max_polls: int = 2000) -> list[Caption]:
    """Poll until an empty poll finds nothing open."""
    captions: list[Caption] = []
    for _ in range(max_polls):
        captions += batcher.poll(0)
        if not batcher.num_open:
            return captions
    raise AssertionError("the batcher does not come to an end")


def run(
    model: PlainModel, requests: Sequence[Request], batch_size: int, max_tiles: int | None = None
) -> tuple[list[Caption], Listener]:
    listener = Listener()
    batcher = Batcher(model, BatchSizer(batch_size, batch_size), listener, max_tiles)
    for request in requests:
        batcher.submit(request)
    captions = drain(batcher)
    assert sorted(c.key for c in captions) == sorted(r.key for r in requests)
    return captions, listener


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 64).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_poison_requests_alone_get_errors_and_calls_stay_few(case: tuple[int, set[int]]) -> None:
    size, poison = case
    requests = [make_request(number, ()) for number in range(size)]
    bad = {requests[number].key for number in poison}

    def before(batch: Sequence[Request]) -> None:
        if any(request.key in bad for request in batch):
            raise ValueError("poison")

    model = PlainModel(before)
    captions, listener = run(model, requests, size)
    assert [c.key for c in captions] == [r.key for r in requests]
    assert {c.key for c in captions if c.error} == bad
    assert all(c.error is None or (c.error.type, c.text) == ("ValueError", "") for c in captions)
    assert len(model.calls) - 1 <= 2 * len(poison) * math.log2(size) + 2
    assert [event.keys for event in listener.started] == model.calls


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 40), st.integers(1, 32), st.integers(0, 31))
def test_batches_shrink_until_they_fit(num_requests: int, batch_size: int, room: int) -> None:
    def before(batch: Sequence[Request]) -> None:
        if len(batch) > room:
            raise MemoryError("no room")

    requests = [make_request(number, ()) for number in range(num_requests)]
    model = PlainModel(before)
    captions, listener = run(model, requests, batch_size)
    assert [c.key for c in captions] == [r.key for r in requests]
    assert all((c.error is not None) == (room == 0) for c in captions)
    assert room or {c.error.type for c in captions if c.error} == {"OutOfMemory"}
    failed = [len(call) for call in model.calls if len(call) > room]
    assert room == 0 or len(failed) <= math.log2(batch_size) + 1
    assert model.num_releases == len(failed) == sum(stats.num_oom_retries for stats in listener.stats)


def test_a_request_that_does_not_fit_once_is_tried_again() -> None:
    tries = iter([True])

    def before(batch: Sequence[Request]) -> None:
        if next(tries, False):
            raise MemoryError("someone else had the memory")

    captions, _ = run(PlainModel(before), [make_request(1, ())], 1)
    assert captions[0].error is None


@settings(deadline=None)
@given(st.integers(1, 64), st.lists(st.tuples(st.booleans(), st.integers(1, 120)), max_size=60))
def test_the_size_stays_in_bounds_and_never_passes_one_that_failed_twice(
    first: int, rounds: list[tuple[bool, int]]
) -> None:
    sizer = BatchSizer(first, 64)
    failures: dict[int, int] = {}
    for does_fail, count in rounds:
        if does_fail:
            failures[sizer.size] = failures.get(sizer.size, 0) + 1
            sizer.overflowed(sizer.size)
        else:
            for _ in range(count):
                sizer.fitted(sizer.size)
        twice = [size for size, times in failures.items() if times >= 2 and size > 1]
        assert 1 <= sizer.size <= sizer.limit <= 64
        assert all(sizer.size < size for size in twice)


def test_the_size_grows_back_one_step_after_enough_full_rounds() -> None:
    sizer = BatchSizer(16, 16)
    sizer.overflowed(16)
    assert sizer.size == 8
    for _ in range(CLEAN_ROUNDS_TO_GROW - 1):
        sizer.fitted(8)
    sizer.fitted(3)
    assert sizer.size == 8
    sizer.fitted(8)
    assert sizer.size == 16
    sizer.overflowed(16)
    for _ in range(5 * CLEAN_ROUNDS_TO_GROW):
        sizer.fitted(sizer.size)
    assert sizer.size == 12


def test_a_suspect_runs_alone() -> None:
    model = PlainModel(lambda batch: None)
    requests = [make_request(number, (), attempt=int(number in {0, 3, 4})) for number in range(7)]
    run(model, requests, 4)
    assert [[key.scene for key in call] for call in model.calls] == [[0], [1, 2], [3], [4], [5, 6]]


def test_a_batch_keeps_within_its_tiles() -> None:
    model = PlainModel(lambda batch: None)
    prompts = ["a b", "a b", "a b c d e f", "a", "a"]
    requests = [make_request(number, (), prompt) for number, prompt in enumerate(prompts)]
    run(model, requests, 8, max_tiles=4)
    assert [[key.scene for key in call] for call in model.calls] == [[0, 1], [2], [3, 4]]


def test_a_lost_device_ends_the_process_of_it() -> None:
    def before(batch: Sequence[Request]) -> None:
        raise SystemError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(DeviceLostError, match="illegal memory access"):
        run(PlainModel(before), [make_request(1, ())], 1)


def test_what_a_failed_batch_held_is_gone_before_the_next_one() -> None:
    class Tensor:
        pass

    held: list[weakref.ref[Tensor]] = []

    def before(batch: Sequence[Request]) -> None:
        assert all(ref() is None for ref in held)
        tensor = Tensor()
        held.append(weakref.ref(tensor))
        if len(batch) > 1:
            raise MemoryError("no room")

    run(PlainModel(before), [make_request(number, ()) for number in range(8)], 8)
    assert len(held) > 8


@pytest.mark.parametrize(("is_async", "expected"), [(True, 24), (False, 8)])
def test_pending_requests_follow_the_batch_size(is_async: bool, expected: int) -> None:
    assert max_pending(8, is_async) == expected
