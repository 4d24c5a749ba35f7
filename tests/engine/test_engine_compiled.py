"""The compiled vision pass: when it is taken, what it gives, and what becomes of a compiler that fails."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from engine_samples import TILE_PX, DictStore

from corridor_cli.engine.local import compiled
from corridor_cli.engine.local.compiled import CompiledEncoder
from corridor_cli.engine.local.load import load
from corridor_cli.engine.local.network import Network
from corridor_cli.engine.local.vision import Encode
from corridor_cli.hardware import kept_measurement
from corridor_cli.settings import ModelSettings

# Dynamo traces the real pass, as on a GPU; only the kernels are the plain ones, which need no C++ compiler.
TRACE = partial(torch.compile, backend="aot_eager", dynamic=False, fullgraph=True)


@pytest.fixture
def network(random_checkpoint: Path) -> Network:
    return load(ModelSettings(model=str(random_checkpoint), device="cpu"), DictStore()).network


def tiles(count: int) -> torch.Tensor:
    return torch.randn(count, 3, TILE_PX, TILE_PX, generator=torch.Generator().manual_seed(count))


def counting(compiler: Callable[[Encode], Encode]) -> tuple[Callable[[Encode], Encode], list[Encode]]:
    """The compiler, and a list that grows by each call of it."""
    calls: list[Encode] = []

    def compile_and_count(encode: Encode) -> Encode:
        calls.append(encode)
        return compiler(encode)

    return compile_and_count, calls


def test_a_pass_is_compiled_once_and_for_one_number_of_tiles(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "_PRICE_SECONDS", 1e-9)
    compiler, calls = counting(TRACE)
    plain = network.vision.encode
    network.encoder = encoder = CompiledEncoder(plain, "cpu", "here", compiler)
    for count in (4, 4, 2, 4, 2, 4, 3):
        found = network.encode(tiles(count))
        with torch.inference_mode():
            assert torch.allclose(found, plain(tiles(count)), atol=1e-5)
    assert len(calls) == 1
    assert encoder.num_tiles == 4
    assert encoder.reason.startswith("vision: compiled for 4 tiles in ")
    assert isinstance(kept_measurement("vision_compile", "here"), float)


def test_short_work_is_not_compiled(network: Network) -> None:
    compiler, calls = counting(TRACE)
    network.encoder = encoder = CompiledEncoder(network.vision.encode, "cpu", "here", compiler)
    for _ in range(20):
        network.encode(tiles(4))
    assert not calls
    assert encoder.reason == "vision: plain, and compiled once that has taken 300 s"


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("no compiler"),
        RuntimeError("CUDA driver error: 222"),  # kernels the driver does not take: the device is not lost
        torch.OutOfMemoryError("out of memory"),
    ],
)
def test_a_compiler_that_fails_is_asked_once_and_costs_no_caption(
    network: Network, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(compiled, "_PRICE_SECONDS", 1e-9)

    def fails(tiles: torch.Tensor) -> torch.Tensor:
        raise error

    compiler, calls = counting(lambda encode: fails)
    plain = network.vision.encode
    network.encoder = encoder = CompiledEncoder(plain, "cpu", "here", compiler)
    for _ in range(4):
        found = network.encode(tiles(4))
        with torch.inference_mode():
            assert torch.equal(found, plain(tiles(4)))
    assert len(calls) == 1
    assert str(error) in encoder.reason


def test_compiling_that_does_not_end_is_waited_for_longer_by_the_next_process(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "_PRICE_SECONDS", 1e-9)

    def ends_the_process(tiles: torch.Tensor) -> torch.Tensor:
        raise SystemExit(1)

    for wanted in (2e-9, 4e-9, 8e-9):
        network.encoder = CompiledEncoder(
            network.vision.encode, "cpu", "here", lambda encode: ends_the_process
        )
        network.encode(tiles(4))
        with pytest.raises(SystemExit):
            network.encode(tiles(4))
        assert kept_measurement("vision_compile", "here") == pytest.approx(wanted)


def test_a_device_that_compiling_lost_is_told_at_once(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "_PRICE_SECONDS", 1e-9)
    plain, lost = network.vision.encode, []

    def fails(tiles: torch.Tensor) -> torch.Tensor:
        lost.append(True)
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    def on_device(tiles: torch.Tensor) -> torch.Tensor:
        return fails(tiles) if lost else plain(tiles)

    network.encoder = CompiledEncoder(on_device, "cpu", "here", lambda encode: fails)
    network.encode(tiles(4))
    with pytest.raises(RuntimeError, match="illegal memory access"):
        network.encode(tiles(4))


@pytest.mark.parametrize(
    ("error", "is_kept"),
    [(RuntimeError("no kernel"), False), (torch.OutOfMemoryError("out of memory"), True)],
)
def test_a_compiled_pass_that_fails_later_is_given_up_but_for_a_lack_of_memory(
    network: Network, monkeypatch: pytest.MonkeyPatch, error: Exception, is_kept: bool
) -> None:
    monkeypatch.setattr(compiled, "_PRICE_SECONDS", 1e-9)
    plain, passes = network.vision.encode, []

    def fails_at_second(tiles: torch.Tensor) -> torch.Tensor:
        passes.append(len(tiles))
        if len(passes) == 2:
            raise error
        return plain(tiles)

    network.encoder = encoder = CompiledEncoder(plain, "cpu", "here", lambda encode: fails_at_second)
    for _ in range(2):
        network.encode(tiles(4))
    if is_kept:
        with pytest.raises(torch.OutOfMemoryError):
            network.encode(tiles(4))
    for _ in range(2):
        found = network.encode(tiles(4))
        with torch.inference_mode():
            assert torch.equal(found, plain(tiles(4)))
    assert len(passes) == (4 if is_kept else 2)
    assert (str(error) in encoder.reason) is not is_kept


def test_a_price_known_from_before_counts(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled.keep_measurement("vision_compile", "here", 1e-9)
    compiler, calls = counting(TRACE)
    network.encoder = CompiledEncoder(network.vision.encode, "cpu", "here", compiler)
    for _ in range(2):
        network.encode(tiles(4))
    assert len(calls) == 1
