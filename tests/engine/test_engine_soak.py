"""The local engine under mixed load while things fail now and then: each key once, the right text."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
from engine_samples import DictStore, Listener, make_frame, make_request, write_checkpoint
from torch.utils._python_dispatch import TorchDispatchMode

from corridor_cli.engine.local import generator
from corridor_cli.engine.local.engine import LocalEngine
from corridor_cli.engine.local.generator import Generator
from corridor_cli.engine.local.tiles import TileRule, cut_tiles
from corridor_cli.records import Caption, FrameRef, Request
from corridor_cli.settings import CaptionSettings, ModelSettings

SIZES = [(80, 60), (60, 80), (200, 50), (31, 97), (56, 56), (1, 1), (640, 360)]
NUM_BASES, NUM_REQUESTS, MAX_OPEN = 28, 240, 30


class FailNowAndThen(TorchDispatchMode):
    """Any operation may find no memory, or fail as a kernel does; in bursts of a few operations."""

    def __init__(self, seed: int, rate: float) -> None:
        super().__init__()
        self.chance, self.rate = random.Random(seed), rate
        self.num_failures = 0
        self.burst = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.burst or self.chance.random() < self.rate:
            self.burst = self.burst - 1 if self.burst else self.chance.choice((0, 0, 0, 1, 2))
            self.num_failures += 1
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return func(*args, **(kwargs or {}))


class FlakyStore(DictStore):
    """Frames that find no memory now and then, and one that is lost."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.chance, self.rate = chance, 0.0
        self.lost: set[int] = set()

    def pixels(self, ref: FrameRef) -> np.ndarray:
        if ref.slot in self.lost:
            raise KeyError(ref.slot)
        if self.chance.random() < self.rate:
            raise MemoryError
        return super().pixels(ref)


@dataclass
class Soak:
    """What is asked, and what is right: a caption, or the type of the error."""

    store: FlakyStore
    requests: list[Request]
    texts: dict[str, Caption]

    def right(self, request: Request) -> Caption:
        return replace(self.texts[_base(request)], key=request.key)


def _base(request: Request) -> str:
    return f"{[ref.slot for ref in request.frames]} {request.prompt} {request.generation}"


def make_soak(seed: int, checkpoint: Path) -> Soak:
    chance = random.Random(seed)
    store = FlakyStore(chance)
    bases = [_make_base(number, store, chance) for number in range(NUM_BASES)]
    engine, _ = start(checkpoint, store, batch_size=1)
    texts = {}
    for base in bases:
        engine.submit(base)
        texts[_base(base)] = poll_until(engine, 1)[0]
    requests = []
    for number in range(NUM_REQUESTS):
        base, attempt = chance.choice(bases), 1 if chance.random() < 0.05 else 0
        requests.append(replace(base, key=make_request(number, ()).key, attempt=attempt))
    return Soak(store, requests, texts)


def _make_base(number: int, store: DictStore, chance: random.Random) -> Request:
    """Mostly short ones; a few want longer slots than there are, one more than the model can hold."""
    count = {5: 2, 6: 3}.get(number % 7, 1)
    refs = tuple(
        store.add(make_frame(number * 10 + part, *SIZES[(number + part) % len(SIZES)]))
        for part in range(count)
    )
    words = {9: 40, 13: 200}.get(number, number % 4)
    limit = {17: 60}.get(number, chance.choice((1, 2, 5, 9, 16)))
    return make_request(number, refs, "What?" + " why" * words, limit)


def start(
    checkpoint: Path, store: DictStore, batch_size: int, **changes: Any
) -> tuple[LocalEngine, Listener]:
    listener = Listener()
    values = {"device": "cpu", "batch_size": batch_size, "max_tiles": 4, **changes}
    settings = ModelSettings(model=str(checkpoint), **values)
    caption = CaptionSettings(prompt="What?", max_new_tokens=16)
    engine = LocalEngine(settings, store, listener, caption)
    engine.start()
    return engine, listener


def poll_until(engine: LocalEngine, count: int, mode: TorchDispatchMode | None = None) -> list[Caption]:
    captions: list[Caption] = []
    for _ in range(20_000):
        if mode is None:
            captions += engine.poll(0.0)
        else:
            with mode:
                captions += engine.poll(0.0)
        if len(captions) >= count:
            return captions
    raise AssertionError(f"{len(captions)} of {count} captions")


def serve(
    engine: LocalEngine, requests: list[Request], mode: TorchDispatchMode | None = None
) -> list[Caption]:
    """As a host does: never more open than were agreed, and then none left over."""
    captions: list[Caption] = []
    waiting = list(requests)
    while waiting:
        room = MAX_OPEN - (len(requests) - len(waiting) - len(captions))
        for request in waiting[:room]:
            engine.submit(request)
        del waiting[:room]
        captions += poll_until(engine, 1, mode)
    return captions + poll_until(engine, len(requests) - len(captions), mode) + engine.poll(0.0)


