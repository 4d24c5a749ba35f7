"""Linear layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch.nn import functional

LinearKind = Literal["dense", "int8"]


class Linear(Protocol):
    def __call__(self, x: torch.Tensor) -> torch.Tensor: ...


@dataclass(frozen=True, slots=True)
class DenseLinear:
    weight: torch.Tensor
    bias: torch.Tensor | None
    activation: str

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.linear(x, self.weight, self.bias)
        return functional.gelu(y) if self.activation == "gelu" else y


def make_linear(
    weight: torch.Tensor, bias: torch.Tensor | None, kind: LinearKind, activation: str = "none"
) -> Linear:
    return DenseLinear(weight, bias, activation)


def gated(gate_up: torch.Tensor) -> torch.Tensor:
    gate, up = gate_up.chunk(2, dim=-1)
    return functional.silu(gate) * up
