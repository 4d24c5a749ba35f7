"""Where a network's tensors come from; the names are those of the `-hf` layout, whatever lies on disk.

`vision_tower.embeddings.cls_token`, `vision_tower.encoder.layer.0.attention.q_proj.weight`,
`multi_modal_projector.linear_1.weight`, `language_model.model.layers.0.self_attn.q_proj.weight`,
`language_model.lm_head.weight`: each tensor once, unfused.
"""

from __future__ import annotations

from typing import Protocol

import torch


class TensorSource(Protocol):
    """Gives one tensor at a time, so that no more than one is held twice while a network is built."""

    def tensor(self, name: str, shape: tuple[int, ...]) -> torch.Tensor:
        """The tensor in the dtype and on the device the source has it. Raises `ModelError` when it is missing
        or of another shape."""
        ...
