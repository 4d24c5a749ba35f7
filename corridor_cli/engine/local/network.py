"""A whole InternVL network with its three passes: encode tiles, prefill prompts, take a decode step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch

from corridor_cli.engine.local.building import Builder
from corridor_cli.engine.local.choose_attention import attention_for
from corridor_cli.engine.local.kv_cache import KeyValueCache
from corridor_cli.engine.local.language import LanguageModel
from corridor_cli.engine.local.linear import LinearKind
from corridor_cli.engine.local.shape import NetworkShape
from corridor_cli.engine.local.tensors import TensorSource
from corridor_cli.engine.local.vision import Encode, VisionEncoder


@dataclass(frozen=True, slots=True)
class PackedPrompts:
    """Prompts side by side without padding: ids, positions and cache rows (T,), where visual tokens stand."""

    token_ids: torch.Tensor
    positions: torch.Tensor
    rows: torch.Tensor
    visual_at: torch.Tensor
    lengths: Sequence[int]


class Network:
    """The weights and how numbers flow through them; sequences live elsewhere."""

    def __init__(
        self,
        shape: NetworkShape,
        source: TensorSource,
        device: str,
        dtype: torch.dtype,
        kind: LinearKind = "dense",
        max_positions: int | None = None,
    ) -> None:
        build = Builder(source, device, dtype, kind)
        self.shape, self.device, self.dtype, self.kind = shape, device, dtype, kind
        self.max_positions = max_positions or shape.text.max_positions
        self.attention = attention_for(torch.device(device), dtype, shape.text)
        self.vision = VisionEncoder(shape, build, self.attention)
        self.encoder: Encode = self.vision.encode  # what `encode` runs: whoever owns the network may wrap it
        self.language = LanguageModel(shape.text, build, self.max_positions)

    @torch.inference_mode()
    def encode(self, tiles: torch.Tensor) -> torch.Tensor:
        """Normalised tiles (N, 3, side, side) to visual tokens (N, tokens_per_tile, hidden)."""
        return self.encoder(tiles.to(self.dtype))

    @torch.inference_mode()
    def prefill(self, prompts: PackedPrompts, visual: torch.Tensor, cache: KeyValueCache) -> torch.Tensor:
        """Read whole prompts into the cache. `visual` (V, hidden) are all visual tokens in order.

        The logits after the last token of each, (number of prompts, vocab).
        """
        bounds = [0, *accumulate(prompts.lengths)]
        packed = self.attention.prompt_rows(bounds, prompts.token_ids.device)
        x = self.language.embed(prompts.token_ids)
        x[prompts.visual_at] = visual.to(x.dtype)

        def attend(layer: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
            cache.write(layer, prompts.rows, k, v)
            return self.attention.prefill(q, k, v, packed)

        x = self.language.forward(x, prompts.positions, attend)
        return self.language.logits(x[packed.starts[1:] - 1])

    @torch.inference_mode()
    def step(
        self, token_ids: torch.Tensor, positions: torch.Tensor, cache: KeyValueCache, bound: int
    ) -> torch.Tensor:
        """One token further for the sequences in slots 0 to B: ids and positions (B,) to logits (B, vocab).

        `bound` is more than every position. Only tensors decide what is computed, so it can be captured.
        """
        num_rows = len(token_ids)
        own_rows = cache.rows(torch.arange(num_rows, device=token_ids.device), positions)
        seen = self.attention.decode_rows(positions + 1, bound, cache.max_tokens, self.dtype)

        def attend(layer: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
            cache.write(layer, own_rows, k, v)
            return self.attention.decode(q, cache.keys[layer], cache.values[layer], seen)

        x = self.language.forward(self.language.embed(token_ids), positions, attend)
        return self.language.logits(x)
