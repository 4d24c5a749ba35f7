"""What an engine tells of its own time: each request's, and each pass's."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from engine_samples import DictStore, Listener, make_frame, make_request

from corridor_cli.engine.base import Engine
from corridor_cli.engine.create import create_engine
from corridor_cli.engine.local.timing import PassTimes
from corridor_cli.records import Caption
from corridor_cli.settings import ModelSettings

NUM_REQUESTS = 6


def caption_all(engine: Engine, store: DictStore) -> tuple[list[Caption], float]:
    started = time.perf_counter()
    for number in range(NUM_REQUESTS):
        engine.submit(make_request(number, (store.add(make_frame(number)),)))
    captions: list[Caption] = []
    while len(captions) < NUM_REQUESTS:
        captions += engine.poll(1.0)
    return captions, time.perf_counter() - started


def started(settings: ModelSettings, store: DictStore, listener: Listener) -> Engine:
    engine = create_engine(settings, store, listener)
    engine.start()
    return engine


def test_each_caption_knows_when_it_waited_and_when_it_ran(
    random_checkpoint: Path, store: DictStore, listener: Listener
) -> None:
    settings = ModelSettings(model=str(random_checkpoint), device="cpu", batch_size=2)
    engine = started(settings, store, listener)
    captions, wall_seconds = caption_all(engine, store)
    for caption in captions:
        timing = caption.timing
        assert timing is not None
        assert timing.first_token_seconds is not None
        assert 0 < timing.first_token_seconds <= timing.seconds
        assert timing.waited_seconds + timing.seconds <= wall_seconds
    waits = sorted(caption.timing.waited_seconds for caption in captions if caption.timing)
    # Two run at a time, so the last one waited until others had ended; the first one hardly did.
    assert waits[-1] > min(caption.timing.seconds for caption in captions if caption.timing)
    assert waits[0] < waits[-1] / 2


def test_passes_are_told_apart_and_are_no_more_than_the_whole(
    random_checkpoint: Path, store: DictStore, listener: Listener
) -> None:
    engine = started(ModelSettings(model=str(random_checkpoint), device="cpu"), store, listener)
    listener.stats.clear()
    _, wall_seconds = caption_all(engine, store)
    total: dict[str, float] = {}
    for stats in listener.stats:
        for name, seconds in stats.pass_seconds.items():
            total[name] = total.get(name, 0.0) + seconds
    assert set(total) == {"tile", "vision", "prefill", "steps"}
    assert all(seconds > 0 for seconds in total.values())
    assert sum(total.values()) <= wall_seconds


@pytest.mark.parametrize("delay_seconds", [0.05])
def test_an_engine_of_whole_batches_tells_the_time_of_its_batch(
    store: DictStore, listener: Listener, delay_seconds: float
) -> None:
    settings = ModelSettings(engine="echo", batch_size=3, echo={"delay_seconds": delay_seconds})
    captions, _ = caption_all(started(settings, store, listener), store)
    timings = [caption.timing for caption in captions]
    assert all(timing is not None and timing.first_token_seconds is None for timing in timings)
    assert all(timing is not None and timing.seconds >= delay_seconds for timing in timings)
    waited = sorted(timing.waited_seconds for timing in timings if timing)
    assert waited[2] < delay_seconds <= waited[3], "the second batch waited for the first one"


def test_timing_is_no_part_of_what_a_caption_says(store: DictStore, listener: Listener) -> None:
    settings = ModelSettings(engine="echo", batch_size=3)
    captions, _ = caption_all(started(settings, store, listener), store)
    assert captions[0] == replace(captions[0], timing=None)


def test_a_pass_that_fails_is_not_counted() -> None:
    times = PassTimes("cpu")
    with pytest.raises(ValueError, match="no"), times.measured("vision"):
        raise ValueError("no")
    with times.measured("vision"):
        time.sleep(0.01)
    assert 0.01 <= times.take()["vision"] < 1
    assert times.take() == {}
