"""The local engine: an HF-native InternVL checkpoint on one device of this machine."""

from __future__ import annotations

import torch

from corridor_cli.engine.base import BatchListener, FrameStore
from corridor_cli.engine.batching import Batcher, max_pending
from corridor_cli.engine.checkpoint import CheckpointInfo, read_checkpoint
from corridor_cli.engine.local.calibrate import calibrate
from corridor_cli.engine.local.load import load_network, load_tokenizer
from corridor_cli.engine.local.model import LocalModel
from corridor_cli.engine.recovery import BatchSizer
from corridor_cli.hardware import choose_device, choose_dtype, choose_threads
from corridor_cli.records import Caption, EngineInfo, Request
from corridor_cli.settings import ModelSettings

_VISION_TILES_CPU = 4
_VISION_TILES_CUDA = 64


class LocalEngine:
    """The engine protocol over a network in this process. `start` may fetch the checkpoint from the hub."""

    def __init__(self, settings: ModelSettings, frames: FrameStore, on_batch: BatchListener) -> None:
        self._settings = settings
        self._frames = frames
        self._on_batch = on_batch
        self._batcher: Batcher | None = None
        self._device = "cpu"

    def start(self) -> EngineInfo:
        settings = self._settings
        info = read_checkpoint(settings.model, settings.revision)
        device = choose_device(settings.device)
        threads = choose_threads(info.is_small)
        torch.set_num_threads(threads.value)
        dtype = choose_dtype(device.value, settings.enable_mixed_precision, info.is_small)
        self._device = device.value
        network = load_network(info, device.value, getattr(torch, dtype.value))
        model = LocalModel(
            info,
            network,
            load_tokenizer(info),
            self._frames,
            max_tiles=settings.max_tiles,
            vision_tiles=self._vision_tiles(device.value),
        )
        found = calibrate(model, network, settings)
        tiles_per_request = settings.max_tiles + (settings.max_tiles > 1)
        sizer = BatchSizer(found.batch_size, found.limit)
        self._batcher = Batcher(model, sizer, self._on_batch, max_tiles=found.limit * tiles_per_request)
        return EngineInfo(
            engine="local",
            model_id=info.model_id,
            revision=info.revision,
            device=device.value,
            dtype=dtype.value,
            tile_px=info.tile_px,
            max_tiles=settings.max_tiles,
            batch_size=found.batch_size,
            max_pending=max_pending(found.batch_size, settings.async_frame_loading),
            seconds_per_request=found.seconds_per_request,
            reasons=(device.reason, dtype.reason, threads.reason, *found.reasons),
            environment=_environment(info, device.value),
        )

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

    def _vision_tiles(self, device: str) -> int | None:
        """Tiles encoded together; without `memory_optimization` all tiles of a batch."""
        if not self._settings.memory_optimization:
            return None
        return _VISION_TILES_CPU if device == "cpu" else _VISION_TILES_CUDA


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
