"""What only CUDA runs, as far as a CPU can check it: where the flash kernel looks, and which graphs."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from corridor_cli.engine.local import flash
from corridor_cli.engine.local.attention import attend_decode, attend_prefill, decode_rows, prompt_rows
from corridor_cli.engine.local.graphs import bucket_sizes


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
    assert flash.flash_attention(cpu, torch.float32) is None, "flash kernels know no fp32"
    chosen = flash.flash_attention(cpu, torch.bfloat16)
    assert chosen is not None
    assert chosen.name == "flash"
    monkeypatch.setattr(flash, "_flash", lambda *args, **kwargs: torch.zeros_like(args[0]))
    assert flash.flash_attention(cpu, torch.bfloat16) is None
    monkeypatch.undo()
    assert flash.flash_attention(cpu, torch.bfloat16) is None, "the real operator has no CPU form"


@pytest.mark.parametrize("num_rows", [1, 2, 3, 16, 31, 32, 33, 100, 256])
def test_every_number_of_rows_has_a_graph_that_is_not_much_larger(num_rows: int) -> None:
    sizes = bucket_sizes(num_rows)
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == num_rows
    for wanted in range(1, num_rows + 1):
        size = min(size for size in sizes if size >= wanted)
        assert size < 2 * wanted or size - wanted < 32
