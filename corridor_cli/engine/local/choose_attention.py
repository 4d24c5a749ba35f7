"""Which attention a device gets."""

from __future__ import annotations

import torch

from corridor_cli.engine.local.attention import SDPA, Attention
from corridor_cli.engine.local.flash import HeadCounts, flash_attention
from corridor_cli.engine.local.shape import TextShape


def attention_for(device: torch.device, dtype: torch.dtype, shape: TextShape) -> Attention:
    """The quickest attention known for this device. SDPA serves those without a way of their own."""
    if device.type != "cuda":
        return SDPA
    # cuDNN builds a plan for each number of tiles it meets, a good part of a second every time.
    torch.backends.cuda.enable_cudnn_sdp(False)
    heads = HeadCounts(shape.num_heads, shape.num_kv_heads, shape.head_dim)
    return flash_attention(device, dtype, heads) or SDPA
