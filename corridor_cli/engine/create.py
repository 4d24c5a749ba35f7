"""Makes the engine the settings ask for; what it needs is imported only then."""

from __future__ import annotations

from corridor_cli.engine.base import BatchListener, Engine, FrameStore
from corridor_cli.engine.generic_checkpoint import why_generic
from corridor_cli.settings import ModelSettings


def create_engine(settings: ModelSettings, frames: FrameStore, on_batch: BatchListener) -> Engine:
    """The engine named by `settings.engine`, not started; for `local` the generic one where only that can.

    Raises `ModelError` for settings it cannot take, and for a checkpoint nobody can.
    """
    if settings.engine == "echo":
        from corridor_cli.engine.echo import EchoEngine

        return EchoEngine(settings, frames, on_batch)
    reason = "" if settings.engine == "generic" else why_generic(settings.model, settings.revision)
    if settings.engine == "generic" or reason:
        from corridor_cli.engine.generic.engine import GenericEngine

        return GenericEngine(settings, frames, on_batch, reason)
    from corridor_cli.engine.local.engine import LocalEngine

    return LocalEngine(settings, frames, on_batch)
