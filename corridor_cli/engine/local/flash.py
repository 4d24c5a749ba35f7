"""Attention on CUDA by the flash kernels that torch brings: no padding, no masks, no repeated key heads.

The packed form takes sequences by where they start. A slot-static cache fits it: slot i starts at
i x max_tokens, and `seqused_k` says how much of each counts. Grouped queries are the kernel's own business.
The operator is not public, so `flash_attention` tries it against SDPA before it is relied on.
"""

from __future__ import annotations

from collections.abc import Sequence
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


@dataclass(frozen=True, slots=True)
class FlashRows:
    """Of a decode step: lengths (rows,), where each query and each slot starts (rows + 1,), all int32."""

    lengths: Tensor
    query_starts: Tensor
    key_starts: Tensor


def flash_attention(device: torch.device, dtype: torch.dtype) -> Attention | None:
    """The flash kernels for this device, or None where they are not there or not right."""
    if dtype not in (torch.bfloat16, torch.float16):
        return None
    try:
        is_right = _agrees_with_sdpa(device, dtype)
    except (RuntimeError, TypeError, NotImplementedError):  # no such operator, or one of other arguments
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


def _agrees_with_sdpa(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether prefill and decode give what SDPA gives, on a few uneven sequences with grouped queries."""
    generator = torch.Generator(device=device).manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device=device).to(dtype)

    lengths: Sequence[int] = (70, 3, 129)
    bounds = [0, 70, 73, 202]
    packed = prompt_rows(bounds, device)
    q, k, v = draw(202, 4, 64), draw(202, 2, 64), draw(202, 2, 64)
    prefill = flash_prefill(q, k, v, packed) - attend_prefill(q, k, v, packed)
    q, keys, values = draw(3, 4, 64), draw(4, 160, 2, 64), draw(4, 160, 2, 64)
    seen = torch.tensor(lengths, device=device)
    one = flash_decode(q, keys, values, flash_rows(seen, 160, 160, dtype))
    decode = one - attend_decode(q, keys, values, decode_rows(seen, 160, 160, dtype))
    return bool(prefill.abs().max() < _TOLERANCE) and bool(decode.abs().max() < _TOLERANCE)
