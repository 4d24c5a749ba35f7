"""Linear layers in 8 bits, weights and inputs: a scale for each output row and for each token.

One scale for all tokens would let the loudest of them (and so the other captions of a batch) decide how
precise the others are.
"""

from __future__ import annotations

import warnings

import torch
import torch.nn.functional as F
from torch import Tensor

from corridor_cli.engine.local.linear import Activation, activate

# Rows an int8 layer on the CPU takes at once, so that scaling and activation find its result in cache.
INT8_CHUNK_ROWS = 256
# Rows of a weight quantised at once: bounds the fp32 copy (a vocabulary of 152k x 3584 would take 2 GB).
QUANTISE_CHUNK_ROWS = 4096
# torch._int_mm on CUDA refuses fewer than 17 rows, and widths that 8 does not divide.
CUDA_MIN_ROWS = 32
CUDA_WIDTH = 8
# 2 x 255 x 64 is the most that fits into 16 bits.
FBGEMM_LARGEST_WEIGHT = 64
_FBGEMM_PRODUCT = "linear_with_input_q_dq_qweight_dq_output_fp32"


class Int8Linear:
    """Plain int8 for CUDA (and CPUs that are not x86): nothing here hides from torch.compile.

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


class FbgemmInt8Linear:
    """int8 on an x86 CPU without VNNI, through FBGEMM, in chunks of rows as above.

    There two products are added up in 16 bits, where 2 x 255 x 127 does not fit: weights keep to -64..64, and
    inputs, whose loud channels need the finer steps, have all 256.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, activation: Activation) -> None:
        quantised, scale = quantise_weight(weight, FBGEMM_LARGEST_WEIGHT)
        self._weight = _pack_for_fbgemm(quantised, scale)
        self._bias, self._activation = None if bias is None else bias.float(), activation
        self._width = len(weight) // 2 if activation == "silu_mul" else len(weight)
        self.num_bytes = quantised.nbytes + scale.nbytes

    def __call__(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        out = x.new_empty(len(rows), self._width)
        for start in range(0, len(rows), INT8_CHUNK_ROWS):
            end = start + INT8_CHUNK_ROWS
            out[start:end] = self._chunk(rows[start:end].float())
        return out.view(*x.shape[:-1], self._width)

    def _chunk(self, rows: Tensor) -> Tensor:
        largest = largest_of_rows(rows)
        product = getattr(torch.ops.quantized, _FBGEMM_PRODUCT)
        out = product(rows / largest, 1 / 127, 128, self._weight)
        out = out.mul_(largest)
        if self._bias is not None:
            out = out.add_(self._bias)
        return activate(out, self._activation)


def has_fbgemm_int8() -> bool:
    """Whether this torch can pack weights for FBGEMM: it wants to be rid of quantized tensors one day."""
    is_there = "fbgemm" in torch.backends.quantized.supported_engines
    can_pack = hasattr(torch, "_make_per_channel_quantized_tensor")
    return is_there and can_pack and hasattr(torch.ops.quantized, _FBGEMM_PRODUCT)


def _pack_for_fbgemm(quantised: Tensor, scale: Tensor) -> object:
    """Weights in the order FBGEMM reads them; which engine packs is a switch of the whole process."""
    zeros = torch.zeros(len(scale), dtype=torch.int64)
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = "fbgemm"
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "torch.quantize_per_tensor", UserWarning)
            weight = torch._make_per_channel_quantized_tensor(quantised, scale, zeros, 0)
        return torch.ops.quantized.linear_prepack(weight, None)
    finally:
        torch.backends.quantized.engine = before


def largest_of_rows(rows: Tensor) -> Tensor:
    """The largest magnitude of each row, (rows, 1), and never 0."""
    return torch.maximum(rows.amax(-1, keepdim=True), -rows.amin(-1, keepdim=True)).clamp_min(1e-12)


def quantise_rows(rows: Tensor) -> tuple[Tensor, Tensor]:
    """int8 (rows, in) and scales (rows, 1), so that their product is about `rows`; fp32 or bf16.

    Every pass over the rows counts: on the CPU these cost as much as the product itself.
    """
    # 126.5 and not 127: the factor rounded up to the next bf16 must not make 128 of the largest.
    factor = 126.5 / largest_of_rows(rows)
    return (rows * factor).round_().to(torch.int8), factor.reciprocal()


def quantise_weight(weight: Tensor, largest: int = 127) -> tuple[Tensor, Tensor]:
    """int8 (out, in), -largest to largest, and fp32 scales (out,): symmetric, one scale for each output."""
    quantised = torch.empty(weight.shape, dtype=torch.int8, device=weight.device)
    scale = torch.empty(len(weight), device=weight.device)
    for start in range(0, len(weight), QUANTISE_CHUNK_ROWS):
        part = weight[start : start + QUANTISE_CHUNK_ROWS].float()
        part_scale = part.abs().amax(-1).clamp_min(1e-12) / largest
        quantised[start : start + len(part)] = (part / part_scale[:, None]).round_().to(torch.int8)
        scale[start : start + len(part)] = part_scale
    return quantised, scale
