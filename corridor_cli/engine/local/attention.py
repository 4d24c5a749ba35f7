"""Attention."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional


def attend_tiles(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, num_heads: int) -> torch.Tensor:
    """(tiles, positions, hidden) each; (tiles, positions, hidden)."""
    q, k, v = (x.unflatten(2, (num_heads, -1)).transpose(1, 2) for x in (query, key, value))
    return functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def attend_prompts(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, lengths: Sequence[int]
) -> torch.Tensor:
    """Causal, each sequence by itself: (T, heads, D), (T, kv_heads, D) twice."""
    parts = []
    for q, k, v in zip(*(x.split(list(lengths)) for x in (query, key, value)), strict=True):
        q, k, v = (x.transpose(0, 1).unsqueeze(0) for x in (q, k, v))
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        parts.append(y[0].transpose(0, 1))
    return torch.cat(parts)


def attend_cache(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, lengths: torch.Tensor, bound: int
) -> torch.Tensor:
    """One query each (B, heads, D) over the first `lengths` (B,) of (B, max_tokens, kv_heads, D)."""
    k, v = (x[:, :bound].transpose(1, 2) for x in (keys, values))
    mask = torch.arange(k.shape[2], device=query.device) < lengths[:, None]
    y = functional.scaled_dot_product_attention(
        query.unsqueeze(2), k, v, attn_mask=mask[:, None, None], enable_gqa=True
    )
    return y.squeeze(2)
