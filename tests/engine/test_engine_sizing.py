"""The arithmetic of batch sizes, and devices that are nearly full."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_samples import DictStore, Listener, make_frame, make_request

from corridor_cli.engine.batching import round_batch_size
from corridor_cli.engine.local import load, memory, sizing
from corridor_cli.engine.local.engine import LocalEngine
from corridor_cli.engine.local.generator import Generator
from corridor_cli.engine.local.kv_cache import KeyValueCache
from corridor_cli.engine.local.sizing import Costs, Expected, size_stages
from corridor_cli.engine.presets import PRESETS, preset_info
from corridor_cli.errors import ModelError
from corridor_cli.hardware import available_memory_bytes
from corridor_cli.settings import CaptionSettings, ModelSettings

GIB = 1024**3
TYPICAL = Expected(tuple(range(350)), 128, 1)
# Measured nowhere: round numbers of the size that an InternVL3-2B has.
COSTS = Costs(
    bytes_per_tile=20 * 1024**2,
    bytes_per_prompt_token=60 * 1024,
    seconds_per_tile=0.001,
    seconds_per_prompt=0.002,
    seconds_per_step=0.01,
)


@pytest.mark.parametrize(("size", "rounded"), [(1, 1), (2, 2), (3, 2), (7, 4), (8, 8), (15, 8), (100, 96)])
def test_sizes_are_rounded_down_to_what_kernels_like(size: int, rounded: int) -> None:
    assert round_batch_size(size) == rounded


@pytest.mark.parametrize(("name", "wanted"), [("1b", 12_288), ("2b", 28_672), ("8b", 57_344)])
def test_keys_and_values_are_those_of_the_published_models(name: str, wanted: int) -> None:
    assert 2 * PRESETS[f"internvl3-{name}"].text.kv_numbers_per_token == wanted


def test_the_budget_is_a_fraction_of_what_is_free() -> None:
    assert memory.memory_budget("cpu", 0.5) == pytest.approx(0.5 * available_memory_bytes(), rel=0.2)


@pytest.mark.parametrize("budget", [0, 1, GIB // 4, GIB, 4 * GIB, 15 * GIB, 120 * GIB])
@pytest.mark.parametrize("prompt_tokens", [300, 3400])
def test_what_is_chosen_fits_or_is_the_least(budget: int, prompt_tokens: int) -> None:
    expected = replace(TYPICAL, token_ids=tuple(range(prompt_tokens)))
    bytes_per_slot = expected.max_tokens * 28_672
    chosen = size_stages(COSTS, bytes_per_slot, budget, "cuda:0", ModelSettings(), expected)
    passes = max(chosen.num_tiles * COSTS.bytes_per_tile, chosen.num_tokens * COSTS.bytes_per_prompt_token)
    is_least = (chosen.num_slots, chosen.num_tokens) == (1, prompt_tokens) or chosen.num_slots == 1
    assert passes + chosen.slot_limit * bytes_per_slot <= budget or is_least
    assert 1 <= chosen.num_slots <= chosen.slot_limit <= 256
    assert chosen.num_tokens >= prompt_tokens
    assert 1 <= chosen.num_tiles <= 64


def test_more_memory_never_means_less_together() -> None:
    sizes = [
        size_stages(COSTS, 14_000_000, budget, "cuda:0", ModelSettings(), TYPICAL)
        for budget in range(GIB, 40 * GIB, GIB)
    ]
    for smaller, larger in pairwise(sizes):
        assert smaller.num_slots <= larger.num_slots
        assert smaller.num_tiles <= larger.num_tiles
    assert sizes[0].num_slots < sizes[-1].num_slots == 256


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"enable_batch_processing": False}, 1),
        ({"batch_size": 5}, 5),
        ({"batch_size": 64, "max_batch_size": 3}, 3),
        ({"max_batch_size": 10}, 8),
    ],
)
def test_what_is_set_counts(changes: dict[str, Any], wanted: int) -> None:
    chosen = size_stages(COSTS, 14_000_000, 40 * GIB, "cuda:0", ModelSettings(**changes), TYPICAL)
    assert chosen.num_slots == wanted


def start_with_room_for(
    room: int, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any
) -> tuple[LocalEngine, Listener]:
    """Start on a device where no more than `room` sequences can take a step together, and use it."""
    step = Generator.advance

    def advance_or_overflow(self: Generator, num_steps: int) -> None:
        if len(self.running) > room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        step(self, num_steps)

    monkeypatch.setattr(Generator, "advance", advance_or_overflow)
    settings = ModelSettings(model=str(checkpoint), device="cpu", **changes)
    store, listener = DictStore(), Listener()
    engine = LocalEngine(settings, store, listener)
    info = engine.start()
    for number in range(info.max_pending):
        engine.submit(make_request(number, (store.add(make_frame(number)),), max_new_tokens=2))
    captions = [caption for _ in range(6 * info.max_pending) for caption in engine.poll(0.0)]
    assert len(captions) == info.max_pending
    assert all(caption.error is None for caption in captions)
    return engine, listener


@pytest.mark.parametrize("room", [4, 5, 1000])
def test_a_size_that_was_set_too_large_shrinks_on_the_way(
    random_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    _, listener = start_with_room_for(room, random_checkpoint, monkeypatch, batch_size=16)
    last = listener.stats[-1]
    assert last.next_batch_size == {4: 4, 5: 4, 1000: 16}[room]
    assert sum(stats.num_oom_retries for stats in listener.stats) == {4: 2, 5: 2, 1000: 0}[room]


def test_a_device_without_room_for_one_request_is_refused(
    random_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match="too little memory for a single request"):
        start_with_room_for(0, random_checkpoint, monkeypatch)


def test_costs_are_measured_once_and_kept(random_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[Costs] = []
    measure = sizing.measure_costs

    def count(*arguments: Any) -> Costs:
        measured.append(measure(*arguments))
        return measured[-1]

    monkeypatch.setattr(sizing, "measure_costs", count)
    settings = ModelSettings(model=str(random_checkpoint), device="cpu")
    seconds = [
        LocalEngine(each, DictStore(), Listener()).start().seconds_per_request
        for each in (settings, settings, replace(settings, max_tiles=4), settings)
    ]
    assert len(measured) == 2, "once for each number of tiles"
    assert seconds[0] == seconds[1] == seconds[3] != seconds[2]
    assert all(cost.seconds_per_tile > 0 and cost.seconds_per_step > 0 for cost in measured)


def test_a_context_is_no_longer_than_memory_allows(random_checkpoint: Path) -> None:
    settings = ModelSettings(model=str(random_checkpoint), device="cpu")
    loaded = load.load(settings, DictStore())
    expected = Expected(tuple(range(60)), 40, 1)
    kept_bytes = 4 * loaded.network.shape.text.kv_numbers_per_token
    costs = replace(COSTS, bytes_per_prompt_token=1000.0)
    found = [
        sizing.longest_context(loaded, costs, int(tokens * (1.1 * kept_bytes + 1000)) + 1, expected)
        for tokens in (0, 99, 101, 300, 512, 5000)
    ]
    assert found == [100, 100, 101, 300, 512, 512]


@pytest.mark.parametrize(("granted", "wanted"), [(16, 16), (5, 4), (1, 1)])
def test_slots_that_are_not_granted_are_fewer(
    random_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, granted: int, wanted: int
) -> None:
    """Whether measured with that little or before, when there was more."""
    settings = ModelSettings(model=str(random_checkpoint), device="cpu")
    store, listener = DictStore(), Listener()
    refuse_slots(monkeypatch, granted)
    assert LocalEngine(settings, store, Listener()).start().batch_size == wanted
    engine = LocalEngine(settings, store, listener)
    assert engine.start().batch_size == wanted
    for number in range(9):
        engine.submit(make_request(number, (store.add(make_frame(number)),), max_new_tokens=4))
    captions = [caption for _ in range(100) for caption in engine.poll(0.0)]
    assert [caption.error for caption in captions] == [None] * 9
    assert max(stats.batch_size for stats in listener.stats) <= wanted


def test_a_device_that_grants_no_slot_is_refused(
    random_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ModelSettings(model=str(random_checkpoint), device="cpu")
    LocalEngine(settings, DictStore(), Listener()).start()
    refuse_slots(monkeypatch, 0)
    with pytest.raises(ModelError, match="too little memory for a single request of"):
        LocalEngine(settings, DictStore(), Listener()).start()


def test_a_fraction_of_the_memory_holds_for_weights_too(random_checkpoint: Path) -> None:
    settings = ModelSettings(model=str(random_checkpoint), device="cpu", gpu_memory_fraction=1e-9)
    with pytest.raises(ModelError, match="may be used"):
        LocalEngine(settings, DictStore(), Listener()).start()


def refuse_slots(monkeypatch: pytest.MonkeyPatch, granted: int) -> None:
    """Let no cache have more than `granted` slots."""
    make = KeyValueCache.__init__

    def grant(self: KeyValueCache, shape: Any, num_slots: int, *rest: Any) -> None:
        if num_slots > granted:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        make(self, shape, num_slots, *rest)

    monkeypatch.setattr(KeyValueCache, "__init__", grant)


@pytest.mark.parametrize(
    "caption", [CaptionSettings(prompt="word " * 600), CaptionSettings(max_new_tokens=500)]
)
def test_what_no_slot_can_hold_is_refused_at_the_start(
    random_checkpoint: Path, caption: CaptionSettings
) -> None:
    settings = ModelSettings(model=str(random_checkpoint), device="cpu")
    with pytest.raises(ModelError, match="exceed the 512") as caught:
        LocalEngine(settings, DictStore(), Listener(), caption).start()
    assert "max_new_tokens" in caught.value.hint


@pytest.mark.parametrize(("precision", "fits"), [("fp32", False), ("bf16", True), ("int8", True)])
def test_weights_that_take_more_than_is_free_are_refused_before_they_are_loaded(
    monkeypatch: pytest.MonkeyPatch, precision: str, fits: bool
) -> None:
    """A processor's memory is granted without end, until the system kills who uses it."""
    monkeypatch.setattr(memory, "free_device_bytes", lambda device: 20 * GIB)
    monkeypatch.setattr(memory, "total_device_bytes", lambda device: 40 * GIB)
    loaded: list[object] = []
    monkeypatch.setattr(load, "_load_network", lambda *arguments: loaded.append(arguments))
    settings = ModelSettings(
        load_format="dummy",
        preset="internvl3-8b",
        device="cpu",
        precision=precision,  # type: ignore[arg-type]
    )
    if fits:
        memory.check_room(
            preset_info("internvl3-8b"), "cpu", {"bf16": "bfloat16"}.get(precision, precision), 0.9
        )
        return
    with pytest.raises(ModelError, match=r"does not fit .* take 29\.\d GiB in float32, 20\.0 GiB"):
        load.load(settings, DictStore())
    assert not loaded


def test_int8_leaves_the_embeddings_wider(monkeypatch: pytest.MonkeyPatch) -> None:
    """7.94 billion parameters, of which 152 thousand times 3,584 are embeddings: 9.6 GB beside fp32."""
    info = preset_info("internvl3-8b")
    for free, fits in ((9.0, False), (9.6, True)):
        monkeypatch.setattr(memory, "free_device_bytes", lambda device, free=free: int(free * 1e9))
        monkeypatch.setattr(memory, "total_device_bytes", lambda device: 40 * GIB)
        memory.check_room(info, "cpu", "int8", 0.9)
        if fits:
            memory.check_room(info, "cpu", "int8", 0.9, "float32")
        else:
            with pytest.raises(ModelError, match="in int8"):
                memory.check_room(info, "cpu", "int8", 0.9, "float32")
