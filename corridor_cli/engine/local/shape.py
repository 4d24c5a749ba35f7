"""The sizes of an InternVL network: what its config says, and what memory and arithmetic follow from it.

Neither weights nor torch: the shape is known before anything is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NormKind = Literal["layer_norm", "rms_norm"]


@dataclass(frozen=True, slots=True)
class VisionShape:
    """InternViT: square tiles of `image_px`, cut into patches of `patch_px`, and a class token."""

    num_layers: int
    hidden: int
    num_heads: int
    intermediate: int
    image_px: int
    patch_px: int
    norm: NormKind
    norm_eps: float
    has_qkv_bias: bool
    has_qk_norm: bool

    @property
    def head_dim(self) -> int:
        return self.hidden // self.num_heads

    @property
    def patches_per_side(self) -> int:
        return self.image_px // self.patch_px

    @property
    def num_positions(self) -> int:
        """Patches of a tile and the class token."""
        return self.patches_per_side**2 + 1


@dataclass(frozen=True, slots=True)
class TextShape:
    """A Qwen2 or Qwen3 language model; positions are plain RoPE up to `max_positions`."""

    family: Literal["qwen2", "qwen3"]
    num_layers: int
    hidden: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    intermediate: int
    vocab_size: int
    max_positions: int
    rope_theta: float
    norm_eps: float
    has_qkv_bias: bool
    has_qk_norm: bool
    is_tied: bool

    @property
    def qkv_width(self) -> int:
        """Numbers a token has in the fused queries, keys and values."""
        return (self.num_heads + 2 * self.num_kv_heads) * self.head_dim

    @property
    def kv_numbers_per_token(self) -> int:
        """Keys and values of one token in all layers."""
        return 2 * self.num_layers * self.num_kv_heads * self.head_dim


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """A whole network. The pixel shuffle turns 2 x 2 patches into one visual token."""

    vision: VisionShape
    text: TextShape

    @property
    def tokens_per_tile(self) -> int:
        return (self.vision.patches_per_side // 2) ** 2

    @property
    def num_parameters(self) -> int:
        """All weights, as the HF layout stores them."""
        v, t = self.vision, self.text
        norm = v.hidden * (2 if v.norm == "layer_norm" else 1)
        attention = 4 * v.hidden**2 + v.hidden + 3 * v.hidden * v.has_qkv_bias + 2 * v.hidden * v.has_qk_norm
        mlp = 2 * v.hidden * v.intermediate + v.hidden + v.intermediate
        vision = v.num_layers * (attention + mlp + 2 * norm + 2 * v.hidden)
        vision += v.hidden * (3 * v.patch_px**2 + 1) + v.hidden * (1 + v.num_positions)
        wide = 4 * v.hidden
        projector = 2 * wide + wide * t.hidden + t.hidden + t.hidden**2 + t.hidden
        layer = t.hidden * t.qkv_width + t.num_heads * t.head_dim * t.hidden + 3 * t.hidden * t.intermediate
        layer += 2 * t.hidden + t.qkv_width * t.has_qkv_bias + 2 * t.head_dim * t.has_qk_norm
        embeddings = t.vocab_size * t.hidden * (1 if t.is_tied else 2)
        return vision + projector + t.num_layers * layer + t.hidden + embeddings
