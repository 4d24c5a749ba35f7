"""InternViT and the projector: normalised tiles to visual tokens.

After transformers' `modeling_internvl.py` (InternVLVisionModel, InternVLMultiModalProjector). What differs:
queries, keys and values are one matrix, LayerScale is folded into the projection before it, and the patches
are cut by a reshape instead of a convolution.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from corridor_cli.engine.local.attention import Attention
from corridor_cli.engine.local.building import Builder, Norm
from corridor_cli.engine.local.shape import NetworkShape, VisionShape

Encode = Callable[[torch.Tensor], torch.Tensor]

_PROJECTOR_EPS = 1e-5
_QK_NORM_EPS = 1e-6


class VisionLayer:
    """One block: attention and MLP, a norm before each, a residual around each."""

    def __init__(self, index: int, shape: VisionShape, build: Builder, attention: Attention) -> None:
        name, width = f"vision_tower.encoder.layer.{index}", shape.hidden
        own = f"{name}.attention"
        self._attend, self._num_heads = attention.full, shape.num_heads
        self._norm_before = build.norm(f"{name}.layernorm_before", width, shape.norm_eps, shape.norm)
        self._norm_after = build.norm(f"{name}.layernorm_after", width, shape.norm_eps, shape.norm)
        self._qkv = build.linear(
            [(f"{own}.{part}_proj", width) for part in "qkv"], width, has_bias=shape.has_qkv_bias
        )
        self._query_norm: Norm | None = None
        self._key_norm: Norm | None = None
        if shape.has_qk_norm:
            self._query_norm = build.norm(f"{own}.q_norm", width, _QK_NORM_EPS)
            self._key_norm = build.norm(f"{own}.k_norm", width, _QK_NORM_EPS)
        self._out = build.linear(
            [(f"{own}.projection_layer", width)], width, has_bias=True, scale=f"{name}.lambda_1"
        )
        self._up = build.linear(
            [(f"{name}.mlp.fc1", shape.intermediate)], width, has_bias=True, activation="gelu"
        )
        self._down = build.linear(
            [(f"{name}.mlp.fc2", width)], shape.intermediate, has_bias=True, scale=f"{name}.lambda_2"
        )

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(tiles, positions, hidden) in and out."""
        query, key, value = self._qkv(self._norm_before(x)).chunk(3, dim=-1)
        if self._query_norm is not None and self._key_norm is not None:
            query, key = self._query_norm(query), self._key_norm(key)
        heads = [part.unflatten(-1, (self._num_heads, -1)) for part in (query, key, value)]  # type: ignore[no-untyped-call]
        x = x + self._out(self._attend(*heads))
        return x + self._down(self._up(self._norm_after(x)))


class VisionEncoder:
    """Tiles to visual tokens as the language model reads them."""

    def __init__(self, shape: NetworkShape, build: Builder, attention: Attention) -> None:
        vision, width, text = shape.vision, shape.vision.hidden, shape.text.hidden
        self._shape = vision
        embeddings = "vision_tower.embeddings"
        patch = f"{embeddings}.patch_embeddings.projection"
        self._patch_weight = build.tensor(f"{patch}.weight", width, 3, vision.patch_px, vision.patch_px)
        self._patch_bias = build.tensor(f"{patch}.bias", width)
        self._class_token = build.tensor(f"{embeddings}.cls_token", 1, 1, width)
        self._positions = build.tensor(f"{embeddings}.position_embeddings", 1, vision.num_positions, width)
        self._layers = [VisionLayer(index, vision, build, attention) for index in range(vision.num_layers)]
        name = "multi_modal_projector"
        self._norm = build.norm(f"{name}.layer_norm", 4 * width, _PROJECTOR_EPS, "layer_norm")
        self._up = build.linear([(f"{name}.linear_1", text)], 4 * width, has_bias=True, activation="gelu")
        self._down = build.linear([(f"{name}.linear_2", text)], text, has_bias=True)

    def encode(self, tiles: torch.Tensor) -> torch.Tensor:
        """Normalised tiles (N, 3, image_px, image_px) to (N, tokens_per_tile, hidden of the language)."""
        x = self._embed(tiles)
        for layer in self._layers:
            x = layer(x)
        return self._down(self._up(self._norm(self._shuffle(x[:, 1:]))))

    def _embed(self, tiles: torch.Tensor) -> torch.Tensor:
        side, patch = self._shape.patches_per_side, self._shape.patch_px
        cut = tiles.reshape(len(tiles), 3, side, patch, side, patch).permute(0, 2, 4, 1, 3, 5)
        patches = functional.linear(
            cut.reshape(len(tiles), side * side, -1), self._patch_weight.flatten(1), self._patch_bias
        )
        first = self._class_token.expand(len(tiles), -1, -1)
        return torch.cat([first, patches], dim=1) + self._positions

    def _shuffle(self, patches: torch.Tensor) -> torch.Tensor:
        """(N, patches, hidden) to (N, tokens, 4 x hidden): each 2 x 2 patches side by side, row by row."""
        half = self._shape.patches_per_side // 2
        squares = patches.reshape(len(patches), half, 2, half, 2, self._shape.hidden)
        return squares.permute(0, 1, 3, 2, 4, 5).reshape(len(patches), half * half, 4 * self._shape.hidden)
