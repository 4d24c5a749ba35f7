"""Linear layers: x (..., in) -> (..., out), with weights as they are; `int8.py` has those in 8 bits.

`choose_linear.py` chooses. A layer keeps its weights in one form only, so the tensor handed in may be freed.
"""

from __future__ import annotations

from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

LinearKind = Literal["dense", "int8"]
Activation = Literal["none", "gelu", "silu_mul"]


class Linear(Protocol):
    """`num_bytes` is what the weights hold; with `silu_mul` the result is half as wide as the weight."""

    num_bytes: int

    def __call__(self, x: Tensor) -> Tensor: ...


class PlainLinear:
    """`F.linear`: the reference, fp16, fp32 where it is the quicker, and everything dense on CUDA."""

    def __init__(self, weight: Tensor, bias: Tensor | None, activation: Activation) -> None:
        self._weight, self._bias, self._activation = weight, bias, activation
        self.num_bytes = weight.nbytes

    def __call__(self, x: Tensor) -> Tensor:
        return activate(F.linear(x, self._weight, self._bias), self._activation)


class PackedLinear:
    """bf16 or fp32 on a CPU: weights in oneDNN's blocks, activation fused into the product."""

    def __init__(self, weight: Tensor, bias: Tensor | None, activation: Activation) -> None:
        parts = 2 if activation == "silu_mul" else 1
        reorder = torch.ops.mkldnn._reorder_linear_weight
        self._weights = [reorder(part.contiguous()) for part in weight.chunk(parts)]
        self._biases = [None] * parts if bias is None else [part.contiguous() for part in bias.chunk(parts)]
        self._activation = activation
        self.num_bytes = weight.nbytes

    def __call__(self, x: Tensor) -> Tensor:
        product = torch.ops.mkldnn._linear_pointwise
        first, bias = self._weights[0], self._biases[0]
        out: Tensor
        if self._activation == "none":
            out = product(x, first, bias, "none", [], "")
        elif self._activation == "gelu":
            out = product(x, first, bias, "gelu", [], "none")
        else:
            gate = product(x, first, bias, "swish", [], "")
            out = product.binary(x, gate, self._weights[1], self._biases[1], "mul")
        return out


def activate(x: Tensor, activation: Activation) -> Tensor:
    """What follows the product; `silu_mul` halves the last dimension."""
    if activation == "gelu":
        return F.gelu(x)
    if activation == "silu_mul":
        gate, up = x.chunk(2, -1)
        return F.silu(gate) * up
    return x
