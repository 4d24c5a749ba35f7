"""Attention, the one place that differs by device: over a tile, over packed prompts, over the cache.

What is here is SDPA, right everywhere and the quickest way measured on the CPU (docs/performance.md,
"Arithmetic on the CPU"); the scale is 1 / sqrt(head_dim). `choose_attention.py` gives a device its own way.
Cache layout: (slots, max_len, kv_heads, head_dim), the one flash kernels read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from corridor_cli.engine.local.tensors import on_device


@dataclass(frozen=True, slots=True)
class DecodeRows:
    """How far each row may look, made once a step and used by every layer.

    `lengths` (rows,) counts the cached positions, the one just written included; `mask` (rows, 1, 1, longest)
    is added to the scores.
    """

    lengths: Tensor
    mask: Tensor


@dataclass(frozen=True, slots=True)
class PromptRows:
    """Where packed prompts lie, made once a prefill.

    Cumulative lengths from 0 to all tokens, on the host and, as int32 (prompts + 1,), on the device.
    """

    bounds: Sequence[int]
    starts: Tensor
    longest: int


@dataclass(frozen=True, slots=True)
class Attention:
    """The ways of one device; signatures as below. The rows a way makes are those its own passes take."""

    name: str
    full: Callable[[Tensor, Tensor, Tensor], Tensor]
    prefill: Callable[[Tensor, Tensor, Tensor, PromptRows], Tensor]
    decode: Callable[[Tensor, Tensor, Tensor, Any], Tensor]
    prompt_rows: Callable[[Sequence[int], torch.device], PromptRows]
    decode_rows: Callable[[Tensor, int, int, torch.dtype], Any]


def prompt_rows(bounds: Sequence[int], device: torch.device) -> PromptRows:
    """The rows of a prefill, from cumulative lengths."""
    longest = max(end - start for start, end in pairwise(bounds))
    return PromptRows(bounds, on_device(torch.tensor(bounds, dtype=torch.int32), str(device)), longest)


def attend_full(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Every token sees every token.

    queries, keys and values (tiles, tokens, heads, head_dim) -> (tiles, tokens, heads * head_dim).
    Views into a fused (tiles, tokens, 3 * hidden) are fine: copies cost as much as they save.
    """
    out = F.scaled_dot_product_attention(
        queries.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2)
    )
    return out.transpose(1, 2).flatten(2)


def attend_prefill(queries: Tensor, keys: Tensor, values: Tensor, rows: PromptRows) -> Tensor:
    """Packed prompts, each causal and alone.

    queries (tokens, heads, head_dim), keys and values (tokens, kv_heads, head_dim) -> (tokens, heads *
    head_dim).
    """
    out = torch.empty_like(queries, memory_format=torch.contiguous_format)
    for start, end in pairwise(rows.bounds):
        # (1, heads, tokens of one prompt, head_dim)
        q, k, v = (part[start:end].transpose(0, 1)[None] for part in (queries, keys, values))
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        out[start:end] = attended[0].transpose(0, 1)
    return out.flatten(1)


def decode_rows(lengths: Tensor, longest: int, max_tokens: int, dtype: torch.dtype) -> DecodeRows:
    """The rows of a step: `lengths` (rows,), none above `longest`, which the caller keeps on the host.

    `max_tokens` is the length of a slot.
    A row of length 0, a free slot, looks at position 0: softmax over nothing is NaN.
    """
    del max_tokens
    seen = torch.arange(longest, device=lengths.device) < lengths.clamp_min(1)[:, None]
    mask = torch.zeros(seen.shape, dtype=dtype, device=lengths.device).masked_fill_(~seen, float("-inf"))
    return DecodeRows(lengths, mask[:, None, None])


def attend_decode(queries: Tensor, keys: Tensor, values: Tensor, rows: DecodeRows) -> Tensor:
    """One token a row: queries (rows, heads, head_dim) -> (rows, heads * head_dim).

    keys and values are the cache, (slots, max_len, kv_heads, head_dim); row i reads slot i. What lies beyond
    a row's length does not count but must be finite.
    """
    num_rows, num_heads, head_dim = queries.shape
    num_kv_heads, longest = keys.shape[2], rows.mask.shape[-1]
    # The queries that share a key head are rows of one product: up to twice as quick as enable_gqa.
    grouped = queries.reshape(num_rows, num_kv_heads, num_heads // num_kv_heads, head_dim)
    k, v = (part[:num_rows, :longest].transpose(1, 2) for part in (keys, values))
    return F.scaled_dot_product_attention(grouped, k, v, attn_mask=rows.mask).reshape(num_rows, -1)


SDPA = Attention("sdpa", attend_full, attend_prefill, attend_decode, prompt_rows, decode_rows)
