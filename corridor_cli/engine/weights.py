"""Reads what a safetensors checkpoint says about itself, without torch and without touching a tensor.

Pickled weights are never opened. A folder that holds only those is refused.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corridor_cli.engine.local.shape import NetworkShape
from corridor_cli.engine.tensor_names import canonical_shapes, find_stored
from corridor_cli.errors import ModelError

INDEX_NAME = "model.safetensors.index.json"
SINGLE_NAME = "model.safetensors"

_MAX_HEADER_BYTES = 100_000_000
_SMALL_FILE_BYTES = 16 * 1024**2
_SAMPLE_BYTES = 4096
_NUM_SAMPLES = 256
_FLOATS = ("BF16", "F16", "F32", "F64")
_LFS_MARK = b"version https://git-lfs"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_LFS_HINT = "Fetch the real files with `git lfs pull`, or download the checkpoint again."


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor of a file. `dtype` is as safetensors writes it: `BF16`, `F32`."""

    file: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class Weights:
    """The tensors a checkpoint holds.

    `digest` covers each file's name, size and header, and of its numbers the whole of a small file and
    evenly spread samples of a large one, so that a model trained further under the same name differs.
    """

    files: tuple[str, ...]
    tensors: dict[str, StoredTensor]
    num_parameters: int
    digest: str


def read_weights(folder: Path) -> Weights:
    """Read the headers of all weight files. Raises `ModelError` for missing, torn or foreign ones."""
    names = _weight_files(folder)
    digest = hashlib.sha256()
    tensors: dict[str, StoredTensor] = {}
    for name in names:
        header, raw = _read_header(folder / name)
        digest.update(f"{name}\0{(folder / name).stat().st_size}\0".encode())
        digest.update(raw)
        _sample_numbers(folder / name, digest)
        tensors |= {
            tensor: StoredTensor(name, tuple(entry["shape"]), str(entry["dtype"]))
            for tensor, entry in header.items()
        }
    _check_index(folder, frozenset(tensors))
    num_parameters = sum(math.prod(tensor.shape) for tensor in tensors.values())
    return Weights(tuple(names), tensors, num_parameters, digest.hexdigest())


def check_layers(weights: Weights, folder: Path, num_text: int | None, num_vision: int | None) -> None:
    """Every layer the config counts must be among the tensors, and the projector and the embeddings too."""
    wanted = (
        ("language_model", r"language_model\.(?:model\.)?layers\.(\d+)\.", num_text),
        ("vision_tower", r"(?:vision_tower|vision_model)\.encoder\.layers?\.(\d+)\.", num_vision),
    )
    for tower, pattern, count in wanted:
        matches = (re.search(pattern, name) for name in weights.tensors)
        found = {int(match[1]) for match in matches if match}
        missing = sorted(set(range(count or 1)) - found)
        if missing:
            raise ModelError(
                f"The weights in {folder} lack {tower} layer {missing[0]} and {len(missing) - 1} others.",
                hint="The checkpoint is incomplete: download it again.",
            )
    for parts in (("multi_modal_projector.", "mlp1."), ("embed_tokens.", "tok_embeddings.")):
        if not any(part in name for name in weights.tensors for part in parts):
            raise ModelError(
                f"The weights in {folder} lack every `{parts[0]}*` tensor.",
                hint="The checkpoint is incomplete: download it again.",
            )


def check_tensors(weights: Weights, folder: Path, shape: NetworkShape) -> None:
    """Every tensor of the network must be there, in its shape and as floating-point numbers."""
    is_tied, missing = shape.text.is_tied, []
    for canonical, size in canonical_shapes(shape).items():
        stored = find_stored(canonical, weights.tensors, is_tied=is_tied)
        if stored is None:
            missing.append(canonical)
            continue
        found = weights.tensors[stored.name]
        where = f"{folder / found.file}: {stored.name}"
        wanted = stored.shape(size)
        if found.shape != wanted:
            raise ModelError(
                f"{where} has shape {list(found.shape)} where config.json asks for {list(wanted)}.",
                hint="The weights and the config are of different models: download the checkpoint again.",
            )
        if found.dtype not in _FLOATS:
            raise ModelError(
                f"{where} is of type {found.dtype}, allowed: {', '.join(_FLOATS)}.",
                hint="Use a checkpoint that is not quantized.",
            )
    if missing:
        raise ModelError(
            f"The weights in {folder} lack {len(missing)} tensors, such as {missing[0]}.",
            hint="The checkpoint is incomplete: download it again.",
        )


