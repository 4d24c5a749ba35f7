"""Which linear layer a device, a dtype and a kind get.

docs/performance.md, "Arithmetic on the CPU", has the measurements behind the choices.
"""

from __future__ import annotations

import torch
from torch import Tensor

from corridor_cli.engine.local.int8 import FbgemmInt8Linear, Int8Linear, OnednnInt8Linear, has_fbgemm_int8
from corridor_cli.engine.local.linear import Activation, Linear, LinearKind, PackedLinear, PlainLinear

# Smaller weights lose by the call what the order of their numbers wins.
PACKED_FP32_MIN_NUMBERS = 256 * 256


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
        if on_cpu and has_fbgemm_int8():
            return FbgemmInt8Linear(weight, bias, activation)
        return Int8Linear(weight, bias, activation)
    if on_cpu and is_packed_quicker(weight):
        return PackedLinear(weight, bias, activation)
    return PlainLinear(weight, bias, activation)


def is_packed_quicker(weight: Tensor) -> bool:
    """Whether oneDNN's own order of weights pays: for bf16 in hardware, for fp32 without AVX-512.

    On an AMD EPYC with AVX2, fp32, 8 rows by a vocabulary took 60 ms packed and 154 through `F.linear`.
    """
    if weight.dtype == torch.bfloat16:
        return has_onednn_bf16()
    is_avx2 = torch.backends.cpu.get_cpu_capability() == "AVX2"
    is_large = weight.numel() >= PACKED_FP32_MIN_NUMBERS
    return weight.dtype == torch.float32 and is_large and is_avx2 and torch._C._has_mkldnn


def has_onednn_bf16() -> bool:
    """Whether oneDNN multiplies bf16 in hardware here; elsewhere it refuses or is slow."""
    return torch._C._has_mkldnn and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def has_onednn_int8() -> bool:
    """Before VNNI, 8-bit products saturate in 16 bits: exactness wants VNNI or AMX."""
    return "onednn" in torch.backends.quantized.supported_engines and bool(torch.cpu._is_vnni_supported())
