"""`vlmtl models list` and `pull` on this machine: what is here, and how more gets here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from corridor_cli.engine.cached import cached_models, engine_of
from corridor_cli.engine.checkpoint import CheckpointInfo, fetch_checkpoint, read_local_checkpoint
from corridor_cli.engine.locate import BUNDLED_MODEL, HOW_TO_GET_A_MODEL, is_hub_id, is_offline
from corridor_cli.engine.presets import PRESETS
from corridor_cli.errors import ModelError, UsageError
from corridor_cli.printable import printable

Kind = Literal["bundled", "cached", "preset"]


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model that can be named to `vlmtl run`.

    `size_bytes` is what its files take, None for a preset, whose weights are made up when it is loaded.
    `revision` is the commit of a cached one, `names` its branches and tags. Where `problem` says why it
    cannot be used, `engine` is None.
    """

    model: str
    kind: Kind
    size_bytes: int | None
    num_parameters: int | None
    engine: str | None
    reason: str = ""
    revision: str | None = None
    names: tuple[str, ...] = ()
    path: str | None = None
    problem: str = ""


def list_known_models() -> list[ModelRow]:
    """The bundled model, those in the hub cache, and the presets."""
    from huggingface_hub import constants

    rows = [_bundled()]
    for each in cached_models(Path(constants.HF_HUB_CACHE)):
        rows.append(
            ModelRow(
                each.model, "cached", each.size_bytes, each.num_parameters, each.engine, each.reason,
                each.commit, each.names, each.folder, each.problem,
            )
        )  # fmt: skip
    return rows + [
        ModelRow(name, "preset", None, shape.num_parameters, "local") for name, shape in PRESETS.items()
    ]


def _bundled() -> ModelRow:
    try:
        info = read_local_checkpoint(BUNDLED_MODEL, None)
        assert info is not None, "a bundled model is no hub repository"
    except ModelError as error:
        return ModelRow(BUNDLED_MODEL, "bundled", None, None, None, problem=error.message)
    size = sum(path.stat().st_size for path in Path(info.path).iterdir())
    return ModelRow(BUNDLED_MODEL, "bundled", size, info.num_parameters, "local", path=info.path)


def pull_model(model: str, revision: str | None) -> tuple[CheckpointInfo, str]:
    """Fetch what the cache lacks of a hub repository; its facts, and the engine that runs it.

    Only what a run reads is fetched (`engine/locate.py`), and files that are whole are not
    fetched again. Raises `UsageError` for what is no hub id, `ModelError` and `StorageError`.
    """
    if not is_hub_id(model):
        is_here = model == BUNDLED_MODEL or Path(model).exists()
        problem = "is on this machine already" if is_here else "is no hub id"
        raise UsageError(
            f"MODEL is {printable(model)}, which {problem}, allowed: a hub id, OWNER/NAME",
            hint="For example OpenGVLab/InternVL3-2B-hf.",
        )
    if is_offline():
        raise ModelError(
            f"Model {model!r} cannot be fetched: the network is switched off (HF_HUB_OFFLINE or "
            "TRANSFORMERS_OFFLINE).",
            hint=f"Unset it. {HOW_TO_GET_A_MODEL}",
        )
    info = fetch_checkpoint(model, revision)
    return info, engine_of(info.shape, info.unsupported_because)[0]
