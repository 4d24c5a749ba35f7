"""What a checkpoint says about itself, read from its JSON files alone.

Main uses it for the caption key and the size of the pictures, so nothing here imports torch or transformers.
Nothing in the folder is ever run: `*.py` files are not looked at, pickles stay closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corridor_cli.engine.checkpoint_files import (
    DOWNLOAD_AGAIN,
    Json,
    chat_template,
    end_token_ids,
    identity,
    read_json,
)
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
from corridor_cli.engine.weights import check_layers, read_weights
from corridor_cli.errors import ModelError

ARCHITECTURE = "InternVLForConditionalGeneration"
OWN_TEXT_MODELS = ("qwen2", "qwen3")
SMALL_MODEL_PARAMETERS = 50_000_000

_ORIGINAL_ARCHITECTURE = "InternVLChatModel"
_BICUBIC = 3


class ForeignArchitectureError(ModelError):
    """The checkpoint is of another family, which the generic engine may run."""

    def __init__(self, message: str, *, architecture: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.architecture = architecture


@dataclass(frozen=True, slots=True)
class CheckpointInfo:
    """A usable InternVL checkpoint and its facts.

    `tile_px` is the side of a tile; `image_mean` and `image_std` are RGB on the 0..1 scale. `revision` is the
    hub commit, None for folders. `identity` is a hash over every JSON file and over each weight file's size,
    header and samples of its numbers: it names the model in the caption key.
    """

    model_id: str
    revision: str | None
    path: str
    tile_px: int
    tokens_per_tile: int
    image_mean: tuple[float, float, float]
    image_std: tuple[float, float, float]
    max_tiles: int
    image_token_id: int
    end_token_ids: tuple[int, ...]
    chat_template: str | None
    text_model_type: str
    num_parameters: int
    weight_files: tuple[str, ...]
    identity: str

    @property
    def is_small(self) -> bool:
        """Whether the model is so small that 16-bit arithmetic buys nothing."""
        return self.num_parameters < SMALL_MODEL_PARAMETERS


def read_checkpoint(model: str | None, revision: str | None) -> CheckpointInfo:
    """Find `model` (`tiny`, a folder, or a hub id) and read its facts, fetching it from the hub if need be.

    Raises `ModelError` when it cannot be found, is not an HF-native InternVL, or is not whole.
    """
    if not model:
        raise ModelError("No model was given.", hint=HOW_TO_GET_A_MODEL)
    if model == BUNDLED_MODEL or not is_hub_id(model):
        return _read_folder(find_local_folder(model), model, None)
    cached = find_cached_snapshot(model, revision)
    if cached is not None:
        try:
            return _read_folder(cached, model, cached.name)
        except ForeignArchitectureError:
            raise  # the same on the hub
        except ModelError:
            if is_offline():
                raise
    if is_offline():
        raise ModelError(
            f"Model {model!r} is not in the local cache, and the network is off.", hint=HOW_TO_GET_A_MODEL
        )
    folder = download_snapshot(model, revision, SMALL_PATTERNS)
    _read_config(folder, model)  # refused before gigabytes of weights are fetched
    folder = download_snapshot(model, revision, DATA_PATTERNS)
    return _read_folder(folder, model, folder.name)


def _read_folder(folder: Path, model: str, revision: str | None) -> CheckpointInfo:
    try:
        return _read_facts(folder, model, revision)
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # a value of a shape nobody expects
        raise ModelError(f"The JSON files in {folder} cannot be understood: {error}.") from error
    except OSError as error:
        raise ModelError(f"{folder} cannot be read: {error.strerror}.") from error


def _read_facts(folder: Path, model: str, revision: str | None) -> CheckpointInfo:
    config = _read_config(folder, model)
    processor = read_json(folder / "processor_config.json")
    pixels = read_json(folder / "preprocessor_config.json") or processor.get("image_processor") or {}
    if not pixels:
        raise ModelError(f"{folder} has no preprocessor_config.json.", hint=DOWNLOAD_AGAIN)
    if not (folder / "tokenizer.json").is_file():
        raise ModelError(f"{folder} has no tokenizer.json.", hint=DOWNLOAD_AGAIN)
    weights = read_weights(folder)
    text, vision = config.get("text_config") or {}, config.get("vision_config") or {}
    check_layers(weights, folder, text.get("num_hidden_layers"), vision.get("num_hidden_layers"))
    tile_px = _tile_px(pixels, vision, folder)
    return CheckpointInfo(
        model_id=model,
        revision=revision,
        path=str(folder),
        tile_px=tile_px,
        tokens_per_tile=_tokens_per_tile(config, processor, vision, tile_px, folder),
        image_mean=_three(pixels, "image_mean", folder),
        image_std=_three(pixels, "image_std", folder),
        max_tiles=int(pixels.get("max_patches") or 1),
        image_token_id=_whole(config, "image_token_id", folder),
        end_token_ids=end_token_ids(folder, config, text),
        chat_template=chat_template(folder),
        text_model_type=str(text.get("model_type", "qwen2")),
        num_parameters=weights.num_parameters,
        weight_files=weights.files,
        identity=identity(folder, weights.digest),
    )


def _read_config(folder: Path, model: str) -> Json:
    config = read_json(folder / "config.json")
    if not config:
        hint = "Is this the folder of a checkpoint?" if folder.is_dir() else HOW_TO_GET_A_MODEL
        raise ModelError(f"{folder} has no config.json.", hint=hint)
    found = config.get("architectures") or [config.get("model_type", "nothing")]
    if found == [ARCHITECTURE]:
        return config
    if _ORIGINAL_ARCHITECTURE in found:
        twin = f"`{model}-hf`" if is_hub_id(model) else "its `-hf` twin, such as `OpenGVLab/InternVL3-2B-hf`"
        raise ModelError(
            f"Model {model!r} has the original {_ORIGINAL_ARCHITECTURE} layout, which is not supported yet.",
            hint=f"Use {twin}: the same weights, and no code of its own.",
        )
    name = str(found[0] if isinstance(found, list) else found)
    raise ForeignArchitectureError(
        f"Model {model!r} is {name!r}; {ARCHITECTURE} is needed.", architecture=name, hint=HOW_TO_GET_A_MODEL
    )


def _whole(table: Json, key: str, folder: Path) -> int:
    value = table.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ModelError(f"{folder}: {key} is {value!r}, not a whole number.", hint=DOWNLOAD_AGAIN)
    return value


def _three(pixels: Json, key: str, folder: Path) -> tuple[float, float, float]:
    value = pixels.get(key)
    if not isinstance(value, list) or len(value) != 3 or not all(isinstance(x, int | float) for x in value):
        raise ModelError(f"{folder}: {key} is {value!r}, not three numbers.", hint=DOWNLOAD_AGAIN)
    return float(value[0]), float(value[1]), float(value[2])


def _tile_px(pixels: Json, vision: Json, folder: Path) -> int:
    size = pixels.get("size")
    if not isinstance(size, dict) or size.get("height") != size.get("width") or not size.get("height"):
        raise ModelError(
            f"{folder}: the tile size is {size!r}, not equal height and width.", hint=DOWNLOAD_AGAIN
        )
    tile_px = _whole(size, "height", folder)
    if pixels.get("resample", _BICUBIC) != _BICUBIC:
        raise ModelError(
            f"{folder}: resample is {pixels['resample']!r}; only bicubic ({_BICUBIC}) is supported."
        )
    if _side(vision, "image_size", 448) != tile_px:
        raise ModelError(
            f"{folder}: tiles of {tile_px} px, but image_size is {vision.get('image_size', 448)!r}."
        )
    return tile_px


def _tokens_per_tile(config: Json, processor: Json, vision: Json, tile_px: int, folder: Path) -> int:
    ratio = float(config.get("downsample_ratio", 0.5))
    computed: int = round((tile_px // _side(vision, "patch_size", 14)) ** 2 * ratio**2)
    stated = processor.get("image_seq_length") or config.get("image_seq_length") or computed
    if stated != computed:
        raise ModelError(f"{folder}: image_seq_length is {stated!r}, but the patches give {computed}.")
    return computed


def _side(vision: Json, key: str, absent: int) -> int:
    """A side in pixels; a config leaves out what equals its format's default, given as `absent`."""
    value = vision.get(key, absent)
    side: Any = value[0] if isinstance(value, list) and value else value
    if isinstance(side, int) and side > 0:
        return int(side)
    return absent
