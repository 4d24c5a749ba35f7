"""What only CUDA runs, as far as a CPU can check it: where the flash kernel looks, and which graphs."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from corridor_cli.engine.local import flash, graphs
from corridor_cli.engine.local.attention import attend_decode, attend_prefill, decode_rows, prompt_rows
from corridor_cli.engine.local.graphs import bucket_sizes

HEADS = flash.HeadCounts(num_heads=14, num_kv_heads=2, head_dim=64)


def packed_attention(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    query_starts: Tensor,
    key_starts: Tensor,
    longest_query: int,
    longest_key: int,
    *,
    is_causal: bool,
    used: Tensor | None = None,
) -> Tensor:
    """The kernel by its description: sequence i is queries[q_i : q_i+1] over its part of the keys."""
    out = torch.empty_like(queries)
    for number, (start, end) in enumerate(pairwise(query_starts.tolist())):
        first, last = key_starts[number : number + 2].tolist()
        assert end - start <= longest_query
        assert last - first <= longest_key
        last = last if used is None else first + int(used[number])
        q, k, v = queries[start:end], keys[first:last], values[first:last]
        group = q.shape[1] // k.shape[1]
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
        scores = torch.einsum("qhd,khd->hqk", q, k) / q.shape[-1] ** 0.5
        if is_causal:
            scores = scores.masked_fill(torch.ones_like(scores).triu(1).bool(), float("-inf"))
        out[start:end] = torch.einsum("hqk,khd->qhd", scores.softmax(-1), v)
    return out


@pytest.fixture(autouse=True)
def kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flash, "_flash", packed_attention)


def test_packed_prompts_are_where_the_kernel_is_told() -> None:
    rows = prompt_rows([0, 7, 8, 40], torch.device("cpu"))
    q, k, v = torch.randn(40, 6, 8), torch.randn(40, 2, 8), torch.randn(40, 2, 8)
    assert rows.starts.dtype == torch.int32
    assert torch.allclose(flash.flash_prefill(q, k, v, rows), attend_prefill(q, k, v, rows), atol=1e-5)


def test_slots_are_where_the_kernel_is_told() -> None:
    lengths = torch.tensor([5, 1, 30])
    q = torch.randn(3, 6, 8)
    keys, values = torch.randn(5, 32, 2, 8), torch.randn(5, 32, 2, 8)
    rows = flash.flash_rows(lengths, 30, 32, torch.bfloat16)
    found = flash.flash_decode(q, keys, values, rows)
    wanted = attend_decode(q, keys, values, decode_rows(lengths, 30, 32, torch.float32))
    assert torch.allclose(found, wanted, atol=1e-5)
    assert {part.dtype for part in (rows.lengths, rows.query_starts, rows.key_starts)} == {torch.int32}


def test_a_kernel_that_is_not_there_or_not_right_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    assert flash.flash_attention(cpu, torch.float32, HEADS) is None, "flash kernels know no fp32"
    chosen = flash.flash_attention(cpu, torch.bfloat16, HEADS)
    assert chosen is not None
    assert chosen.name == "flash"
    monkeypatch.setattr(flash, "_flash", lambda *args, **kwargs: torch.zeros_like(args[0]))
    assert flash.flash_attention(cpu, torch.bfloat16, HEADS) is None
    monkeypatch.undo()
    assert flash.flash_attention(cpu, torch.bfloat16, HEADS) is None, "the real operator has no CPU form"


@pytest.mark.parametrize("num_rows", [1, 2, 3, 16, 31, 32, 33, 100, 256])
def test_every_number_of_rows_has_a_graph_that_is_not_much_larger(num_rows: int) -> None:
    sizes = bucket_sizes(num_rows)
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == num_rows
    for wanted in range(1, num_rows + 1):
        size = min(size for size in sizes if size >= wanted)
        assert size < 2 * wanted or size - wanted < 32


def fail(error: Exception) -> None:
    raise error


def capturing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> list[int]:
    """A device on which every capture fails; the steps taken there."""
    monkeypatch.setattr(graphs, "_capture", lambda *args: fail(error))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda *args: None)
    return []


def test_steps_that_cannot_be_captured_are_launched_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = capturing(monkeypatch, RuntimeError("CUDA error: operation not permitted"))
    run, reason = graphs.captured(steps.append, 8, "cuda:0")
    assert run is None
    assert reason.startswith(
        "decode steps: launched one by one, as capturing them failed: RuntimeError: CUDA"
    )
    assert steps == [1], "the device was tried before it was relied on"


def test_a_device_that_a_capture_has_broken_is_not_relied_on(monkeypatch: pytest.MonkeyPatch) -> None:
    capturing(monkeypatch, RuntimeError("CUDA error: capture failed"))
    with pytest.raises(RuntimeError, match="illegal memory access"):
        graphs.captured(lambda size: fail(RuntimeError("CUDA error: illegal memory access")), 8, "cuda:0")


def test_memory_that_ran_out_in_a_capture_is_no_reason_to_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = RuntimeError("CUDA error: operation failed due to a previous error during capture")
    hidden.__context__ = torch.OutOfMemoryError("CUDA out of memory")
    capturing(monkeypatch, hidden)
    with pytest.raises(torch.OutOfMemoryError):
        graphs.captured(lambda size: None, 8, "cuda:0")


def test_nothing_a_step_does_waits_for_the_device() -> None:
    """Small tensors are made once or sent from pinned memory: see `on_device`."""
    from corridor_cli.engine.local.tiles import TileRule, _mean_and_std

    rule = TileRule(28, 1, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2))
    assert _mean_and_std(rule, torch.device("cpu")) is _mean_and_std(rule, torch.device("cpu"))


def test_nothing_ends_a_caption_of_a_dummy() -> None:
    from corridor_cli.engine.local.dummy import DummySource
    from corridor_cli.engine.presets import END_TOKEN_ID, VOCAB_SIZE

    head = DummySource("cpu", torch.float32).tensor("language_model.lm_head.weight", (VOCAB_SIZE, 8))
    assert not head[END_TOKEN_ID].any()
    assert head[END_TOKEN_ID - 1].any()
    embeddings = DummySource("cpu", torch.float32).tensor(
        "language_model.model.embed_tokens.weight", (VOCAB_SIZE, 8)
    )
    assert embeddings[END_TOKEN_ID].any()