def refuse_lfs_pointer(path: Path) -> None:
    """Raise `ModelError` when the file is a git-lfs pointer instead of what it stands for."""
    with path.open("rb") as file:
        if file.read(len(_LFS_MARK)) == _LFS_MARK:
            raise ModelError(f"{path} is a git-lfs pointer, not the file itself.", hint=_LFS_HINT)


def _weight_files(folder: Path) -> list[str]:
    if (folder / INDEX_NAME).is_file():
        refuse_lfs_pointer(folder / INDEX_NAME)
        names = sorted(set(_weight_map(folder).values()))
        for name in names:
            if Path(name).name != name or not name.endswith(".safetensors"):
                raise ModelError(
                    f"{folder / INDEX_NAME} names {name!r}, which is not a safetensors file beside it."
                )
            if not (folder / name).is_file():
                hint = "The checkpoint is incomplete: download it again."
                raise ModelError(f"The shard {name} is missing from {folder}.", hint=hint)
        return names
    if (folder / SINGLE_NAME).is_file():
        return [SINGLE_NAME]
    pickles = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))
    if pickles:
        raise ModelError(
            f"{folder} holds only pickled weights ({pickles[0]}), which can run code and are never loaded.",
            hint="Use a checkpoint with safetensors files, or convert this one where you trust it.",
        )
    raise ModelError(
        f"{folder} holds no {SINGLE_NAME} and no {INDEX_NAME}.", hint="Download the checkpoint again."
    )


def _weight_map(folder: Path) -> dict[str, str]:
    try:
        index = json.loads((folder / INDEX_NAME).read_bytes())
        weight_map = index["weight_map"]
        if not isinstance(weight_map, dict) or not all(isinstance(name, str) for name in weight_map.values()):
            raise TypeError("weight_map is not a table of file names")
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder / INDEX_NAME} cannot be read: {error}.") from error
    return weight_map


def _check_index(folder: Path, tensor_names: frozenset[str]) -> None:
    if not (folder / INDEX_NAME).is_file():
        return
    missing = sorted(set(_weight_map(folder)) - tensor_names)
    if missing:
        raise ModelError(
            f"The shards in {folder} lack {len(missing)} tensors of their index, such as {missing[0]}.",
            hint="The checkpoint is incomplete: download it again.",
        )


def _sample_numbers(path: Path, digest: hashlib._Hash) -> None:
    """Feed a small file whole into the digest, of a large one `_NUM_SAMPLES` blocks: 1 MiB, not gigabytes."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= _SMALL_FILE_BYTES:
            digest.update(file.read())
            return
        for number in range(_NUM_SAMPLES):
            file.seek(max(0, size - _SAMPLE_BYTES) * number // (_NUM_SAMPLES - 1))
            digest.update(file.read(_SAMPLE_BYTES))


def _read_header(path: Path) -> tuple[dict[str, dict[str, Any]], bytes]:
    """The header's tensor entries and its raw bytes; the file must be as long as the header says."""
    refuse_lfs_pointer(path)
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or not 2 <= length <= min(_MAX_HEADER_BYTES, size - 8):
            raise ModelError(f"{path} is not a safetensors file.", hint="Download the checkpoint again.")
        raw = file.read(length)
    try:
        header: dict[str, dict[str, Any]] = json.loads(raw)
        header.pop("__metadata__", None)
        end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
        for entry in header.values():
            math.prod(entry["shape"])
            entry["dtype"].upper()
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ModelError(
            f"{path} has a broken safetensors header.", hint="Download the checkpoint again."
        ) from error
    if 8 + length + end != size:
        raise ModelError(
            f"{path} is {size} bytes long where its header asks for {8 + length + end}.",
            hint="The file was cut off: download the checkpoint again.",
        )
    return header, raw