@pytest.mark.parametrize(("seed", "rate"), [(1, 0.0), (2, 2e-5), (3, 1e-4)])
def test_every_key_is_answered_once_whatever_runs_out_of_memory(
    random_checkpoint: Path, seed: int, rate: float
) -> None:
    soak = make_soak(seed, random_checkpoint)
    engine, listener = start(random_checkpoint, soak.store, batch_size=6)
    # Every operation through Python takes most of the time: only where one may fail.
    mode = FailNowAndThen(seed, rate) if rate else None
    soak.store.rate = 200 * rate
    captions = serve(engine, soak.requests, mode)
    assert Counter(c.key for c in captions) == Counter(r.key for r in soak.requests)
    by_key = {request.key: request for request in soak.requests}
    wrong = [c for c in captions if c != soak.right(by_key[c.key])]
    assert {c.error.type if c.error else c.text for c in wrong} <= {"OutOfMemory", "ModelError"}
    assert mode is None or mode.num_failures
    assert len(wrong) <= {0.0: 0, 2e-5: 3, 1e-4: 20}[rate]
    assert sum(stats.output_tokens for stats in listener.stats) == sum(c.output_tokens for c in captions)


def test_the_guilty_are_found_and_nobody_else_suffers(
    random_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One frame is lost, one cannot be cut, and a step fails whenever a certain request takes part."""
    soak = make_soak(4, random_checkpoint)
    engine, _ = start(random_checkpoint, soak.store, batch_size=6)
    lost, uncut, poison = (soak.requests[at].frames[0].slot for at in (10, 11, 12))
    assert len({lost, uncut, poison}) == 3
    soak.store.lost.add(lost)
    advance = Generator.advance

    def cut_or_fail(frame: torch.Tensor, rule: TileRule) -> torch.Tensor:
        if torch.equal(frame, torch.tensor(soak.store.frames[uncut])):
            raise RuntimeError("The size of tensor a (3) must match the size of tensor b (5)")
        return cut_tiles(frame, rule)

    def advance_or_fail(self: Generator, num_steps: int) -> None:
        if any(ref.slot == poison for sequence in self.running for ref in sequence.request.frames):
            raise ValueError("poison")
        advance(self, num_steps)

    monkeypatch.setattr(generator, "cut_tiles", cut_or_fail)
    monkeypatch.setattr(Generator, "advance", advance_or_fail)
    captions = serve(engine, soak.requests)
    assert Counter(c.key for c in captions) == Counter(r.key for r in soak.requests)
    by_key = {request.key: request for request in soak.requests}
    for caption in captions:
        request = by_key[caption.key]
        right = soak.right(request)
        slots = {ref.slot for ref in request.frames}
        if (right.error is None and slots & {lost, uncut}) or (poison in slots and right.output_tokens > 1):
            assert caption.error is not None
        else:
            assert caption == right


def test_requests_may_arrive_while_others_run(random_checkpoint: Path) -> None:
    soak = make_soak(5, random_checkpoint)
    engine, _ = start(random_checkpoint, soak.store, batch_size=6)
    captions: list[Caption] = []

    def submit_all() -> None:
        for request in soak.requests:
            engine.submit(request)

    thread = Thread(target=submit_all)
    thread.start()
    captions = poll_until(engine, len(soak.requests))
    thread.join()
    by_key = {request.key: request for request in soak.requests}
    assert sorted(c.key for c in captions) == sorted(by_key)
    assert all(caption == soak.right(by_key[caption.key]) for caption in captions)


@pytest.mark.parametrize("precision", ["bf16", "fp16", "int8"])
def test_every_precision_comes_to_an_end(tmp_path: Path, precision: str) -> None:
    """Qwen3 and the large vision encoder, nine tiles and several frames a request."""
    vision = {"norm_type": "rms_norm", "use_qk_norm": True, "attention_bias": True}
    folder = write_checkpoint(tmp_path / "checkpoint", vision=vision, text={"model_type": "qwen3"})
    store = DictStore()
    engine, _ = start(folder, store, 3, precision=precision, max_tiles=9)
    for number in range(7):
        refs = tuple(
            store.add(make_frame(number + part, *SIZES[-1 - part])) for part in range(1 + number % 3)
        )
        engine.submit(make_request(number, refs, max_new_tokens=4 + number))
    captions = poll_until(engine, 7)
    assert {caption.key.scene for caption in captions} == set(range(7))
    assert all(caption.error is None and caption.output_tokens for caption in captions)
