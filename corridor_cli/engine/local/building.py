"""Turns tensors of a checkpoint into what a forward pass uses: of one dtype, on one device, fused."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from corridor_cli.engine.local.choose_linear import make_linear
from corridor_cli.engine.local.linear import Activation, Linear, LinearKind
from corridor_cli.engine.local.shape import NormKind
from corridor_cli.engine.local.tensors import TensorSource
from corridor_cli.errors import ModelError


@dataclass(frozen=True, slots=True)
class Norm:
    """LayerNorm, or RMSNorm where there is no bias, over the last axis; computed in float32 inside."""

    weight: torch.Tensor
    bias: torch.Tensor | None
    eps: float

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        if self.bias is not None:
            return functional.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)
        return functional.rms_norm(x, self.weight.shape, self.weight, self.eps)


@dataclass(frozen=True, slots=True)
class Builder:
    """Reads tensors one by one and places them; `kind` says how linear layers hold their weights."""

    source: TensorSource
    device: str
    dtype: torch.dtype
    kind: LinearKind

    def tensor(self, name: str, *shape: int) -> torch.Tensor:
        """The tensor in the network's dtype, on its device. Raises `ModelError` when it holds no numbers."""
        return _checked(self.source.tensor(name, shape).to(self.device, self.dtype), [(name, shape[0])])

    def norm(self, name: str, width: int, eps: float, kind: NormKind = "rms_norm") -> Norm:
        bias = self.tensor(f"{name}.bias", width) if kind == "layer_norm" else None
        return Norm(self.tensor(f"{name}.weight", width), bias, eps)

    def linear(
        self,
        names: list[tuple[str, int]],
        width_in: int,
        *,
        has_bias: bool,
        scale: str | None = None,
        activation: Activation = "none",
    ) -> Linear:
        """Layers that read the same input, one below the other; `names` gives each with its output width.

        `scale` names a vector that multiplies the output (LayerScale); it is folded in, in float32, so that
        16-bit weights are rounded once.
        """
        weights = [self.source.tensor(f"{name}.weight", (width, width_in)) for name, width in names]
        biases = [self.source.tensor(f"{name}.bias", (width,)) for name, width in names] if has_bias else []
        weight = _on(self.device, weights)
        bias = _on(self.device, biases) if biases else None
        if scale:
            factor = self.source.tensor(scale, (weight.shape[0],)).to(self.device, torch.float32)
            factor = _checked(factor, [(scale, len(factor))])
            weight = weight.float() * factor[:, None]
            bias = bias.float() * factor if bias is not None else None
        weight = _checked(weight.to(self.dtype), [(f"{name}.weight", width) for name, width in names])
        if bias is not None:
            bias = _checked(bias.to(self.dtype), [(f"{name}.bias", width) for name, width in names])
        return make_linear(weight, bias, self.kind, activation)


def _checked(tensor: torch.Tensor, parts: list[tuple[str, int]]) -> torch.Tensor:
    """The tensor, when all of it are numbers; `parts` name the rows of it, so many each.

    One NaN or infinity makes every caption empty, which would be found out hours later.
    """
    if _is_finite(tensor):
        return tensor
    rows = torch.split(tensor, [num_rows for _, num_rows in parts])
    guilty = [name for (name, _), part in zip(parts, rows, strict=True) if not _is_finite(part)]
    is_narrow = tensor.dtype == torch.float16
    raise ModelError(
        f"The model's tensor {' and '.join(guilty) or parts[0][0]} holds NaN or infinity instead of numbers"
        + (", or some that float16 cannot hold." if is_narrow else "."),
        hint="Set precision to bf16 or fp32." if is_narrow else "Download or save the checkpoint again.",
    )


def _is_finite(tensor: torch.Tensor) -> bool:
    return bool(tensor.sum(dtype=torch.float32).isfinite())


def _on(device: str, parts: list[torch.Tensor]) -> torch.Tensor:
    moved = [part.to(device) for part in parts]
    return moved[0] if len(moved) == 1 else torch.cat(moved)
