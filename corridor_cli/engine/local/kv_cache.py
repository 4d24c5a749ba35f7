"""Keys and values of the sequences that run: a slot of `max_tokens` for each, allocated once."""

from __future__ import annotations

import torch

from corridor_cli.engine.local.shape import TextShape


class KeyValueCache:
    """`keys` and `values` are (layers, slots, max_tokens, kv_heads, head_dim).

    Running sequences hold the first slots without gaps, so a decode step reads one slice.
    """

    def __init__(
        self, shape: TextShape, num_slots: int, max_tokens: int, device: str, dtype: torch.dtype
    ) -> None:
        size = (shape.num_layers, num_slots, max_tokens, shape.num_kv_heads, shape.head_dim)
        # Zeros: a masked position counts nothing, but only if what stands there is a number.
        self.keys, self.values = (torch.zeros(size, device=device, dtype=dtype) for _ in range(2))
        self.num_slots, self.max_tokens = num_slots, max_tokens
        self._rows = [
            (keys.flatten(0, 1), values.flatten(0, 1))
            for keys, values in zip(self.keys, self.values, strict=True)
        ]

    def rows(self, slots: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Where the tokens of `slots` at `positions` (both (T,)) lie, for `write`."""
        return slots * self.max_tokens + positions

    def write(self, layer: int, rows: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Store (T, kv_heads, head_dim) of T tokens."""
        own_keys, own_values = self._rows[layer]
        own_keys.index_copy_(0, rows, keys)
        own_values.index_copy_(0, rows, values)

    def clear(self, first_slot: int, num_slots: int) -> None:
        """Forget what earlier sequences left: 16-bit numbers that overflowed would count although masked."""
        for held in (self.keys, self.values):
            held[:, first_slot : first_slot + num_slots] = 0

    def move(self, source: int, target: int, num_tokens: int) -> None:
        """Copy one sequence to another slot."""
        for held in (self.keys, self.values):
            held[:, target, :num_tokens] = held[:, source, :num_tokens]
