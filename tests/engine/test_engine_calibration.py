"""The arithmetic of batch sizes, and a start on a device that is nearly full."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from engine_samples import DictStore, Listener, make_frame, make_request

from corridor_cli.engine.local import calibrate as calibration
from corridor_cli.engine.local.calibrate import (
    PeakMemory,
    Probe,
    bytes_per_request,
    kept_bytes_per_request,
    memory_budget,
    round_batch_size,
)
from corridor_cli.engine.local.engine import LocalEngine
from corridor_cli.engine.local.model import LocalModel
from corridor_cli.errors import ModelError
from corridor_cli.hardware import available_memory_bytes
from corridor_cli.settings import ModelSettings


@pytest.mark.parametrize(("size", "rounded"), [(1, 1), (2, 2), (3, 2), (7, 4), (8, 8), (15, 8), (100, 96)])
def test_sizes_are_rounded_down_to_what_kernels_like(size: int, rounded: int) -> None:
    assert round_batch_size(size) == rounded


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([(1, 500)], 500),
        ([(2, 1000), (8, 4000)], 500),
        ([(2, 1000), (8, 1000)], 0),
        ([(1, 900), (8, 700)], 0),
    ],
)
def test_the_cost_is_the_slope_and_a_tenth_on_top(points: list[tuple[int, int]], expected: int) -> None:
    probes = [Probe(size, memory, 1.0) for size, memory in points]
    assert bytes_per_request(probes, 100) == pytest.approx(1.1 * (expected + 100))


def test_kept_bytes_are_those_of_the_published_model() -> None:
    """InternVL3-1B in bfloat16: 12,288 bytes of keys and values a token."""
    text = SimpleNamespace(
        num_hidden_layers=24, num_key_value_heads=2, num_attention_heads=14, hidden_size=896, head_dim=None
    )
    network = SimpleNamespace(config=SimpleNamespace(text_config=text), dtype=torch.bfloat16)
    assert kept_bytes_per_request(network) == 256 * 12_288


def test_the_budget_is_a_fraction_of_what_is_free() -> None:
    assert memory_budget("cpu", 0.5) == pytest.approx(0.5 * available_memory_bytes(), rel=0.2)


def test_peak_memory_sees_a_passing_allocation() -> None:
    import time

    with PeakMemory("cpu") as memory:
        block = bytearray(b"x") * (64 * 1024**2)
        time.sleep(0.1)
        del block
    assert 50 * 1024**2 < memory.peak_bytes < 500 * 1024**2


def start_with_room_for(
    room: int, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any
) -> tuple[LocalEngine, int]:
    """Start on a device where no more than `room` prompts fit together."""
    generate = LocalModel.generate

    def generate_or_overflow(self: LocalModel, prompts: Any, ends: Any) -> Any:
        if len(prompts) > room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return generate(self, prompts, ends)

    monkeypatch.setattr(LocalModel, "generate", generate_or_overflow)
    # However busy this machine is, every size looks like a gain, so only memory ends the search.
    monkeypatch.setattr(calibration, "_SLOW_PROBE_SECONDS", float("inf"))
    monkeypatch.setattr(calibration, "_CPU_PROBING_SECONDS", float("inf"))
    monkeypatch.setattr(calibration, "_CPU_TOLERANCE", 0.0)
    settings = ModelSettings(model=str(checkpoint), device="cpu", **changes)
    store = DictStore()
    engine = LocalEngine(settings, store, Listener())
    info = engine.start()
    for number in range(info.max_pending):
        engine.submit(make_request(number, (store.add(make_frame(number)),), max_new_tokens=2))
    captions = [caption for _ in range(2 * info.max_pending) for caption in engine.poll(0.0)]
    assert len(captions) == info.max_pending
    assert all(caption.error is None for caption in captions)
    return engine, info.batch_size


@pytest.mark.parametrize(("room", "expected"), [(1, 1), (5, 4), (1000, 32)])
def test_the_batch_is_the_largest_that_fits(
    random_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, room: int, expected: int
) -> None:
    assert start_with_room_for(room, random_checkpoint, monkeypatch)[1] == expected


def test_a_size_that_was_set_too_large_shrinks_on_the_way(
    random_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert start_with_room_for(3, random_checkpoint, monkeypatch, batch_size=16)[1] == 16


def test_a_device_without_room_for_one_request_is_refused(
    random_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match="too little memory for a single request"):
        start_with_room_for(0, random_checkpoint, monkeypatch)


def test_free_memory_limits_the_batch(random_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "bytes_per_request", lambda probes, kept: 300.0)
    monkeypatch.setattr(calibration, "free_device_bytes", lambda device: 1000)
    assert start_with_room_for(1000, random_checkpoint, monkeypatch)[1] == 2
