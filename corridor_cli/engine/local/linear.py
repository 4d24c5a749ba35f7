"""Linear layers: x (..., in) -> (..., out), the way that is quickest for a device, a dtype and a kind.

`make_linear` chooses; docs/performance.md, "Arithmetic on the CPU", has the measurements behind the choices.
A layer keeps its weights in one form only, so the tensor handed in may be freed.
"""

from __future__ import annotations

from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

LinearKind = Literal["dense", "int8"]
Activation = Literal["none", "gelu", "silu_mul"]

# Rows an int8 layer on the CPU takes at once, so that scaling and activation find its result in cache.
INT8_CHUNK_ROWS = 256
# Rows of a weight quantised at once: bounds the fp32 copy (a vocabulary of 152k x 3584 would take 2 GB).
QUANTISE_CHUNK_ROWS = 4096
# torch._int_mm on CUDA refuses fewer than 17 rows, and widths that 8 does not divide.
CUDA_MIN_ROWS = 32
CUDA_WIDTH = 8


class Linear(Protocol):
    """`num_bytes` is what the weights hold; with `silu_mul` the result is half as wide as the weight."""

    num_bytes: int

    def __call__(self, x: Tensor) -> Tensor: ...


def make_linear(
    weight: Tensor, bias: Tensor | None = None, kind: LinearKind = "dense", activation: Activation = "none"
) -> Linear:
    """A layer of `weight` (out, in) and `bias` (out,), on the device and in the dtype of the weight.

    `silu_mul`: the weight's first half of rows is the gate, and the second is multiplied by silu of it.
    """
    if activation == "silu_mul" and weight.shape[0] % 2:
        raise ValueError(f"silu_mul halves the rows of the weight; got {weight.shape[0]}, which is odd")
    on_cpu = weight.device.type == "cpu"
    if kind == "int8":
        if on_cpu and weight.dtype != torch.float16 and has_onednn_int8():
            return OnednnInt8Linear(weight, bias, activation)
        return Int8Linear(weight, bias, activation)
    if on_cpu and weight.dtype == torch.bfloat16 and has_onednn_bf16():
        return PackedLinear(weight, bias, activation)
    return PlainLinear(weight, bias, activation)


def has_onednn_bf16() -> bool:
    """Whether oneDNN multiplies bf16 in hardware here; elsewhere it refuses or is slow."""
    return torch._C._has_mkldnn and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def has_onednn_int8() -> bool:
    """Before VNNI, 8-bit products saturate in 16 bits: exactness wants VNNI or AMX."""
    return "onednn" in torch.backends.quantized.supported_engines and bool(torch.cpu._is_vnni_supported())


class PlainLinear:
    """`F.linear`: the reference, fp32, fp16, and everything dense on CUDA."""

    def __init__(self, weight: Tensor, bias: Tensor | None, activation: Activation) -> None:
        self._weight, self._bias, self._activation = weight, bias, activation
        self.num_bytes = weight.nbytes

    def __call__(self, x: Tensor) -> Tensor:
        return activate(F.linear(x, self._weight, self._bias), self._activation)


class PackedLinear:
    """bf16 on a CPU: weights reordered once into oneDNN's blocks, activation fused into the product."""

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


class Int8Linear:
    """Plain int8 for CUDA (and CPUs without VNNI): nothing here hides from torch.compile.

    Weights are symmetric per output row, inputs per token, both quantised to -127..127.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, activation: Activation) -> None:
        self._out, width = weight.shape
        self._pad_in = -width % CUDA_WIDTH
        quantised, scale = quantise_weight(weight)
        pad_out = -self._out % CUDA_WIDTH
        self._weight = F.pad(
            quantised, (0, self._pad_in, 0, pad_out)
        )  # (out, in), so its .t() is column-major
        self._scale = F.pad(scale, (0, pad_out))
        self._bias, self._activation = bias, activation
        self.num_bytes = self._weight.nbytes + self._scale.nbytes

    def __call__(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        quantised, scale = quantise_rows(rows.float())
        missing = max(0, CUDA_MIN_ROWS - len(rows)) if x.is_cuda else 0
        quantised = F.pad(quantised, (0, self._pad_in, 0, missing))
        sums = torch._int_mm(quantised, self._weight.t())[: len(rows), : self._out]
        out = sums.float().mul_(scale).mul_(self._scale[: self._out])
        if self._bias is not None:
            out = out + self._bias
        out = activate(out.to(x.dtype), self._activation)
        return out.view(*x.shape[:-1], out.shape[-1])


class OnednnInt8Linear:
    """int8 on a CPU with VNNI or AMX: packed weights, and chunks of rows small enough to stay in cache.

    oneDNN takes one scale for a whole input, and one for all tokens would let the loudest token (and so the
    other captions in a batch) decide everybody's precision: tokens keep their own, multiplied in afterwards.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, activation: Activation) -> None:
        quantised, self._scale = quantise_weight(weight)
        self._weight = torch.ops.onednn.qlinear_prepack(quantised, None)
        self._zero_points = torch.zeros(len(weight), dtype=torch.int64)
        self._bias, self._activation = bias, activation
        self._width = len(weight) // 2 if activation == "silu_mul" else len(weight)
        self.num_bytes = quantised.nbytes + self._scale.nbytes

    def __call__(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        out = x.new_empty(len(rows), self._width)
        for start in range(0, len(rows), INT8_CHUNK_ROWS):
            end = start + INT8_CHUNK_ROWS
            out[start:end] = self._chunk(rows[start:end])
        return out.view(*x.shape[:-1], self._width)

    def _chunk(self, rows: Tensor) -> Tensor:
        quantised, scale = quantise_rows(rows)
        out = torch.ops.onednn.qlinear_pointwise(
            quantised, 1.0, 0, self._weight, self._scale, self._zero_points,
            None, 1.0, 0, rows.dtype, "none", [], "",
        )  # fmt: skip
        out = out.mul_(scale)
        if self._bias is not None:
            out = out.add_(self._bias)
        return activate(out, self._activation)


def quantise_rows(rows: Tensor) -> tuple[Tensor, Tensor]:
    """int8 (rows, in) and scales (rows, 1), so that their product is about `rows`; fp32 or bf16.

    Every pass over the rows counts: on the CPU these cost as much as the product itself.
    """
    largest = torch.maximum(rows.amax(-1, keepdim=True), -rows.amin(-1, keepdim=True))
    # 126.5 and not 127: the factor rounded up to the next bf16 must not make 128 of the largest.
    factor = 126.5 / largest.clamp_min(1e-12)
    return (rows * factor).round_().to(torch.int8), factor.reciprocal()


def quantise_weight(weight: Tensor) -> tuple[Tensor, Tensor]:
    """int8 (out, in) and fp32 scales (out,): symmetric, one scale for each output."""
    quantised = torch.empty(weight.shape, dtype=torch.int8, device=weight.device)
    scale = torch.empty(len(weight), device=weight.device)
    for start in range(0, len(weight), QUANTISE_CHUNK_ROWS):
        part = weight[start : start + QUANTISE_CHUNK_ROWS].float()
        part_scale = part.abs().amax(-1).clamp_min(1e-12) / 127
        quantised[start : start + len(part)] = (part / part_scale[:, None]).round_().to(torch.int8)
        scale[start : start + len(part)] = part_scale
    return quantised, scale


def activate(x: Tensor, activation: Activation) -> Tensor:
    """What follows the product; `silu_mul` halves the last dimension."""
    if activation == "gelu":
        return F.gelu(x)
    if activation == "silu_mul":
        gate, up = x.chunk(2, -1)
        return F.silu(gate) * up
    return x
