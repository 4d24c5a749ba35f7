"""The local engine: an InternVL checkpoint, by its own forward pass, on one device of this machine."""

from __future__ import annotations

import torch

from corridor_cli.engine.base import BatchListener, FrameStore
from corridor_cli.engine.batching import max_pending
from corridor_cli.engine.local.generator import Generator
from corridor_cli.engine.local.load import Loaded, load
from corridor_cli.engine.local.memory import memory_budget, release_memory
from corridor_cli.engine.local.scheduler import Scheduler
from corridor_cli.engine.local.sizing import best_batch, expect, find_costs, longest_context, size_stages
from corridor_cli.engine.local.stages import Stages, StageSizes
from corridor_cli.engine.recovery import BatchSizer
from corridor_cli.hardware import total_device_bytes
from corridor_cli.records import Caption, EngineInfo, Request
from corridor_cli.settings import CaptionSettings, ModelSettings


class LocalEngine:
    """The engine protocol over a network in this process. `start` may fetch the checkpoint from the hub.

    `caption` says what most requests will ask, so that the slots are made for them; others are served too.
    """

    def __init__(
        self,
        settings: ModelSettings,
        frames: FrameStore,
        on_batch: BatchListener,
        caption: CaptionSettings | None = None,
    ) -> None:
        self._settings = settings
        self._caption = caption or CaptionSettings()
        self._frames = frames
        self._on_batch = on_batch
        self._scheduler: Scheduler | None = None
        self._device = "cpu"

    def start(self) -> EngineInfo:
        settings = self._settings
        loaded = load(settings, self._frames)
        self._device = loaded.device
        expected = expect(loaded, self._caption)
        costs = find_costs(loaded, expected)
        budget = memory_budget(loaded.device, settings.gpu_memory_fraction)
        bytes_per_slot = loaded.slot_bytes(expected.max_tokens)
        sizes = size_stages(
            costs, bytes_per_slot, budget, loaded.device, settings, expected, best_batch(loaded)
        )

        def make_generator(max_tokens: int, max_new_tokens: int) -> Generator:
            num_fitting = sizes.slot_budget // loaded.slot_bytes(max_tokens)
            return loaded.make_fitting_generator(
                max(1, min(sizes.slot_limit, num_fitting)), max_tokens, max_new_tokens
            )

        generator = make_generator(expected.max_tokens, expected.max_new_tokens)
        batch_size = min(sizes.num_slots, generator.num_slots)
        stage_sizes = StageSizes(
            slots=BatchSizer(batch_size, generator.num_slots),
            tiles=BatchSizer(sizes.num_tiles, sizes.num_tiles),
            tokens=BatchSizer(sizes.num_tokens, sizes.num_tokens),
        )
        stages = Stages(generator, make_generator, stage_sizes)
        self._scheduler = Scheduler(loaded.translator, stages, loaded.device, self._on_batch)
        return EngineInfo(
            engine="local",
            model_id=loaded.info.model_id,
            revision=loaded.info.revision,
            device=loaded.device,
            dtype=str(loaded.network.dtype).removeprefix("torch."),
            tile_px=loaded.info.tile_px,
            max_tiles=settings.max_tiles,
            batch_size=batch_size,
            max_pending=max_pending(batch_size, settings.async_frame_loading),
            seconds_per_request=costs.seconds_per_request(expected, batch_size),
            reasons=tuple(filter(None, (*loaded.reasons, generator.reason, *sizes.reasons))),
            environment=_environment(loaded),
            measurement_key=loaded.measurement_key,
            quantization=None if loaded.network.kind == "dense" else loaded.network.kind,
            max_context_tokens=longest_context(loaded, costs, budget, expected),
        )

    def submit(self, request: Request) -> None:
        assert self._scheduler is not None, "submit before start"
        self._scheduler.submit(request)

    def poll(self, timeout_seconds: float) -> list[Caption]:
        assert self._scheduler is not None, "poll before start"
        return self._scheduler.poll(timeout_seconds)

    def close(self) -> None:
        if self._scheduler is None:
            return
        self._scheduler = None
        release_memory(self._device)


def _environment(loaded: Loaded) -> dict[str, str]:
    """Versions and names that can change a caption or its speed."""
    import transformers

    is_cpu = loaded.device == "cpu"
    card = {} if is_cpu else {"device_memory_bytes": str(total_device_bytes(loaded.device))}
    return {
        **card,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "device_name": "cpu" if is_cpu else torch.cuda.get_device_name(loaded.device),
        "threads": str(torch.get_num_threads()),
        "checkpoint": loaded.info.identity,
    }
