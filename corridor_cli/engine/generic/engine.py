"""The generic engine: any image-text-to-text checkpoint through transformers' own `generate`.

Slower than the local engine, which has a forward of its own, and for every family that has none there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from corridor_cli.engine.base import BatchListener, FrameStore
from corridor_cli.engine.batching import Batcher, max_pending
from corridor_cli.engine.checkpoint import CheckpointInfo
from corridor_cli.engine.generic.calibrate import calibrate
from corridor_cli.engine.generic.load import load_network, silence_transformers
from corridor_cli.engine.generic.model import GenericModel
from corridor_cli.engine.generic.processor import load_processor
from corridor_cli.engine.local.memory import check_room
from corridor_cli.engine.recovery import BatchSizer
from corridor_cli.errors import ModelError
from corridor_cli.hardware import choose_device, choose_dtype, choose_threads
from corridor_cli.records import Caption, EngineInfo, Request
from corridor_cli.settings import ModelSettings

_OVERSAMPLING = 2  # main sends frames of twice `tile_px` in each direction, see `runners/picture_limits.py`


class GenericEngine:
    """The engine protocol over a network of transformers. `start` may fetch the checkpoint from the hub.

    It runs what the local engine cannot, or what it is asked to (`engine: generic`). Raises `ModelError` for
    a checkpoint that transformers runs only by the model's own code.
    """

    def __init__(
        self, settings: ModelSettings, info: CheckpointInfo, frames: FrameStore, on_batch: BatchListener
    ) -> None:
        if info.layout == "original":
            raise ModelError(
                f"The generic engine cannot run {info.model_id}: transformers knows only the `-hf` layout.",
                hint="Use `engine: local`, or the `-hf` twin of the checkpoint.",
            )
        self._settings = settings
        self._info = info
        self._frames = frames
        self._on_batch = on_batch
        self._reason = "" if settings.engine == "generic" else info.unsupported_because
        self._batcher: Batcher | None = None
        self._device = "cpu"

    def start(self) -> EngineInfo:
        settings, info = self._settings, self._info
        device = choose_device(settings.device)
        threads = choose_threads(info.is_small)
        torch.set_num_threads(threads.value)
        dtype = choose_dtype(device.value, settings.chosen_precision, info.is_small)
        self._device = device.value
        check_room(info, device.value, dtype.value, settings.gpu_memory_fraction)
        network, processor = _load(info, device.value, getattr(torch, dtype.value), settings.max_tiles)
        model = GenericModel(
            network,
            processor,
            self._frames,
            end_token_ids=info.end_token_ids,
            max_frame_px=int(_OVERSAMPLING * info.tile_px * settings.max_tiles**0.5),
        )
        found = calibrate(model, network, settings)
        self._batcher = Batcher(model, BatchSizer(found.batch_size, found.limit), self._on_batch)
        chosen = f"engine: generic, {f'because {self._reason}' if self._reason else 'as set'}"
        return EngineInfo(
            engine="generic",
            model_id=info.model_id,
            revision=info.revision,
            device=device.value,
            dtype=dtype.value,
            tile_px=info.tile_px,
            max_tiles=settings.max_tiles,
            batch_size=found.batch_size,
            max_pending=max_pending(found.batch_size, settings.async_frame_loading),
            seconds_per_request=found.seconds_per_request,
            reasons=(chosen, device.reason, dtype.reason, threads.reason, *found.reasons),
            environment=_environment(info, device.value),
            degraded=tuple(self._degradations(dtype.value)),
            max_context_tokens=model.max_context_tokens,
        )

    def _degradations(self, dtype: str) -> Iterator[str]:
        if self._reason:
            yield f"the slower generic engine ran, because {self._reason}"
        if self._settings.chosen_precision == "int8":
            yield f"{dtype} ran in place of int8, which only the local engine has"

    def submit(self, request: Request) -> None:
        assert self._batcher is not None, "submit before start"
        self._batcher.submit(request)

    def poll(self, timeout_seconds: float) -> list[Caption]:
        assert self._batcher is not None, "poll before start"
        return self._batcher.poll(timeout_seconds)

    def close(self) -> None:
        if self._batcher is None:
            return
        self._batcher = None
        if self._device != "cpu":
            torch.cuda.empty_cache()


def _load(info: CheckpointInfo, device: str, dtype: torch.dtype, max_tiles: int) -> tuple[Any, Any]:
    """The network and its processor, from the checkpoint's folder or made up."""
    if info.layout == "dummy":
        from corridor_cli.engine.generic.dummy import dummy_network, dummy_processor

        silence_transformers()
        return dummy_network(info, device, dtype), dummy_processor(info, max_tiles)
    return load_network(info.path, device, dtype), load_processor(info.path, max_tiles)


def _environment(info: CheckpointInfo, device: str) -> dict[str, str]:
    """Versions and names that can change a caption or its speed."""
    import transformers

    return {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "device_name": "cpu" if device == "cpu" else torch.cuda.get_device_name(device),
        "threads": str(torch.get_num_threads()),
        "checkpoint": info.identity,
    }
