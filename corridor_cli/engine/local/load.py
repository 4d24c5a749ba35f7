"""Loads a checkpoint: its network onto a device, and what reads its requests and writes its captions."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from corridor_cli.engine.base import FrameStore
from corridor_cli.engine.checkpoint import CheckpointInfo
from corridor_cli.engine.local.compiled import CompiledEncoder
from corridor_cli.engine.local.failures import is_out_of_memory
from corridor_cli.engine.local.generator import Generator
from corridor_cli.engine.local.linear import LinearKind
from corridor_cli.engine.local.memory import check_room, keep_freed_memory, release_memory
from corridor_cli.engine.local.network import Network
from corridor_cli.engine.local.sequences import Translator
from corridor_cli.engine.local.sources import load_tokenizer, open_source
from corridor_cli.engine.local.tiles import TileRule
from corridor_cli.engine.presets import describe_model
from corridor_cli.errors import ModelError
from corridor_cli.hardware import (
    choose_device,
    choose_dtype,
    choose_threads,
    machine_key,
)
from corridor_cli.settings import ModelSettings


@dataclass(frozen=True, slots=True)
class Loaded:
    """A checkpoint on a device; `reasons` says how device, precision and threads were chosen."""

    info: CheckpointInfo
    network: Network
    rule: TileRule
    translator: Translator
    reasons: tuple[str, ...]

    @property
    def device(self) -> str:
        return self.network.device

    @property
    def measurement_key(self) -> str:
        """Names the machine and everything about the model that costs depend on."""
        network = self.network
        return f"{machine_key(self.device)}/{self.info.identity}/{network.dtype}/{network.kind}/{self.rule}"

    def make_generator(self, num_slots: int, max_tokens: int, max_new_tokens: int) -> Generator:
        """Slots for `num_slots` sequences of `max_tokens`, `max_new_tokens` of them new."""
        return Generator(
            self.network,
            self.rule,
            self.info.image_token_id,
            self.info.end_token_ids,
            num_slots=num_slots,
            max_tokens=max_tokens,
            max_new_tokens=max_new_tokens,
        )

    def make_fitting_generator(self, num_slots: int, max_tokens: int, max_new_tokens: int) -> Generator:
        """The same with as many slots as the device grants, at most `num_slots`.

        What is free may have become less since it was measured. Raises `ModelError` when not even one fits.
        """
        while num_slots:
            try:
                return self.make_generator(num_slots, max_tokens, max_new_tokens)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            release_memory(self.device)  # outside the block: inside it the exception holds the tensors
            num_slots //= 2
        raise ModelError(
            f"Device {self.device} has too little memory for a single request of {max_tokens} tokens.",
            hint="Free memory, lower max_tiles, or use a smaller model.",
        )

    def slot_bytes(self, max_tokens: int) -> int:
        """Keys and values of one slot, and the logits of its step, which int8 makes in 32 bits first."""
        text, itemsize = self.network.shape.text, self.network.dtype.itemsize
        logits = text.vocab_size * (itemsize + (8 if self.network.kind == "int8" else 0))
        return max_tokens * text.kv_numbers_per_token * itemsize + logits


def load(settings: ModelSettings, frames: FrameStore) -> Loaded:
    """The checkpoint the settings name, on the device they name. Raises `ModelError`."""
    info = describe_model(settings)
    assert info.shape is not None, "checked by create_engine"
    device = choose_device(settings.device)
    threads = choose_threads(info.is_small)
    torch.set_num_threads(threads.value)
    if device.value == "cpu":
        keep_freed_memory()
    else:
        torch.cuda.set_device(device.value)  # else whatever names no device would open the first one, too
    dtype = choose_dtype(device.value, settings.chosen_precision, info.is_small)
    kind: LinearKind = "int8" if settings.chosen_precision == "int8" else "dense"
    held = "int8" if kind == "int8" else dtype.value
    check_room(info, device.value, held, settings.gpu_memory_fraction, dtype.value)
    network = _load_network(info, device.value, getattr(torch, dtype.value), kind)
    rule = TileRule(info.tile_px, settings.max_tiles, info.image_mean, info.image_std)
    translator = Translator(
        info,
        load_tokenizer(info),
        frames,
        rule=rule,
        device=device.value,
        max_context_tokens=info.shape.text.max_positions,
        num_logits=info.shape.text.vocab_size,
    )
    reasons = [device.reason, dtype.reason, threads.reason, f"attention: {network.attention.name}"]
    if network.device != "cpu":  # there it would want a C++ compiler, and activations are fused already
        key = f"{machine_key(network.device)}/{info.identity}/{network.dtype}/{network.kind}"
        network.encoder = encoder = CompiledEncoder(network.vision.encode, network.device, key)
        reasons.append(encoder.reason)
    return Loaded(info, network, rule, translator, tuple(reasons))


def _load_network(info: CheckpointInfo, device: str, dtype: torch.dtype, kind: LinearKind) -> Network:
    assert info.shape is not None
    try:
        return Network(info.shape, open_source(info, device, dtype), device, dtype, kind)
    except ModelError:
        raise
    except Exception as error:  # noqa: BLE001 - safetensors and torch raise what they like for a bad file or device
        first_line = next(iter(str(error).strip().splitlines()), "")
        cause = "does not fit into the memory of" if is_out_of_memory(error) else "cannot be loaded onto"
        problem = f"Model {info.model_id!r} {cause} {device}: {type(error).__name__}: {first_line[:300]}"
    # Outside the block: inside it the exception would still hold the tensors.
    raise ModelError(
        problem, hint="Try a smaller model, another `--device`, or download the checkpoint again."
    )
