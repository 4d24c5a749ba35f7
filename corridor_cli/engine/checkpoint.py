"""What a checkpoint says about itself, read from its JSON files alone.

Main uses it for the caption key and the size of the pictures, so nothing here imports torch or transformers.
Nothing in the folder is ever run: `*.py` files are not looked at, pickles stay closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from corridor_cli.engine.checkpoint_files import Json, identity, read_json
from corridor_cli.engine.layouts.facts import Facts
from corridor_cli.engine.layouts.hf import read_hf
from corridor_cli.engine.layouts.original import original_shape, read_original
from corridor_cli.engine.layouts.other import read_other, takes_pictures
from corridor_cli.engine.locate import (
    BUNDLED_MODEL,
    DATA_PATTERNS,
    HOW_TO_GET_A_MODEL,
    SMALL_PATTERNS,
    download_snapshot,
    find_cached_snapshot,
    find_local_folder,
    is_hub_id,
    is_offline,
)
from corridor_cli.engine.tensor_names import has_lm_head
from corridor_cli.engine.weights import Weights, check_layers, check_tensors, read_weights
from corridor_cli.errors import ModelError

ARCHITECTURE = "InternVLForConditionalGeneration"
SMALL_MODEL_PARAMETERS = 50_000_000

_ORIGINAL_ARCHITECTURE = "InternVLChatModel"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointInfo(Facts):
    """A usable checkpoint: what its JSON files say, and what it is made of.

    `revision` is the hub commit, None for folders. `identity` is a hash over every JSON file and over each
    weight file's size, header and samples of its numbers: it names the model in the caption key. For a preset
    (`layout` dummy) there is no folder, and `path` is empty.
    """

    model_id: str
    revision: str | None
    path: str
    num_parameters: int
    weight_files: tuple[str, ...]
    identity: str

    @property
    def is_small(self) -> bool:
        """Whether the model is so small that 16-bit arithmetic buys nothing."""
        return self.num_parameters < SMALL_MODEL_PARAMETERS


def read_checkpoint(model: str | None, revision: str | None) -> CheckpointInfo:
    """Find `model` (`tiny`, a folder, or a hub id) and read its facts, fetching it from the hub if need be.

    Raises `ModelError` when it cannot be found, does not take pictures, or is not whole.
    """
    if not model:
        raise ModelError("No model was given.", hint=HOW_TO_GET_A_MODEL)
    try:
        found = read_local_checkpoint(model, revision)
        if found is not None:
            return found
    except ModelError:
        if is_offline() or not is_hub_id(model):
            raise
    if is_offline():
        raise ModelError(
            f"Model {model!r} is not in the local cache, and the network is off.", hint=HOW_TO_GET_A_MODEL
        )
    return fetch_checkpoint(model, revision)


def read_local_checkpoint(model: str, revision: str | None) -> CheckpointInfo | None:
    """The facts of `model` as it lies on this machine; None for a hub repository that is not in the cache.

    Raises `ModelError` when it is here and cannot be used, or is neither a folder nor a hub id.
    """
    if model == BUNDLED_MODEL or not is_hub_id(model):
        return _read_folder(find_local_folder(model), model, None)
    cached = find_cached_snapshot(model, revision)
    return None if cached is None else _read_folder(cached, model, cached.name)


def read_snapshot(folder: Path, model: str) -> CheckpointInfo:
    """The facts of the snapshot of a hub repository, a folder called by its commit. Raises `ModelError`."""
    return _read_folder(folder, model, folder.name)


def looks_usable(config: Json) -> bool:
    """Whether a config is that of a model which turns pictures and text into text."""
    architecture = _architecture(config)
    return architecture in (ARCHITECTURE, _ORIGINAL_ARCHITECTURE) or takes_pictures(config, architecture)


def fetch_checkpoint(model: str, revision: str | None) -> CheckpointInfo:
    """Fetch from the hub what the cache lacks of a repository, and read its facts. Raises `ModelError`."""
    folder = download_snapshot(model, revision, SMALL_PATTERNS)
    with _understanding(folder):
        config = _read_config(folder, model)
        if _architecture(config) == _ORIGINAL_ARCHITECTURE:
            original_shape(folder, config, has_lm_head=True)  # refused before gigabytes are fetched
    folder = download_snapshot(model, revision, DATA_PATTERNS)
    return _read_folder(folder, model, folder.name)


def _read_folder(folder: Path, model: str, revision: str | None) -> CheckpointInfo:
    with _understanding(folder):
        return _read_facts(folder, model, revision)


@contextmanager
def _understanding(folder: Path) -> Iterator[None]:
    """Says in one line what is wrong with files that are read inside."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # a value of a shape nobody expects
        raise ModelError(f"The JSON files in {folder} cannot be understood: {error}.") from error
    except OSError as error:
        raise ModelError(f"{folder} cannot be read: {error.strerror}.") from error


def _read_facts(folder: Path, model: str, revision: str | None) -> CheckpointInfo:
    config = _read_config(folder, model)
    weights = read_weights(folder)
    facts = _read_layout(folder, config, weights)
    return CheckpointInfo(
        **{field.name: getattr(facts, field.name) for field in fields(facts)},
        model_id=model,
        revision=revision,
        path=str(folder),
        num_parameters=weights.num_parameters,
        weight_files=weights.files,
        identity=identity(folder, weights.digest),
    )


def _read_layout(folder: Path, config: Json, weights: Weights) -> Facts:
    """The facts of the folder, whose weights are checked as far as its layout is known."""
    architecture = _architecture(config)
    if architecture not in (ARCHITECTURE, _ORIGINAL_ARCHITECTURE):
        return read_other(folder, config, architecture)
    read = read_hf if architecture == ARCHITECTURE else read_original
    facts = read(folder, config, has_lm_head=has_lm_head(weights.tensors))
    text, vision = config.get("text_config") or {}, config.get("vision_config") or {}
    if facts.shape is None:
        check_layers(weights, folder, text.get("num_hidden_layers"), vision.get("num_hidden_layers"))
    else:
        check_layers(weights, folder, facts.shape.text.num_layers, facts.shape.vision.num_layers)
        check_tensors(weights, folder, facts.shape)
    return facts


def _read_config(folder: Path, model: str) -> Json:
    config = read_json(folder / "config.json")
    if not config:
        hint = "Is this the folder of a checkpoint?" if folder.is_dir() else HOW_TO_GET_A_MODEL
        raise ModelError(f"{folder} has no config.json.", hint=hint)
    if looks_usable(config):
        return config
    raise ModelError(
        f"Model {model!r} is {_architecture(config)!r}, which takes no pictures; an InternVL model is "
        "wanted, or another that turns pictures and text into text.",
        hint=HOW_TO_GET_A_MODEL,
    )


def _architecture(config: Json) -> str:
    """The first architecture named, or the kind of model where none is."""
    found = config.get("architectures") or [config.get("model_type", "nothing")]
    return str(found[0] if isinstance(found, list) else found)
