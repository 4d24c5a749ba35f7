"""Attention against softmax(QK')V in fp64, for tiles, packed prompts and the cache."""

from __future__ import annotations

from itertools import accumulate, pairwise

import pytest
import torch
from torch import Tensor

from corridor_cli.engine.local.attention import (
    attend_decode,
    attend_full,
    attend_prefill,
    decode_rows,
    prompt_rows,
)
from corridor_cli.engine.local.choose_attention import attention_for
from corridor_cli.engine.presets import PRESETS

BOUND = {torch.float32: 1e-5, torch.bfloat16: 2e-2}
DTYPES = pytest.mark.parametrize("dtype", list(BOUND))


def sample(*shape: int, dtype: torch.dtype, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def reference(queries: Tensor, keys: Tensor, values: Tensor, *, is_causal: bool) -> Tensor:
    """(tokens, heads, D) over (positions, kv_heads, D) -> (tokens, heads * D), one head at a time."""
    num_heads, group = queries.shape[1], queries.shape[1] // keys.shape[1]
    heads = []
    for head in range(num_heads):
        q, k, v = (
            part[:, index].double()
            for part, index in ((queries, head), (keys, head // group), (values, head // group))
        )
        scores = q @ k.T / q.shape[-1] ** 0.5
        if is_causal:
            scores = scores.masked_fill(torch.ones_like(scores).triu(1).bool(), float("-inf"))
        heads.append(scores.softmax(-1) @ v)
    return torch.cat(heads, -1)


def error(found: Tensor, wanted: Tensor) -> float:
    assert found.shape == wanted.shape
    return float((found.double() - wanted).abs().max())


@DTYPES
@pytest.mark.parametrize(("tiles", "tokens", "heads", "dim"), [(1, 5, 1, 8), (2, 65, 4, 16), (3, 257, 2, 64)])
def test_full_sees_everything(tiles: int, tokens: int, heads: int, dim: int, dtype: torch.dtype) -> None:
    fused = sample(tiles, tokens, 3, heads, dim, dtype=dtype)
    found = attend_full(*fused.unbind(2))
    for tile in range(tiles):
        wanted = reference(*fused[tile].unbind(1), is_causal=False)
        assert error(found[tile], wanted) < BOUND[dtype]


@DTYPES
@pytest.mark.parametrize("lengths", [[1], [7], [3, 1, 40], [300, 2]])
@pytest.mark.parametrize(("heads", "kv_heads", "dim"), [(14, 2, 64), (4, 4, 8), (6, 1, 16)])
def test_prompts_do_not_see_each_other(
    lengths: list[int], heads: int, kv_heads: int, dim: int, dtype: torch.dtype
) -> None:
    bounds = [0, *accumulate(lengths)]
    queries = sample(bounds[-1], heads, dim, dtype=dtype)
    keys, values = (sample(bounds[-1], kv_heads, dim, dtype=dtype, seed=seed) for seed in (1, 2))
    found = attend_prefill(queries, keys, values, prompt_rows(bounds, queries.device))
    for start, end in pairwise(bounds):
        wanted = reference(queries[start:end], keys[start:end], values[start:end], is_causal=True)
        assert error(found[start:end], wanted) < BOUND[dtype]


@DTYPES
@pytest.mark.parametrize("lengths", [[1], [37], [5, 60, 33], [64] * 8])
@pytest.mark.parametrize(("heads", "kv_heads", "dim"), [(14, 2, 64), (4, 4, 8), (6, 1, 16)])
def test_each_row_reads_its_own_slot_so_far(
    lengths: list[int], heads: int, kv_heads: int, dim: int, dtype: torch.dtype
) -> None:
    queries = sample(len(lengths), heads, dim, dtype=dtype)
    keys, values = (sample(len(lengths) + 2, 64, kv_heads, dim, dtype=dtype, seed=seed) for seed in (1, 2))
    found = attend_decode(queries, keys, values, decode_rows(torch.tensor(lengths), max(lengths), 64, dtype))
    for row, length in enumerate(lengths):
        wanted = reference(queries[row : row + 1], keys[row, :length], values[row, :length], is_causal=False)
        assert error(found[row : row + 1], wanted) < BOUND[dtype]


def test_what_lies_beyond_a_row_does_not_count() -> None:
    queries = sample(2, 4, 8, dtype=torch.float32)
    keys, values = (sample(2, 32, 2, 8, dtype=torch.float32, seed=seed) for seed in (1, 2))
    rows = decode_rows(torch.tensor([4, 20]), 20, 32, torch.float32)
    before = attend_decode(queries, keys, values, rows)
    keys[0, 4:], values[0, 4:] = 100, 100
    assert torch.equal(attend_decode(queries, keys, values, rows), before)


def test_a_free_slot_is_finite() -> None:
    cache = torch.zeros(2, 16, 1, 8)
    rows = decode_rows(torch.tensor([0, 3]), 3, 16, torch.float32)
    assert attend_decode(torch.ones(2, 2, 8), cache, cache, rows).isfinite().all()


def test_the_cpu_gets_these() -> None:
    ways = attention_for(torch.device("cpu"), torch.float32, PRESETS["internvl3-1b"].text)
    assert (ways.full, ways.prefill, ways.decode) == (attend_full, attend_prefill, attend_decode)
