"""Qwen2 and Qwen3: embeddings in, the next token out.

After transformers' `modeling_qwen2.py` and `modeling_qwen3.py`. What differs: tokens of all sequences stand
in one row without padding, queries, keys and values are one matrix, and so are gate and up. How a token sees
the ones before it is the caller's business: prefill and decode step hand in an `Attend`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from corridor_cli.engine.local.building import Builder, Norm
from corridor_cli.engine.local.shape import TextShape

# (layer, queries (T, heads, D), keys (T, kv_heads, D), values (T, kv_heads, D)) -> (T, heads x D)
Attend = Callable[[int, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]

_NAME = "language_model.model"


class Rotary:
    """Cosines and sines of plain RoPE, (positions, head_dim), computed in float32 as transformers does."""

    def __init__(self, shape: TextShape, num_positions: int, device: str, dtype: torch.dtype) -> None:
        exponents = torch.arange(0, shape.head_dim, 2, dtype=torch.int64, device=device).float()
        frequencies = 1.0 / (shape.rope_theta ** (exponents / shape.head_dim))
        angles = torch.outer(torch.arange(num_positions, device=device).float(), frequencies)
        angles = torch.cat([angles, angles], dim=1)
        self._cos, self._sin = angles.cos().to(dtype), angles.sin().to(dtype)

    def at(self, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """For positions (T,): cosines and sines, each (T, 1, head_dim)."""
        return self._cos[positions].unsqueeze(1), self._sin[positions].unsqueeze(1)


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Turn (T, heads, D) by the angles of its positions."""
    low, high = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-high, low], dim=-1) * sin


class LanguageLayer:
    """One block: attention and gated MLP, a norm before each, a residual around each."""

    def __init__(self, index: int, shape: TextShape, build: Builder) -> None:
        name, width = f"{_NAME}.layers.{index}", shape.hidden
        attention, heads = f"{name}.self_attn", shape.num_heads * shape.head_dim
        keys = shape.num_kv_heads * shape.head_dim
        self._index, self._shape = index, shape
        self._norm_before = build.norm(f"{name}.input_layernorm", width, shape.norm_eps)
        self._norm_after = build.norm(f"{name}.post_attention_layernorm", width, shape.norm_eps)
        self._qkv = build.linear(
            [(f"{attention}.q_proj", heads), (f"{attention}.k_proj", keys), (f"{attention}.v_proj", keys)],
            width,
            has_bias=shape.has_qkv_bias,
        )
        self._query_norm: Norm | None = None
        self._key_norm: Norm | None = None
        if shape.has_qk_norm:
            self._query_norm = build.norm(f"{attention}.q_norm", shape.head_dim, shape.norm_eps)
            self._key_norm = build.norm(f"{attention}.k_norm", shape.head_dim, shape.norm_eps)
        self._out = build.linear([(f"{attention}.o_proj", width)], heads, has_bias=False)
        self._gated = build.linear(
            [(f"{name}.mlp.{part}_proj", shape.intermediate) for part in ("gate", "up")],
            width,
            has_bias=False,
            activation="silu_mul",
        )
        self._down = build.linear([(f"{name}.mlp.down_proj", width)], shape.intermediate, has_bias=False)

    def __call__(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, attend: Attend) -> torch.Tensor:
        """(T, hidden) in and out."""
        query, key, value = self._split(self._qkv(self._norm_before(x)))
        if self._query_norm is not None and self._key_norm is not None:
            query, key = self._query_norm(query), self._key_norm(key)
        seen = attend(self._index, rotate(query, cos, sin), rotate(key, cos, sin), value)
        x = x + self._out(seen)
        return x + self._down(self._gated(self._norm_after(x)))

    def _split(self, qkv: torch.Tensor) -> Sequence[torch.Tensor]:
        shape = self._shape
        heads = qkv.view(len(qkv), -1, shape.head_dim)
        return torch.split(heads, [shape.num_heads, shape.num_kv_heads, shape.num_kv_heads], dim=1)


class LanguageModel:
    """The whole language model; holds no state of any sequence."""

    def __init__(self, shape: TextShape, build: Builder, max_positions: int) -> None:
        self._embeddings = build.tensor(f"{_NAME}.embed_tokens.weight", shape.vocab_size, shape.hidden)
        self._layers = [LanguageLayer(index, shape, build) for index in range(shape.num_layers)]
        self._norm = build.norm(f"{_NAME}.norm", shape.hidden, shape.norm_eps)
        self._head = build.linear(
            [("language_model.lm_head", shape.vocab_size)], shape.hidden, has_bias=False
        )
        self._rotary = Rotary(shape, max_positions, build.device, build.dtype)

    def embed(self, token_ids: torch.Tensor) -> torch.Tensor:
        """Token ids (T,) to (T, hidden)."""
        return self._embeddings[token_ids]

    def forward(self, x: torch.Tensor, positions: torch.Tensor, attend: Attend) -> torch.Tensor:
        """Embeddings (T, hidden) at positions (T,) through all layers, (T, hidden)."""
        cos, sin = self._rotary.at(positions)
        for layer in self._layers:
            x = layer(x, cos, sin, attend)
        return x

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """Of the rows (B, hidden) which `forward` gave for the last token of each sequence: (B, vocab)."""
        return self._head(self._norm(x))
