"""Linear layers against F.linear in fp32: every kind, odd shapes, tiny networks."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from corridor_cli.engine.local import choose_linear
from corridor_cli.engine.local.choose_linear import (
    has_onednn_bf16,
    has_onednn_int8,
    make_linear,
)
from corridor_cli.engine.local.int8 import FbgemmInt8Linear, Int8Linear, OnednnInt8Linear, has_fbgemm_int8
from corridor_cli.engine.local.linear import Activation, Linear, PackedLinear, PlainLinear

ACTIVATIONS: list[Activation] = ["none", "gelu", "silu_mul"]
SHAPES = [(1, 32, 32), (3, 32, 96), (17, 896, 1154), (300, 64, 50), (520, 128, 256)]

needs_int8 = pytest.mark.skipif(not has_onednn_int8(), reason="oneDNN int8 wants VNNI")
needs_onednn = pytest.mark.skipif(not torch._C._has_mkldnn, reason="a torch without oneDNN")
needs_bf16 = pytest.mark.skipif(not has_onednn_bf16(), reason="no bf16 in hardware")


def reference(x: Tensor, weight: Tensor, bias: Tensor | None, activation: Activation) -> Tensor:
    """In fp64, written differently from the module."""
    out = x.double() @ weight.double().T + (0 if bias is None else bias.double())
    if activation == "gelu":
        return out * 0.5 * (1 + torch.erf(out / 2**0.5))
    if activation == "silu_mul":
        half = out.shape[-1] // 2
        return out[..., :half] * torch.sigmoid(out[..., :half]) * out[..., half:]
    return out


def sample(rows: int, width: int, out: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(rows * 7 + width)
    x = torch.randn(rows, width, generator=generator)
    weight = torch.randn(out, width, generator=generator) / width**0.5
    bias = torch.randn(out, generator=generator)
    return x.to(dtype), weight.to(dtype), bias.to(dtype)


def worst_row_error(found: Tensor, wanted: Tensor) -> float:
    """The largest relative error of a row, in the 2-norm."""
    return float(((found.double() - wanted).norm(dim=-1) / wanted.norm(dim=-1)).max())


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("rows", "width", "out"), SHAPES)
@pytest.mark.parametrize("has_bias", [True, False])
@needs_onednn
def test_fp32_is_exact_enough(
    rows: int, width: int, out: int, activation: Activation, has_bias: bool
) -> None:
    x, weight, bias = sample(rows, width, out, torch.float32)
    own_bias = bias if has_bias else None
    wanted = reference(x, weight, own_bias, activation)
    for layer in (PlainLinear(weight, own_bias, activation), PackedLinear(weight, own_bias, activation)):
        assert worst_row_error(layer(x), wanted) < 1e-5
    if activation == "none":
        assert torch.equal(PlainLinear(weight, own_bias, activation)(x), F.linear(x, weight, own_bias))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("rows", "width", "out"), SHAPES)
@pytest.mark.parametrize("has_bias", [True, False])
@needs_bf16
def test_bf16_is_within_its_rounding(
    rows: int, width: int, out: int, activation: Activation, has_bias: bool
) -> None:
    x, weight, bias = sample(rows, width, out, torch.bfloat16)
    found = make_linear(weight, bias if has_bias else None, "dense", activation)(x)
    wanted = reference(x, weight, bias if has_bias else None, activation)
    assert found.dtype == torch.bfloat16
    assert found.shape == wanted.shape
    # A rounding costs up to 2**-9 of a number: of the product and with the bias, and twice over with a gate.
    assert worst_row_error(found, wanted) < (2**-7 if activation == "silu_mul" else 2**-8)
    if activation == "none":
        assert (found.double() - wanted).abs().max() <= 2**-8 * wanted.abs().max()


def int8_layers(weight: Tensor, bias: Tensor | None, activation: Activation) -> list[Linear]:
    layers: list[Linear] = [Int8Linear(weight, bias, activation)]
    if has_onednn_int8():
        layers.append(OnednnInt8Linear(weight, bias, activation))
    if has_fbgemm_int8():
        layers.append(FbgemmInt8Linear(weight, bias, activation))
    return layers


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("rows", "width", "out"), SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_int8_keeps_each_row(
    rows: int, width: int, out: int, activation: Activation, dtype: torch.dtype
) -> None:
    x, weight, bias = sample(rows, width, out, dtype)
    for layer in int8_layers(weight, bias, activation):
        found = layer(x)
        assert found.dtype == dtype
        # Inputs and weights each lose about 0.008 of a row's norm, weights of 7 bits twice that; a gate
        # doubles it.
        bound = 0.03 if isinstance(layer, FbgemmInt8Linear) else 0.02
        bound *= 2 if activation == "silu_mul" else 1
        assert worst_row_error(found, reference(x, weight, bias, activation)) < bound


def test_a_loud_token_does_not_drown_the_others() -> None:
    x, weight, bias = sample(300, 64, 48, torch.float32)
    for layer in int8_layers(weight, bias, "none"):
        alone = layer(x[:1])
        x_with_loud = x.clone()
        x_with_loud[1] *= 1000
        assert torch.equal(layer(x_with_loud)[:1], alone)


@pytest.mark.skipif(not has_fbgemm_int8(), reason="no FBGEMM in this torch")
def test_fbgemm_adds_up_the_largest_numbers_without_overflow() -> None:
    # All inputs and weights at their ends: a sum in 16 bits that overflows is wrong by a factor.
    rows, weight = torch.full((4, 64), 3.0), torch.full((48, 64), 0.5)
    weight[1::2] *= -1
    found = FbgemmInt8Linear(weight, None, "none")(rows)
    assert torch.allclose(found, rows @ weight.T, rtol=1e-5)


def test_zero_rows_stay_zero() -> None:
    _, weight, _ = sample(3, 32, 24, torch.float32)
    for layer in int8_layers(weight, None, "none"):
        assert torch.equal(layer(torch.zeros(3, 32)), torch.zeros(3, 24))


def test_leading_dimensions_are_kept() -> None:
    x, weight, bias = sample(6, 32, 24, torch.float32)
    layers = [make_linear(weight, bias), *int8_layers(weight, bias, "none")]
    for layer in layers:
        found = layer(x.view(2, 3, 32))
        assert found.shape == (2, 3, 24)
        assert torch.allclose(found.view(6, 24), layer(x), atol=1e-6)


def test_int8_holds_int8_only() -> None:
    weight = torch.randn(256, 128, dtype=torch.bfloat16)
    for layer in int8_layers(weight, None, "none"):
        assert layer.num_bytes == 256 * 128 + 256 * 4
        held = [value for value in vars(layer).values() if isinstance(value, Tensor)]
        assert not any(tensor.dtype.is_floating_point and tensor.numel() > 256 for tensor in held)


@needs_onednn
@pytest.mark.parametrize(
    ("capability", "side", "kind"),
    [("AVX2", 256, PackedLinear), ("AVX2", 255, PlainLinear), ("AVX512", 256, PlainLinear)],
)
def test_fp32_is_packed_where_that_is_quicker(
    monkeypatch: pytest.MonkeyPatch, capability: str, side: int, kind: type
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert type(make_linear(torch.zeros(side, side))) is kind


@pytest.mark.parametrize(
    ("has_vnni", "has_fbgemm", "kind"),
    [(False, True, FbgemmInt8Linear), (False, False, Int8Linear), (True, True, OnednnInt8Linear)],
)
def test_int8_takes_what_is_exact_and_quick(
    monkeypatch: pytest.MonkeyPatch, has_vnni: bool, has_fbgemm: bool, kind: type
) -> None:
    if (has_fbgemm and not has_fbgemm_int8()) or (has_vnni and not has_onednn_int8()):
        pytest.skip(f"{kind.__name__} needs what this processor, or this torch, has not")
    monkeypatch.setattr(choose_linear, "has_onednn_int8", lambda: has_vnni)
    monkeypatch.setattr(choose_linear, "has_fbgemm_int8", lambda: has_fbgemm)
    assert type(make_linear(torch.ones(32, 32), kind="int8")) is kind


def test_an_odd_gate_is_refused() -> None:
    with pytest.raises(ValueError, match="got 33"):
        make_linear(torch.zeros(33, 8), activation="silu_mul")
