"""Where tensors come from. Those of a network are named as in the `-hf` layout, whatever lies on disk.

`vision_tower.embeddings.cls_token`, `vision_tower.encoder.layer.0.attention.q_proj.weight`,
`multi_modal_projector.linear_1.weight`, `language_model.model.layers.0.self_attn.q_proj.weight`,
`language_model.lm_head.weight`: each tensor once, unfused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch


class TensorSource(Protocol):
    """Gives one tensor at a time, so that no more than one is held twice while a network is built."""

    def tensor(self, name: str, shape: tuple[int, ...]) -> torch.Tensor:
        """The tensor in the dtype and on the device the source has it. Raises `ModelError` when it is missing
        or of another shape."""
        ...


def on_device(numbers: Sequence[int] | torch.Tensor, device: str) -> torch.Tensor:
    """Whole numbers of the host as a tensor, without waiting for what the device is doing.

    From pageable memory a copy would wait, and the device would stand idle until the host is back at work.
    """
    held = numbers if isinstance(numbers, torch.Tensor) else torch.tensor(numbers, dtype=torch.int64)
    return held if device == "cpu" else held.pin_memory().to(device, non_blocking=True)
