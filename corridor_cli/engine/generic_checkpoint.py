"""What any image-text-to-text checkpoint says about itself, read from its JSON files alone; and who runs it.

Main uses it as it does `checkpoint.py`, so nothing here imports torch or transformers. Whether transformers
knows the family is found out where the network is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corridor_cli.engine.checkpoint import (
    OWN_TEXT_MODELS,
    SMALL_MODEL_PARAMETERS,
    CheckpointInfo,
    ForeignArchitectureError,
    read_checkpoint,
)
from corridor_cli.engine.checkpoint_files import DOWNLOAD_AGAIN, Json, end_token_ids, identity, read_json
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
from corridor_cli.engine.weights import read_weights
from corridor_cli.errors import ModelError

DEFAULT_LONGEST_PX = 1024

_SIZE_KEYS = ("size", "crop_size", "max_image_size")
_MIN_LONGEST_PX = 448
_MAX_LONGEST_PX = 2048
_LONGEST_SIDE_PX = 8192
_OVERSAMPLING = 2  # main sends frames of twice `tile_px` in each direction, see `runners/local.py`


@dataclass(frozen=True, slots=True)
class GenericCheckpoint:
    """A checkpoint for the generic engine; the fields are those of `CheckpointInfo` that mean anything here.

    `tile_px` bounds the frames main sends, as if they were cut into tiles of that side.
    """

    model_id: str
    revision: str | None
    path: str
    tile_px: int
    end_token_ids: tuple[int, ...]
    num_parameters: int
    weight_files: tuple[str, ...]
    identity: str

    @property
    def is_small(self) -> bool:
        """Whether the model is so small that 16-bit arithmetic buys nothing."""
        return self.num_parameters < SMALL_MODEL_PARAMETERS

    def max_frame_px(self, max_tiles: int) -> int:
        """The side of the largest square frame main sends."""
        return int(_OVERSAMPLING * self.tile_px * max_tiles**0.5)


def read_model(engine: str, model: str | None, revision: str | None) -> CheckpointInfo | GenericCheckpoint:
    """The facts of the checkpoint that the engine `local` or `generic` of the settings would run.

    Raises `ModelError` when it cannot be found, is not whole, or is of a kind neither runs.
    """
    if engine == "generic" or why_generic(model, revision):
        return read_generic_checkpoint(model, revision)
    return read_checkpoint(model, revision)


def why_generic(model: str | None, revision: str | None) -> str:
    """Why the local engine cannot run this checkpoint; empty when it can."""
    try:
        info = read_checkpoint(model, revision)
    except ForeignArchitectureError as error:
        return f"the local engine does not run {error.architecture}"
    if info.text_model_type not in OWN_TEXT_MODELS:
        return f"the local engine does not run language models of type {info.text_model_type}"
    return ""


def read_generic_checkpoint(model: str | None, revision: str | None) -> GenericCheckpoint:
    """Find `model` and read its facts, fetching it from the hub if need be. Raises `ModelError`."""
    if not model:
        raise ModelError("No model was given.", hint=HOW_TO_GET_A_MODEL)
    if model == BUNDLED_MODEL or not is_hub_id(model):
        return _read_folder(find_local_folder(model), model, None)
    cached = find_cached_snapshot(model, revision)
    if cached is not None:
        try:
            return _read_folder(cached, model, cached.name)
        except ModelError:
            if is_offline():
                raise
    if is_offline():
        raise ModelError(
            f"Model {model!r} is not in the local cache, and the network is off.", hint=HOW_TO_GET_A_MODEL
        )
    _read_config(download_snapshot(model, revision, SMALL_PATTERNS), model)  # refused before the weights come
    folder = download_snapshot(model, revision, DATA_PATTERNS)
    return _read_folder(folder, model, folder.name)


def _read_folder(folder: Path, model: str, revision: str | None) -> GenericCheckpoint:
    try:
        config = _read_config(folder, model)
        weights = read_weights(folder)
        return GenericCheckpoint(
            model_id=model,
            revision=revision,
            path=str(folder),
            tile_px=longest_px(_pixels(folder)) // _OVERSAMPLING,
            end_token_ids=end_token_ids(folder, config, config.get("text_config") or {}),
            num_parameters=weights.num_parameters,
            weight_files=weights.files,
            identity=identity(folder, weights.digest),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # a value of a shape nobody expects
        raise ModelError(f"The JSON files in {folder} cannot be understood: {error}.") from error
    except OSError as error:
        raise ModelError(f"{folder} cannot be read: {error.strerror}.") from error


def _read_config(folder: Path, model: str) -> Json:
    """The config of a network that looks at pictures and writes text. Raises `ModelError` for others."""
    config = read_json(folder / "config.json")
    if not config:
        hint = "Is this the folder of a checkpoint?" if folder.is_dir() else HOW_TO_GET_A_MODEL
        raise ModelError(f"{folder} has no config.json.", hint=hint)
    if not _pixels(folder):
        raise ModelError(
            f"Model {model!r} is {architecture(config)!r} and says nothing of pictures (no "
            "preprocessor_config.json); a model that turns pictures into text is needed.",
            hint=HOW_TO_GET_A_MODEL,
        )
    if not (folder / "tokenizer.json").is_file() and not (folder / "tokenizer.model").is_file():
        raise ModelError(f"{folder} has no tokenizer.json.", hint=DOWNLOAD_AGAIN)
    return config


def architecture(config: Json) -> str:
    """The first name the config gives its network."""
    names = config.get("architectures") or [config.get("model_type", "nothing")]
    return str(names[0] if isinstance(names, list) else names)


def _pixels(folder: Path) -> Json:
    """How the checkpoint wants its pictures; empty when no file says so."""
    nested = read_json(folder / "processor_config.json").get("image_processor")
    return read_json(folder / "preprocessor_config.json") or (nested if isinstance(nested, dict) else {})


def longest_px(pixels: Json) -> int:
    """The side of the largest square frame worth sending for one tile.

    Twice the sides that frames are brought to, so that the resize has something to filter. A limit, of a side
    or of an area, is enough as it is, and more than `DEFAULT_LONGEST_PX` is what `max_tiles` is for.
    """
    limits = [_number(pixels.get("max_pixels")), *(_limit(pixels.get(key)) for key in _SIZE_KEYS)]
    sides = [side for key in _SIZE_KEYS for side in _fixed_sides(pixels.get(key))]
    if any(limits):
        return max(_MIN_LONGEST_PX, min(DEFAULT_LONGEST_PX, max(map(_as_side, limits))))
    if not sides:
        return DEFAULT_LONGEST_PX
    return max(_MIN_LONGEST_PX, min(_MAX_LONGEST_PX, 2 * max(sides)))


def _limit(size: Any) -> int:
    """The limit a size names, 0 for none."""
    return _number(size.get("longest_edge")) if isinstance(size, dict) else 0


def _fixed_sides(size: Any) -> Iterator[int]:
    values = size.values() if isinstance(size, dict) else [size]
    yield from (number for value in values if (number := _number(value)))


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _as_side(limit: int) -> int:
    """Some families call an area `longest_edge`: no side is so long."""
    return limit if limit <= _LONGEST_SIDE_PX else int(limit**0.5)
