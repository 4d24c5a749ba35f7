"""Training steps of the tiny model: losses, schedule, averaged weights, and a state that can be resumed.

The forward pass is that of the transformers classes, in bfloat16 autocast. On a CPU attention is replaced:
the backward pass of scaled_dot_product_attention took 42 % of a step there.
"""

import ctypes
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, distributed, nn
from transformers import AttentionInterface, InternVLForConditionalGeneration
from transformers.masking_utils import AttentionMaskInterface

from .batches import IGNORED, Batch
from .helpers import Helpers, see


@dataclass(frozen=True)
class Plan:
    """Steps in all, pictures a step, the share that only sees, the share in which rates fall, peak rates."""

    steps: int
    batch: int = 64
    warmup: int = 100
    seeing: float = 1 / 3
    cooldown: float = 0.45
    rate: float = 1.5e-3
    matrix_rate: float = 3e-3
    average: float = 0.998

    def scale_at(self, step: int) -> float:
        """The factor of the peak rates: a warm-up, a plateau, then a cosine down to a hundredth."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        left = (self.steps - step) / max(1.0, self.steps * self.cooldown)
        return 0.01 + 0.99 * 0.5 * (1 - math.cos(math.pi * min(1.0, max(0.0, left))))


def answer(model: InternVLForConditionalGeneration, batch: Batch, visual: Tensor) -> tuple[Tensor, Tensor]:
    """Logits and targets of the answers' tokens."""
    core = model.model
    embeds = core.language_model.embed_tokens(batch.ids).to(visual.dtype)
    where = (batch.ids == model.config.image_token_id).unsqueeze(-1)
    embeds = embeds.masked_scatter(where, visual)
    hidden = core.language_model(inputs_embeds=embeds, use_cache=False).last_hidden_state
    answered = batch.labels[:, 1:] != IGNORED
    logits = model.lm_head(hidden[:, :-1][answered]).float()
    return logits, batch.labels[:, 1:][answered]


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    scaling: float,
    **_: Any,
) -> tuple[Tensor, None]:
    """Plain attention: causal in the language model (batches are padded on the right), else full."""
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    scores = torch.matmul(query * scaling, key.transpose(2, 3))
    if module.is_causal:
        size = scores.shape[-1]
        scores = scores + torch.full((size, size), -1e4, dtype=scores.dtype, device=scores.device).triu(1)
    mixed = torch.matmul(scores.softmax(dim=-1).to(value.dtype), value)
    return mixed.transpose(1, 2).contiguous(), None


def keep_freed_memory() -> None:
    """Let glibc reuse freed blocks of up to 32 MiB: giving them back took a third of the time."""
    if sys.platform.startswith("linux"):
        libc = ctypes.CDLL(None)
        for option, value in (
            (-3, 32 << 20),
            (-1, 1 << 30),
            (-2, 64 << 20),
        ):  # mmap and trim thresholds, top pad
            libc.mallopt(option, value)


def use_plain_attention(model: InternVLForConditionalGeneration) -> None:
    """Let both towers use `_attend`, without any mask being built."""
    AttentionInterface.register("tiny_plain", _attend)
    AttentionMaskInterface.register("tiny_plain", lambda *args, **kwargs: None)
    model.set_attn_implementation("tiny_plain")


class Trainer:
    """One model in training: take steps, average the weights, save and restore all of it."""

    def __init__(self, model: InternVLForConditionalGeneration, plan: Plan, device: str) -> None:
        self.model, self.plan, self.device, self.step = model.to(device), plan, device, 0
        if device == "cpu":
            use_plain_attention(model)
        config = model.config
        self.helpers = Helpers(config.vision_config.hidden_size, config.text_config.hidden_size).to(device)
        inner = [(name, p) for name, p in model.named_parameters() if p.ndim == 2]
        matrices = [p for name, p in inner if "embed_tokens" not in name and "lm_head" not in name]
        others = [p for p in self._parameters() if all(p is not matrix for matrix in matrices)]
        self.optimizers: list[tuple[torch.optim.Optimizer, float]] = [
            (torch.optim.Muon(matrices, weight_decay=0.02, adjust_lr_fn="match_rms_adamw"), plan.matrix_rate),
            (torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.0, fused=True), plan.rate),
        ]
        self.average = {name: value.detach().clone() for name, value in model.state_dict().items()}

    def _parameters(self) -> list[nn.Parameter]:
        return [*self.model.parameters(), *self.helpers.parameters()]

    def take_step(self, batch: Batch) -> tuple[float, float]:
        """One step; the caption loss and the helpers' loss."""
        batch = Batch(**{name: value.to(self.device) for name, value in vars(batch).items()})
        self.model.train()
        with torch.autocast(self.device, dtype=torch.bfloat16):
            seen = see(self.model, batch.tiles)
            helper_loss = self.helpers(seen.take(batch.last_tile), batch)
            loss, caption_loss = 0.3 * helper_loss, torch.zeros(())
            if not self.is_seeing_only():
                caption_loss = F.cross_entropy(*answer(self.model, batch, seen.visual))
                loss = loss + caption_loss
        loss.backward()
        self._share_gradients()
        nn.utils.clip_grad_norm_(self._parameters(), 1.0)
        for optimizer, rate in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * self.plan.scale_at(self.step)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self._update_average()
        return caption_loss.item(), helper_loss.item()

    def is_seeing_only(self) -> bool:
        """Whether the language model rests: at first it could only learn that sentences look alike."""
        return self.step < self.plan.seeing * self.plan.steps

    def _share_gradients(self) -> None:
        """With several workers, let each have the mean of all gradients."""
        if not distributed.is_initialized():
            return
        gradients = [p.grad for p in self._parameters() if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= distributed.get_world_size()
        parts = torch.split(flat, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def _update_average(self) -> None:
        keep = min(self.plan.average, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                self.average[name].lerp_(value, 1 - keep)

    def save(self, path: Path) -> None:
        """Write all state to `path`, whole or not at all."""
        state = {
            "step": self.step,
            "model": self.model.state_dict(),
            "helpers": self.helpers.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer, _ in self.optimizers],
            "average": self.average,
        }
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(path)

    def restore(self, path: Path) -> None:
        """Continue from `path`."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.step, self.average = state["step"], state["average"]
        self.model.load_state_dict(state["model"])
        self.helpers.load_state_dict(state["helpers"])
        for (optimizer, _), saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
