"""The ceiling: the published sizes' figures, and the same operations counted by torch on the real network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from corridor_cli.bench import roofline
from corridor_cli.bench.roofline import Ceilings, Workload
from corridor_cli.engine.local.dummy import DummySource
from corridor_cli.engine.local.kv_cache import KeyValueCache
from corridor_cli.engine.local.network import Network, PackedPrompts
from corridor_cli.engine.local.shape import NetworkShape, TextShape, VisionShape
from corridor_cli.engine.presets import PRESETS

GIGA = 1e9
# One H200: bf16 products as measured, memory as published.
H200 = Ceilings(790e12, 4.8e12)
WORKLOAD = Workload(tiles=1, prompt_tokens=100, output_tokens=96, batch_size=256)

# Widths that differ from each other everywhere, so that no two terms can be mistaken for each other.
SMALL = NetworkShape(
    VisionShape(
        num_layers=3, hidden=48, num_heads=3, intermediate=80, image_px=56, patch_px=14,
        norm="layer_norm", norm_eps=1e-6, has_qkv_bias=True, has_qk_norm=False,
    ),
    TextShape(
        family="qwen2", num_layers=2, hidden=40, num_heads=6, num_kv_heads=2, head_dim=16, intermediate=72,
        vocab_size=120, max_positions=64, rope_theta=1e6, norm_eps=1e-6, has_qkv_bias=True,
        has_qk_norm=False, is_tied=False,
    ),
)  # fmt: skip
SIZES = {"1b": "internvl3-1b", "2b": "internvl3-2b", "8b": "internvl3-8b"}


def preset(size: str) -> NetworkShape:
    return PRESETS[SIZES[size]]


@pytest.mark.parametrize("size", SIZES)
def test_a_tile_of_the_published_encoder(size: str) -> None:
    assert roofline.vision_flops(preset(size)) / GIGA == pytest.approx(723.6, abs=0.05)


@pytest.mark.parametrize(("size", "gflop"), [("1b", 2.3), ("2b", 4.4), ("8b", 14.1)])
def test_the_projector_of_the_published_sizes(size: str, gflop: float) -> None:
    assert roofline.projector_flops(preset(size)) / GIGA == pytest.approx(gflop, abs=0.05)


@pytest.mark.parametrize(("size", "millions"), [("1b", 357.8), ("2b", 1310.2), ("8b", 6525.3)])
def test_the_body_of_the_published_sizes(size: str, millions: float) -> None:
    assert roofline.body_weights(preset(size).text) / 1e6 == pytest.approx(millions, abs=0.05)


@pytest.mark.parametrize(("size", "millions"), [("1b", 938.1), ("2b", 2088.8), ("8b", 7944.0)])
def test_the_parts_come_to_the_published_totals(size: str, millions: float) -> None:
    """Head and embeddings are two of them; the rest is the encoder, norms and biases."""
    shape = preset(size)
    language = roofline.body_weights(shape.text) + 2 * roofline.head_weights(shape.text)
    assert shape.num_parameters / 1e6 == pytest.approx(millions, abs=0.5)
    assert 305e6 < shape.num_parameters - language < 335e6


@pytest.mark.parametrize(("size", "num_bytes"), [("1b", 12_288), ("2b", 28_672), ("8b", 57_344)])
def test_a_cached_token_of_the_published_sizes(size: str, num_bytes: int) -> None:
    shape = preset(size)
    assert roofline.step_bytes(shape, 1, 8) - roofline.step_bytes(shape, 1, 7) == num_bytes


@pytest.mark.parametrize(
    ("size", "tiles", "frames_per_second"),
    [
        ("1b", 1, 702), ("1b", 6, 131), ("1b", 12, 65),
        ("2b", 1, 386), ("2b", 6, 80), ("2b", 12, 40),
        ("8b", 1, 116), ("8b", 6, 28), ("8b", 12, 14),
    ],
)  # fmt: skip
def test_the_published_sizes_on_an_h200(size: str, tiles: int, frames_per_second: int) -> None:
    found = roofline.bound(preset(size), H200, replace(WORKLOAD, tiles=tiles))
    assert found is not None
    assert round(found.frames_per_second) == frames_per_second


def test_the_parts_come_to_the_whole() -> None:
    work = Workload(tiles=3, prompt_tokens=50, output_tokens=20, batch_size=4, frames=2)
    found = roofline.bound(preset("2b"), H200, work)
    assert found is not None
    parts = found.vision_seconds + found.projector_seconds + found.prefill_seconds + found.decode_seconds
    assert found.requests_per_second == pytest.approx(1 / parts)
    assert found.frames_per_second == 2 * found.requests_per_second
    assert found.decode_seconds == pytest.approx(20 * found.step_seconds / 4)
    assert roofline.request_tokens(preset("2b"), work) == 50 + 2 * 3 * 256


def test_a_step_is_bound_by_memory_until_the_batch_is_large() -> None:
    alone = roofline.bound(preset("8b"), H200, replace(WORKLOAD, batch_size=1))
    many = roofline.bound(preset("8b"), Ceilings(20e12, 4.8e12), replace(WORKLOAD, batch_size=256))
    assert alone is not None
    assert many is not None
    assert alone.is_step_bound_by_memory
    assert not many.is_step_bound_by_memory
    shape = preset("8b")
    cached = roofline.mean_cached_tokens(shape, WORKLOAD)
    assert alone.step_seconds == roofline.step_bytes(shape, 1, cached) / 4.8e12
    assert many.step_seconds == roofline.step_flops(shape, 256, cached) / 20e12


def test_smaller_weights_are_read_sooner() -> None:
    shape, alone = preset("2b"), replace(WORKLOAD, batch_size=1)
    wide = roofline.bound(shape, H200, alone, bytes_per_weight=4, bytes_per_kv=4)
    narrow = roofline.bound(shape, H200, alone, bytes_per_weight=1, bytes_per_kv=2)
    assert wide is not None
    assert narrow is not None
    assert 3 < wide.step_seconds / narrow.step_seconds < 4


@pytest.mark.parametrize(
    ("shape", "ceilings", "wanted"),
    [
        (None, H200, {}),
        (SMALL, Ceilings(None, 4.8e12), {}),
        (SMALL, Ceilings(790e12, None), {}),
        (SMALL, Ceilings(0.0, 4.8e12), {}),
        (SMALL, H200, {"bytes_per_weight": None}),
        (SMALL, H200, {"bytes_per_kv": None}),
    ],
)
def test_an_unknown_fact_leaves_the_bound_unknown(
    shape: NetworkShape | None, ceilings: Ceilings, wanted: dict[str, Any]
) -> None:
    assert roofline.bound(shape, ceilings, WORKLOAD, **wanted) is None


def test_utilisation_is_a_share_of_the_peak() -> None:
    assert roofline.mfu(30.0, 2.0, 60.0) == 0.25
    assert roofline.mbu(10.0, 4.0, 5.0) == 0.5
    for share in (roofline.mfu, roofline.mbu):
        assert share(None, 1.0, 1.0) is None
        assert share(1.0, None, 1.0) is None
        assert share(1.0, 1.0, None) is None
        assert share(1.0, 0.0, 1.0) is None
    assert roofline.request_flops(None, WORKLOAD) is None
    assert roofline.request_step_bytes(None, WORKLOAD) is None
    assert roofline.request_step_bytes(SMALL, WORKLOAD, bytes_per_kv=None) is None


def test_a_run_at_the_bound_uses_all_of_the_peak() -> None:
    """With nothing but arithmetic to wait for, the FLOP of a request fill its seconds; so do bytes a step."""
    shape = preset("1b")
    endless = roofline.bound(shape, Ceilings(1e12, 1e30), WORKLOAD)
    assert endless is not None
    seconds = 1 / endless.requests_per_second
    assert roofline.mfu(roofline.request_flops(shape, WORKLOAD), seconds, 1e12) == pytest.approx(1)
    slow = roofline.bound(shape, Ceilings(1e30, 1e9), WORKLOAD)
    assert slow is not None
    moved = roofline.request_step_bytes(shape, WORKLOAD)
    # The bound has a step for each new token; the first one comes out of the prefill when steps are measured.
    steps_seconds = slow.decode_seconds * (WORKLOAD.output_tokens - 1) / WORKLOAD.output_tokens
    assert roofline.mbu(moved, steps_seconds, 1e9) == pytest.approx(1)


@pytest.mark.parametrize(
    ("dtype", "quantization", "weight", "number"),
    [
        ("float32", None, 4, 4), ("bfloat16", None, 2, 2), ("float16", None, 2, 2),
        ("bfloat16", "int8", 1, 2), ("float32", "int8", 1, 4), ("float64", "int3", None, None),
    ],
)  # fmt: skip
def test_widths_of_a_precision(
    dtype: str, quantization: str | None, weight: float | None, number: float | None
) -> None:
    assert roofline.weight_bytes(dtype, quantization) == weight
    assert roofline.number_bytes(dtype) == number


@pytest.mark.parametrize("wanted", [{"tiles": -1}, {"output_tokens": 0}, {"batch_size": 0}, {"frames": -2}])
def test_a_workload_that_cannot_be_is_refused(wanted: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wanted))}: got {next(iter(wanted.values()))}"):
        replace(WORKLOAD, **wanted)


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(SMALL, DummySource("cpu", torch.float32), "cpu", torch.float32)


@contextmanager
def counting() -> Iterator[FlopCounterMode]:
    """Counts what is multiplied; attention as plain products, for the fused one on a CPU is not counted."""
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        yield counter


@pytest.mark.parametrize("num_tiles", [1, 3])
def test_torch_counts_the_same_for_tiles(network: Network, num_tiles: int) -> None:
    with counting() as counter:
        network.encode(torch.randn(num_tiles, 3, 56, 56))
    expected = roofline.vision_flops(SMALL) + roofline.projector_flops(SMALL)
    assert counter.get_total_flops() == num_tiles * expected


@pytest.mark.parametrize("lengths", [[9], [17, 30]])
def test_torch_counts_the_same_for_prompts(network: Network, lengths: list[int]) -> None:
    cache = KeyValueCache(SMALL.text, 2, 64, "cpu", torch.float32)
    positions = torch.cat([torch.arange(length) for length in lengths])
    slots = torch.cat([torch.full((length,), slot) for slot, length in enumerate(lengths)])
    visual_at = torch.arange(SMALL.tokens_per_tile)
    rows = cache.rows(slots, positions)
    prompts = PackedPrompts(torch.zeros(sum(lengths), dtype=torch.long), positions, rows, visual_at, lengths)
    with counting() as counter:
        network.prefill(prompts, torch.randn(len(visual_at), SMALL.text.hidden), cache)
    expected = sum(roofline.prefill_flops(SMALL, length) for length in lengths)
    # The counter takes the whole square of scores; the half above the diagonal need not be computed.
    text = SMALL.text
    skipped = sum(2 * text.num_heads * text.head_dim * text.num_layers * length**2 for length in lengths)
    assert counter.get_total_flops() == expected + skipped


@pytest.mark.parametrize(("batch_size", "cached_tokens"), [(1, 12), (3, 40)])
def test_torch_counts_the_same_for_a_step(network: Network, batch_size: int, cached_tokens: int) -> None:
    cache = KeyValueCache(SMALL.text, batch_size, 64, "cpu", torch.float32)
    positions = torch.full((batch_size,), cached_tokens - 1)
    with counting() as counter:
        network.step(torch.zeros(batch_size, dtype=torch.long), positions, cache, cached_tokens)
    assert counter.get_total_flops() == roofline.step_flops(SMALL, batch_size, cached_tokens)


def test_a_step_reads_the_tensors_the_network_holds() -> None:
    """All weights behind the embeddings, and the filled part of the cache: bytes of real tensors."""
    held: dict[str, int] = {}

    class Weighing(DummySource):
        def tensor(self, name: str, shape: tuple[int, ...]) -> torch.Tensor:
            made = super().tensor(name, shape)
            held[name] = made.nbytes if len(shape) == 2 else 0
            return made

    Network(SMALL, Weighing("cpu", torch.float32), "cpu", torch.float32)
    language = sum(
        num_bytes
        for name, num_bytes in held.items()
        if name.startswith("language_model") and "embed" not in name
    )
    cache = KeyValueCache(SMALL.text, 3, 64, "cpu", torch.float32)
    filled = cache.keys[:, :3, :40].nbytes + cache.values[:, :3, :40].nbytes
    read = roofline.step_bytes(SMALL, 3, 40, bytes_per_weight=4, bytes_per_kv=4)
    assert read == language + filled
