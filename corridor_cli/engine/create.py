"""Makes the engine the settings ask for; what it needs is imported only then."""

from __future__ import annotations

from corridor_cli.engine.base import BatchListener, Engine, FrameStore
from corridor_cli.settings import ModelSettings


def create_engine(settings: ModelSettings, frames: FrameStore, on_batch: BatchListener) -> Engine:
    """The engine named by `settings.engine`, not started. Raises `ModelError` for settings it cannot take."""
    if settings.engine == "echo":
        from corridor_cli.engine.echo import EchoEngine

        return EchoEngine(settings, frames, on_batch)
    from corridor_cli.engine.local.engine import LocalEngine

    return LocalEngine(settings, frames, on_batch)
