"""Attention on CUDA by the flash kernels that torch brings: no padding, no masks, no repeated key heads.

The packed form takes sequences by where they start. A slot-static cache fits it: slot i starts at
i x max_tokens, and `seqused_k` says how much of each counts. Grouped queries are the kernel's own business.
The operator is not public, so `flash_attention` tries it against SDPA before it is relied on.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from corridor_cli.engine.local.attention import (
    Attention,
    PromptRows,
    attend_decode,
    attend_full,
    attend_prefill,
    decode_rows,
    prompt_rows,
)

_TOLERANCE = 2e-2
_PROBE_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class HeadCounts:
    """Of the language model: what the kernel is tried with, as not every size has one."""

    num_heads: int
    num_kv_heads: int
    head_dim: int


@dataclass(frozen=True, slots=True)
class FlashRows:
    """Of a decode step: lengths (rows,), where each query and each slot starts (rows + 1,), all int32."""

    lengths: Tensor
    query_starts: Tensor
    key_starts: Tensor


def flash_attention(device: torch.device, dtype: torch.dtype, heads: HeadCounts) -> Attention | None:
    """The flash kernels for this device, or None where they are not there or not right."""
    if dtype not in (torch.bfloat16, torch.float16):
        return None
    try:
        is_right = _agrees_with_sdpa(device, dtype, heads)
    except (RuntimeError, TypeError, AttributeError):  # no such operator, or one of other arguments
        return None
    if not is_right:
        return None
    return Attention("flash", attend_full, flash_prefill, flash_decode, prompt_rows, flash_rows)


def flash_prefill(queries: Tensor, keys: Tensor, values: Tensor, rows: PromptRows) -> Tensor:
    """As `attend_prefill`: (tokens, heads, head_dim) over (tokens, kv_heads, head_dim)."""
    starts, longest = rows.starts, rows.longest
    return _flash(queries, keys, values, starts, starts, longest, longest, is_causal=True).flatten(1)


def flash_rows(lengths: Tensor, longest: int, max_tokens: int, dtype: torch.dtype) -> FlashRows:
    """As `decode_rows`; made of tensors alone, so that a captured step makes them anew."""
    del longest, dtype
    steps = torch.arange(len(lengths) + 1, dtype=torch.int32, device=lengths.device)
    return FlashRows(lengths.to(torch.int32), steps, steps * max_tokens)


def flash_decode(queries: Tensor, keys: Tensor, values: Tensor, rows: FlashRows) -> Tensor:
    """As `attend_decode`: (rows, heads, head_dim) over the cache (slots, max_tokens, kv_heads, head_dim)."""
    max_tokens = keys.shape[1]
    out = _flash(
        queries,
        keys.flatten(0, 1),
        values.flatten(0, 1),
        rows.query_starts,
        rows.key_starts,
        1,
        max_tokens,
        is_causal=False,
        used=rows.lengths,
    )
    return out.flatten(1)


def _flash(
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
    out: Tensor = torch.ops.aten._flash_attention_forward(
        queries.contiguous(), keys, values.contiguous(), query_starts, key_starts, longest_query, longest_key,
        0.0, is_causal, False, seqused_k=used,
    )[0]  # fmt: skip
    return out


def _agrees_with_sdpa(device: torch.device, dtype: torch.dtype, heads: HeadCounts) -> bool:
    """Whether prefill and decode give what SDPA gives in fp32, on a few uneven sequences.

    Slots are so long that the kernel splits them among processors, as it does when few sequences run.
    """
    generator = torch.Generator(device=device).manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn((*shape, heads.head_dim), generator=generator, device=device).to(dtype)

    def agree(found: Tensor, wanted: Tensor) -> bool:
        return torch.allclose(found.float(), wanted, atol=_TOLERANCE, rtol=_TOLERANCE)

    queries, keys = heads.num_heads, heads.num_kv_heads
    packed = prompt_rows([0, 70, 73, 202], device)
    q, k, v = draw(202, queries), draw(202, keys), draw(202, keys)
    if not agree(flash_prefill(q, k, v, packed), attend_prefill(q.float(), k.float(), v.float(), packed)):
        return False
    q, k, v = draw(3, queries), draw(4, _PROBE_TOKENS, keys), draw(4, _PROBE_TOKENS, keys)
    seen = torch.tensor((_PROBE_TOKENS, 3, 300), device=device)
    found = flash_decode(q, k, v, flash_rows(seen, _PROBE_TOKENS, _PROBE_TOKENS, dtype))
    rows = decode_rows(seen, _PROBE_TOKENS, _PROBE_TOKENS, torch.float32)
    return agree(found, attend_decode(q.float(), k.float(), v.float(), rows))
