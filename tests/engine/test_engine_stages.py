"""What one bad request may leave behind in a long run: nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from engine_samples import DictStore, Listener, make_frame, make_request

from corridor_cli.engine.local import scheduler
from corridor_cli.engine.local.engine import LocalEngine
from corridor_cli.engine.local.generator import Generator
from corridor_cli.engine.local.load import Loaded, load
from corridor_cli.engine.local.sequences import TokenSequence
from corridor_cli.engine.local.stages import Stages, StageSizes
from corridor_cli.engine.recovery import BatchSizer, Failure
from corridor_cli.records import Caption
from corridor_cli.settings import ModelSettings


@pytest.fixture
def loaded(random_checkpoint: Path, store: DictStore) -> Loaded:
    chosen = ModelSettings(model=str(random_checkpoint), device="cpu", precision="fp32", max_tiles=4)
    return load(chosen, store)


@pytest.fixture
def stages(loaded: Loaded) -> Stages:
    def make(max_tokens: int, max_new_tokens: int) -> Generator:
        return loaded.make_generator(4, max_tokens, max_new_tokens)

    return Stages(make(200, 8), make, StageSizes(BatchSizer(4, 4), BatchSizer(64, 64), BatchSizer(999, 999)))


def read(loaded: Loaded, store: DictStore, number: int) -> TokenSequence:
    frame = make_frame(number, 200, 50)  # four tiles and a thumbnail
    sequence = loaded.translator.read(make_request(number, (store.add(frame),), max_new_tokens=8))
    assert isinstance(sequence, TokenSequence)
    return sequence


def limit_tiles(monkeypatch: pytest.MonkeyPatch, most: Callable[[], int]) -> list[int]:
    """Let the vision pass run out of memory above `most()` tiles; the sizes it is tried with."""
    tried: list[int] = []
    encode = Generator.encode

    def encode_or_fail(self: Generator, group: Sequence[TokenSequence], max_tiles: int) -> torch.Tensor:
        tried.append(max_tiles)
        if min(max_tiles, sum(sequence.num_tiles for sequence in group)) > most():
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return encode(self, group, max_tiles)

    monkeypatch.setattr(Generator, "encode", encode_or_fail)
    return tried


def test_tiles_are_halved_from_what_was_tried(
    loaded: Loaded, store: DictStore, stages: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = limit_tiles(monkeypatch, lambda: 3)
    assert stages.enter([read(loaded, store, 1)]) is None
    assert tried == [5, 2], "64 and 32 would have been the same pass again"


def test_a_request_that_never_fits_does_not_slow_the_others(
    loaded: Loaded, store: DictStore, stages: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 0
    tried = limit_tiles(monkeypatch, lambda: most)
    for number in range(3):
        assert isinstance(stages.enter([read(loaded, store, number)]), Failure)
    most = 64
    tried.clear()
    assert stages.enter([read(loaded, store, 9)]) is None
    assert tried == [5]


def test_one_alone_says_nothing_of_how_many_fit_together() -> None:
    sizer = BatchSizer(16, 16)
    for _ in range(5):
        sizer.overflowed(1)
    assert (sizer.size, sizer.limit) == (16, 16)


def test_numbers_that_overflowed_do_not_outlive_their_caption(loaded: Loaded, store: DictStore) -> None:
    def run(generator: Generator) -> list[int]:
        sequence = read(loaded, store, 1)
        generator.prefill([sequence], generator.encode([sequence], 8))
        while generator.running:
            generator.decode()
            ended = generator.take_finished()
        return ended[0][1]

    used = loaded.make_generator(2, 200, 8)
    used._cache.keys.fill_(float("nan"))
    used._cache.values.fill_(float("inf"))
    assert run(used) == run(loaded.make_generator(2, 200, 8))


def test_a_long_caption_is_not_a_long_silence(
    random_checkpoint: Path, store: DictStore, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Main takes a host that tells nothing for dead."""
    monkeypatch.setattr(scheduler, "_SILENT_SECONDS", 0.0)
    engine = LocalEngine(ModelSettings(model=str(random_checkpoint), device="cpu"), store, listener)
    engine.start()
    engine.submit(make_request(1, (store.add(make_frame(1)),), max_new_tokens=120))
    captions: list[Caption] = []
    silent = [0]
    while not captions:
        heard = len(listener.events)
        captions = engine.poll(0.0)
        silent.append(0 if len(listener.events) > heard else silent[-1] + 1)
    assert len(silent) > 8
    assert max(silent) == 0
