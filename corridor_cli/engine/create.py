"""Makes the engine the settings ask for; what it needs is imported only then."""

from __future__ import annotations

from corridor_cli.engine.base import BatchListener, Engine, FrameStore
from corridor_cli.settings import CaptionSettings, ModelSettings


def create_engine(
    settings: ModelSettings,
    frames: FrameStore,
    on_batch: BatchListener,
    caption: CaptionSettings | None = None,
) -> Engine:
    """The engine named by `settings.engine`, not started. Raises `ModelError` for settings it cannot take.

    `caption` says what most requests will ask; an engine sizes its batches by it.
    """
    if settings.engine == "echo":
        from corridor_cli.engine.echo import EchoEngine

        return EchoEngine(settings, frames, on_batch)
    from corridor_cli.engine.local.engine import LocalEngine

    return LocalEngine(settings, frames, on_batch, caption)
