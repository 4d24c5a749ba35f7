"""What every engine must do, whichever it is."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from engine_samples import DictStore, Listener, make_frame, make_request

from corridor_cli.engine.base import Engine
from corridor_cli.engine.create import create_engine
from corridor_cli.engine.locate import bundled_folder
from corridor_cli.records import BatchStarted, BatchStats, Caption, FrameRef, Request
from corridor_cli.settings import ModelSettings

ENGINES = ["echo", "random", *(["tiny"] if bundled_folder().is_dir() else [])]
SIZES = [(80, 60), (60, 80), (200, 50), (31, 97), (56, 56), (1, 1), (640, 360)]

Start = Callable[..., tuple[Engine, int]]


@pytest.fixture(params=ENGINES)
def base(request: pytest.FixtureRequest) -> ModelSettings:
    """The settings of one engine; `auto` would measure, so the batch size is given."""
    if request.param == "echo":
        return ModelSettings(engine="echo", batch_size=4)
    folder = "tiny" if request.param == "tiny" else str(request.getfixturevalue("random_checkpoint"))
    return ModelSettings(model=folder, device="cpu", batch_size=4, max_tiles=4)


def answer(engine: Engine, requests: Sequence[Request], max_pending: int) -> list[Caption]:
    """Ask for all, keeping at most `max_pending` open, and collect every caption."""
    waiting = list(requests)
    captions: list[Caption] = []
    for _ in range(10 * len(requests) + 10):
        while waiting and len(requests) - len(waiting) - len(captions) < max_pending:
            engine.submit(waiting.pop(0))
        captions += engine.poll(0.0)
        if len(captions) == len(requests):
            break
    assert engine.poll(0.0) == []
    assert sorted(c.key for c in captions) == sorted(r.key for r in requests)
    return captions


def answer_rest(engine: Engine) -> list[Caption]:
    """The next captions, once there are any."""
    return next(captions for _ in range(1000) if (captions := engine.poll(0.0)))


def mixed_requests(store: DictStore, count: int) -> list[Request]:
    """Requests of many shapes, prompts, limits and numbers of frames, none among them."""
    requests = []
    for number in range(count):
        refs = [
            store.add(make_frame(number + 50 * part, *SIZES[(number + part) % len(SIZES)]))
            for part in range({3: 0, 4: 2}.get(number % 5, 1))
        ]
        prompt = "What is here?" + " And why so?" * (number % 3)
        requests.append(make_request(number, tuple(refs), prompt, max_new_tokens=3 + number % 9))
    return requests


def test_every_request_is_answered_once(base: ModelSettings, store: DictStore, listener: Listener) -> None:
    engine = create_engine(base, store, listener)
    info = engine.start()
    requests = mixed_requests(store, 17)
    captions = answer(engine, requests, info.max_pending)
    engine.close()
    limits = {r.key: r.generation.max_new_tokens for r in requests}
    for caption in captions:
        assert caption.error is None
        assert caption.text == caption.text.strip()
        assert caption.prompt_tokens > 0
        assert 1 <= caption.output_tokens <= limits[caption.key]
        assert caption.finish_reason == "stop" or caption.output_tokens == limits[caption.key]


def test_batches_are_announced_and_reported(
    base: ModelSettings, store: DictStore, listener: Listener
) -> None:
    engine = create_engine(base, store, listener)
    info = engine.start()
    requests = mixed_requests(store, 9)
    captions = answer(engine, requests, info.max_pending)
    engine.close()
    announced = {key for event in listener.started for key in event.keys}
    assert announced == {request.key for request in requests}
    assert max(len(event.keys) for event in listener.started) == 4
    assert isinstance(listener.events[0], BatchStarted)
    assert isinstance(listener.events[-1], BatchStats)
    assert max(stats.batch_size for stats in listener.stats) == 4
    assert sum(stats.output_tokens for stats in listener.stats) == sum(c.output_tokens for c in captions)
    assert sum(stats.num_tiles for stats in listener.stats) >= sum(len(r.frames) for r in requests)
    assert all(stats.wall_seconds > 0 and stats.next_batch_size == 4 for stats in listener.stats)


def test_time_without_requests_is_no_batchs(
    base: ModelSettings, store: DictStore, listener: Listener
) -> None:
    """As a host does, which asks for nothing until a request has come."""
    engine = create_engine(base, store, listener)
    info = engine.start()
    for part in range(2):
        listener.events.clear()
        time.sleep(0.3)
        began = time.perf_counter()
        answer(engine, mixed_requests(store, 2 + part), info.max_pending)
        elapsed = time.perf_counter() - began
        assert sum(stats.wall_seconds for stats in listener.stats) <= elapsed
    engine.close()


def test_batching_changes_no_caption(base: ModelSettings, store: DictStore, listener: Listener) -> None:
    requests = mixed_requests(store, 12)
    texts = []
    for changes in ({"batch_size": 1}, {"batch_size": 5}, {"batch_size": 12, "memory_optimization": False}):
        engine = create_engine(dataclasses.replace(base, **changes), store, listener)
        info = engine.start()
        texts.append({caption.key: caption for caption in answer(engine, requests, info.max_pending)})
        engine.close()
    assert texts[0] == texts[1] == texts[2]
    assert len({caption.text for caption in texts[0].values()}) > 6, "other frames, other words"


def test_without_batch_processing_requests_run_one_by_one(
    base: ModelSettings, store: DictStore, listener: Listener
) -> None:
    settings = dataclasses.replace(base, enable_batch_processing=False, async_frame_loading=False)
    engine = create_engine(settings, store, listener)
    info = engine.start()
    assert (info.batch_size, info.max_pending) == (1, 1)
    answer(engine, mixed_requests(store, 3), 3)
    assert [stats.batch_size for stats in listener.stats] == [1, 1, 1]


def test_max_batch_size_is_the_limit(base: ModelSettings, store: DictStore, listener: Listener) -> None:
    settings = dataclasses.replace(base, batch_size=64, max_batch_size=3)
    assert create_engine(settings, store, listener).start().batch_size == 3


def test_auto_batch_size_names_its_reason(base: ModelSettings, store: DictStore, listener: Listener) -> None:
    info = create_engine(dataclasses.replace(base, batch_size="auto"), store, listener).start()
    assert 1 <= info.batch_size <= 256
    assert info.max_pending >= info.batch_size
    assert info.reasons


def test_poll_waits_no_longer_than_asked(base: ModelSettings, store: DictStore, listener: Listener) -> None:
    engine = create_engine(base, store, listener)
    engine.start()
    started = time.perf_counter()
    assert engine.poll(0.2) == []
    assert 0.15 < time.perf_counter() - started < 5


def test_a_request_wakes_a_waiting_poll(base: ModelSettings, store: DictStore, listener: Listener) -> None:
    engine = create_engine(base, store, listener)
    engine.start()
    request = make_request(1, (store.add(make_frame(1)),))
    timer = threading.Timer(0.1, engine.submit, [request])
    timer.start()
    started = time.perf_counter()
    captions = engine.poll(60.0)
    assert time.perf_counter() - started < 30
    timer.join()
    captions = captions or answer_rest(engine)
    assert [c.key for c in captions] == [request.key]


def test_closing_twice_is_safe(base: ModelSettings, store: DictStore, listener: Listener) -> None:
    unstarted = create_engine(base, store, listener)
    unstarted.close()
    engine = create_engine(base, store, listener)
    engine.start()
    engine.submit(make_request(1, (store.add(make_frame(1)),)))
    engine.close()
    engine.close()


class BrokenStore(DictStore):
    """Has lost the pixels of some slots."""

    def pixels(self, ref: FrameRef) -> np.ndarray:
        if ref.slot % 3 == 1:
            raise OSError(f"slot {ref.slot} is gone")
        return super().pixels(ref)


def test_a_frame_that_cannot_be_had_costs_one_caption(base: ModelSettings, listener: Listener) -> None:
    store = BrokenStore()
    engine = create_engine(dataclasses.replace(base, batch_size=6), store, listener)
    info = engine.start()
    requests = [make_request(number, (store.add(make_frame(number)),)) for number in range(6)]
    captions = answer(engine, requests, info.max_pending)
    assert [c.key.scene for c in captions if c.error] == [1, 4]
    assert {(c.error.stage, c.error.type) for c in captions if c.error} == {("caption", "OSError")}
    assert all(bool(c.text) != bool(c.error) for c in captions)


def test_suspects_run_alone(base: ModelSettings, store: DictStore, listener: Listener) -> None:
    engine = create_engine(base, store, listener)
    info = engine.start()
    refs = (store.add(make_frame(1)),)
    requests = [make_request(number, refs, attempt=int(number == 1)) for number in range(4)]
    answer(engine, requests, info.max_pending)
    suspect = requests[1].key
    assert [event.keys for event in listener.started if suspect in event.keys] == [(suspect,)]
    running_with_it = [stats.batch_size for stats in listener.stats]
    assert 1 in running_with_it


def test_nothing_is_printed(
    base: ModelSettings, store: DictStore, listener: Listener, capfd: pytest.CaptureFixture[str]
) -> None:
    engine = create_engine(base, store, listener)
    info = engine.start()
    answer(engine, mixed_requests(store, 5), info.max_pending)
    engine.close()
    assert capfd.readouterr() == ("", "")
