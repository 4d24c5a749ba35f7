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

from .batches import IGNORED, Batch, normalise
from .colours import COLOURS
from .labels import CONTRASTS, DETAILS, LIGHTS, PLACES, SHAPES

_GLOBAL = (len(LIGHTS), len(CONTRASTS), len(DETAILS), len(COLOURS), len(COLOURS) + 1)
_SHAPE = (len(SHAPES) + 1, len(COLOURS) + 1, len(PLACES) + 1)


@dataclass(frozen=True)
class Plan:
    """Steps in all, pictures a step, warm-up steps, the share in which the rate falls, the peak rate."""

    steps: int
    batch: int = 64
    warmup: int = 200
    cooldown: float = 0.4
    rate: float = 1.5e-3
    average: float = 0.998

    def rate_at(self, step: int) -> float:
        """Linear warm-up, a plateau, then a cosine down to a hundredth."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        left = (self.steps - step) / max(1.0, self.steps * self.cooldown)
        return self.rate * (0.01 + 0.99 * 0.5 * (1 - math.cos(math.pi * min(1.0, max(0.0, left)))))


class Helpers(nn.Module):
    """Extra heads, dropped at export: each patch names its four cells, the visual tokens' mean the rest."""

    def __init__(self, vision_width: int, text_width: int) -> None:
        super().__init__()
        self.cells = nn.Linear(vision_width, 4 * len(COLOURS))
        self.globals = nn.Linear(text_width, sum(_GLOBAL))
        self.shapes = nn.Linear(text_width, sum(_SHAPE))

    def forward(self, patches: Tensor, visual: Tensor, batch: Batch) -> Tensor:
        """The sum of the losses for patches (N, 64, vision width) and visual tokens (N, 16, text width)."""
        # A patch holds 2 x 2 cells: (N, 16, 16) to (N, 64, 4) in the order of the patches.
        count = len(batch.cells)
        cells = batch.cells.reshape(count, 8, 2, 8, 2).permute(0, 1, 3, 2, 4).reshape(-1)
        loss = F.cross_entropy(self.cells(patches).float().reshape(-1, len(COLOURS)), cells)
        mean = visual.mean(dim=1)
        for logits, sizes, targets in (
            (self.globals(mean), _GLOBAL, batch.words),
            (self.shapes(mean), _SHAPE, batch.shapes),
        ):
            for column, part in enumerate(logits.float().split(sizes, dim=1)):
                # No second colour and no shape are NONE (-1) in the labels and the last class here.
                loss = loss + 0.2 * F.cross_entropy(part, targets[:, column] % part.shape[1])
        return loss


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


def forward(model: InternVLForConditionalGeneration, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Logits and targets of the answers' tokens, then the last tiles' patches and visual tokens."""
    core = model.model
    features = core.vision_tower(pixel_values=normalise(batch.tiles)).last_hidden_state[:, 1:]
    side = int(features.shape[1] ** 0.5)
    shuffled = core.pixel_shuffle(features.reshape(-1, side, side, features.shape[2]), 0.5)
    visual = core.multi_modal_projector(shuffled.reshape(len(features), -1, shuffled.shape[-1]))
    embeds = core.language_model.embed_tokens(batch.ids).to(visual.dtype)
    where = (batch.ids == model.config.image_token_id).unsqueeze(-1)
    embeds = embeds.masked_scatter(where, visual)
    hidden = core.language_model(inputs_embeds=embeds, use_cache=False).last_hidden_state
    answered = batch.labels[:, 1:] != IGNORED
    logits = model.lm_head(hidden[:, :-1][answered]).float()
    return logits, batch.labels[:, 1:][answered], features[batch.last_tile], visual[batch.last_tile]


class Trainer:
    """One model in training: take steps, average the weights, save and restore all of it."""

    def __init__(self, model: InternVLForConditionalGeneration, plan: Plan, device: str) -> None:
        self.model, self.plan, self.device, self.step = model.to(device), plan, device, 0
        if device == "cpu":
            use_plain_attention(model)
        config = model.config
        self.helpers = Helpers(config.vision_config.hidden_size, config.text_config.hidden_size).to(device)
        decayed = [p for p in self._parameters() if p.ndim > 1]
        others = [p for p in self._parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": 0.02}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=plan.rate, betas=(0.9, 0.98), fused=True)
        self.average = {name: value.detach().clone() for name, value in model.state_dict().items()}

    def _parameters(self) -> list[nn.Parameter]:
        return [*self.model.parameters(), *self.helpers.parameters()]

    def take_step(self, batch: Batch) -> tuple[float, float]:
        """One step; the caption loss and the helpers' loss."""
        batch = Batch(**{name: value.to(self.device) for name, value in vars(batch).items()})
        self.model.train()
        with torch.autocast(self.device, dtype=torch.bfloat16):
            logits, targets, patches, visual = forward(self.model, batch)
            caption_loss = F.cross_entropy(logits, targets)
            helper_loss = self.helpers(patches, visual, batch)
        (caption_loss + 0.3 * helper_loss).backward()
        self._share_gradients()
        nn.utils.clip_grad_norm_(self._parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.rate_at(self.step)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self._update_average()
        return caption_loss.item(), helper_loss.item()

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
            "optimizer": self.optimizer.state_dict(),
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
        self.optimizer.load_state_dict(state["optimizer"])
