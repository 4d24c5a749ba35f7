"""Opens what a checkpoint is made of: its tensors by their canonical names, and its tokenizer."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from corridor_cli.engine.checkpoint import CheckpointInfo
from corridor_cli.engine.checkpoint_files import added_tokens, read_json
from corridor_cli.engine.local.dummy import DummySource, dummy_tokenizer
from corridor_cli.engine.local.tensors import TensorSource
from corridor_cli.engine.tensor_names import find_stored
from corridor_cli.errors import ModelError

_DOWNLOAD_AGAIN = "The checkpoint is incomplete or was changed: download it again."


def open_source(info: CheckpointInfo, device: str, dtype: torch.dtype) -> TensorSource:
    """Every tensor of the model, given on `device` in `dtype`. Raises `ModelError`.

    `info.shape` must be known. A tensor that needs neither move nor conversion is a view of the mapped file.
    """
    assert info.shape is not None, info.unsupported_because
    if info.layout == "dummy":
        return DummySource(device, dtype)
    files = [Path(info.path) / name for name in info.weight_files]
    return SafetensorsSource(files, device, dtype, is_tied=info.shape.text.is_tied)


class SafetensorsSource:
    """A `TensorSource` over safetensors files of any InternVL layout, mapped and not read ahead."""

    def __init__(self, files: list[Path], device: str, dtype: torch.dtype, *, is_tied: bool) -> None:
        self._device = device
        self._dtype = dtype
        self._is_tied = is_tied
        self._files = files
        self._shard_of: Mapping[str, tuple[Path, Any]] = {
            name: (file, shard) for file in files for shard in [_open(file)] for name in _names(shard)
        }

    def tensor(self, name: str, shape: tuple[int, ...]) -> torch.Tensor:
        stored = find_stored(name, self._shard_of, is_tied=self._is_tied)
        if stored is None:
            where = ", ".join(map(str, self._files))
            raise ModelError(f"{name} is missing from {where}.", hint=_DOWNLOAD_AGAIN)
        file, shard = self._shard_of[stored.name]
        try:
            rows = shard.get_slice(stored.name)
            found, wanted = tuple(rows.get_shape()), stored.shape(shape)
            if found != wanted:
                raise ModelError(
                    f"{file}: {stored.name} has shape {list(found)} where {list(wanted)} is wanted.",
                    hint=_DOWNLOAD_AGAIN,
                )
            if stored.third is None:
                tensor = shard.get_tensor(stored.name)
            else:
                tensor = rows[stored.third * shape[0] : (stored.third + 1) * shape[0]]
        except SafetensorError as error:
            problem = f"{file}: {stored.name} cannot be read: {error}."
            raise ModelError(problem, hint=_DOWNLOAD_AGAIN) from error
        assert isinstance(tensor, torch.Tensor)
        return tensor.to(device=self._device, dtype=self._dtype)


def load_tokenizer(info: CheckpointInfo) -> Any:
    """The tokenizer of any layout or preset, a transformers one. Raises `ModelError`.

    AutoProcessor is no choice: its video half needs torchvision.
    """
    silence_transformers()
    if info.layout == "dummy":
        return dummy_tokenizer()
    from transformers import PreTrainedTokenizerFast

    folder = Path(info.path)
    try:
        if info.layout != "original" and _is_plain(folder):
            return PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
        if info.layout != "original":
            from transformers import AutoTokenizer  # 0.7 s, which a plain one does without

            return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if (folder / "tokenizer.json").is_file():  # named, as the config is of a kind only its code knows
            return PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
        return _join_vocabulary(folder)
    except Exception as error:  # transformers raises any type for a tokenizer it cannot take
        first_line = next(iter(str(error).strip().splitlines()), "")
        raise ModelError(f"The tokenizer in {info.path} cannot be loaded: {first_line[:300]}") from error


def _is_plain(folder: Path) -> bool:
    """Whether tokenizer.json is all there is to the tokenizer: AutoTokenizer would look through every model
    that transformers knows, most of a second, and come to the same."""
    kind = read_json(folder / "tokenizer_config.json").get("tokenizer_class")
    return kind in ("TokenizersBackend", "PreTrainedTokenizerFast") and (folder / "tokenizer.json").is_file()


def _join_vocabulary(folder: Path) -> Any:
    """A Qwen2 tokenizer from its parts, the added tokens under the very ids their files give.

    `from_pretrained` would number them on from the end of the vocabulary, which is right only without gaps.
    """
    from transformers import AddedToken, Qwen2Tokenizer

    config = read_json(folder / "tokenizer_config.json")
    entries = {entry["content"]: entry for entry in (config.get("added_tokens_decoder") or {}).values()}
    added = added_tokens(folder)
    lines = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()
    merges = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    names = {
        key: value["content"] if isinstance(value, dict) else value
        for key in ("eos_token", "pad_token")
        if (value := config.get(key)) is not None
    }
    tokenizer = Qwen2Tokenizer(
        vocab=read_json(folder / "vocab.json") | added,
        merges=merges,
        clean_up_tokenization_spaces=False,
        **names,
    )
    for name in added:
        is_special = bool(entries.get(name, {}).get("special", True))
        tokenizer.add_tokens([AddedToken(name, special=is_special, normalized=False)], is_special)
    return tokenizer


def silence_transformers() -> None:
    """No progress bars and no advice on the terminal; errors still come as exceptions."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity(logging.ERROR)


def _names(shard: Any) -> list[str]:
    return list(shard.keys())


def _open(file: Path) -> Any:
    try:
        return safe_open(file, framework="pt", device="cpu")
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{file} cannot be opened: {error}.", hint=_DOWNLOAD_AGAIN) from error
