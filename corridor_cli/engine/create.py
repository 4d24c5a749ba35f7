"""Makes the engine the settings ask for; what it needs is imported only then."""

from __future__ import annotations

from corridor_cli.engine.base import BatchListener, Engine, FrameStore
from corridor_cli.engine.presets import describe_model
from corridor_cli.settings import CaptionSettings, ModelSettings


def create_engine(
    settings: ModelSettings,
    frames: FrameStore,
    on_batch: BatchListener,
    caption: CaptionSettings | None = None,
) -> Engine:
    """The engine named by `settings.engine`, not started; for `local` the generic one where only that can.

    `caption` says what most requests will ask; an engine may size its batches by it. Raises `ModelError` for
    settings it cannot take, and for a checkpoint nobody can run.
    """
    if settings.engine == "echo":
        from corridor_cli.engine.echo import EchoEngine

        return EchoEngine(settings, frames, on_batch)
    info = describe_model(settings)
    if settings.engine == "generic" or info.shape is None:
        from corridor_cli.engine.generic.engine import GenericEngine

        return GenericEngine(settings, info, frames, on_batch)
    from corridor_cli.engine.local.engine import LocalEngine

    return LocalEngine(settings, frames, on_batch, caption)
