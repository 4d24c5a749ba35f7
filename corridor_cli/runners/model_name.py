"""What names the model in the caption key: told from its files, before anything loads it."""

from __future__ import annotations

from corridor_cli.engine.checkpoint import CheckpointInfo, read_local_checkpoint
from corridor_cli.engine.echo import TILE_PX as ECHO_TILE_PX
from corridor_cli.engine.presets import describe_model
from corridor_cli.errors import ModelError
from corridor_cli.pipeline.plan import ModelIdentity
from corridor_cli.settings import ModelSettings, Settings


def identify_model(settings: Settings) -> ModelIdentity:
    """The model of the settings, fetched if need be. Raises `ModelError` when there is no usable one."""
    chosen = settings.gpu_pipeline.internvl3
    if chosen.engine == "echo":
        return ModelIdentity("echo", "none", ECHO_TILE_PX, cuts_tiles=True)
    return _named(describe_model(chosen), chosen)


def identify_model_here(settings: Settings) -> ModelIdentity:
    """The same of a model that is on this machine: nothing is fetched. Raises `ModelError`."""
    chosen = settings.gpu_pipeline.internvl3
    is_checkpoint = chosen.engine != "echo" and chosen.load_format == "auto" and chosen.preset is None
    if not is_checkpoint or not chosen.model:
        return identify_model(settings)
    info = read_local_checkpoint(chosen.model, chosen.revision)
    if info is None:
        raise ModelError(f"Model {chosen.model!r} is not on this machine.")
    return _named(info, chosen)


def _named(info: CheckpointInfo, chosen: ModelSettings) -> ModelIdentity:
    is_fixed = chosen.chosen_precision == "auto" and info.is_small
    precision = "fp32" if is_fixed else chosen.chosen_precision
    cuts_tiles = info.shape is not None and chosen.engine != "generic"
    return ModelIdentity(info.identity, precision, info.tile_px, cuts_tiles)
