"""The small files of a checkpoint beside its config: tokens, chat template, and the identity of it all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from corridor_cli.engine.weights import refuse_lfs_pointer
from corridor_cli.errors import ModelError

DOWNLOAD_AGAIN = "The checkpoint is incomplete: download it again."

VOCABULARY_FILES = ("vocab.json", "merges.txt")

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
_IDENTITY_FILES = (
    "config.json", "generation_config.json", "preprocessor_config.json", "processor_config.json",
    "chat_template.jinja", "chat_template.json", "tokenizer.model", *VOCABULARY_FILES, *_TOKENIZER_FILES,
)  # fmt: skip

Json = dict[str, Any]


def read_json(path: Path) -> Json:
    """The file's table; empty when there is no such file."""
    if not path.is_file():
        return {}
    refuse_lfs_pointer(path)
    try:
        table = json.loads(path.read_bytes())
    except ValueError as error:
        raise ModelError(
            f"{path} is not valid JSON: {error}.", hint="Download the checkpoint again."
        ) from error
    if not isinstance(table, dict):
        raise ModelError(
            f"{path} holds {type(table).__name__}, not a table.", hint="Download the checkpoint again."
        )
    return table


def require_tokenizer(folder: Path, *, needs_json: bool) -> None:
    """Raise `ModelError` when no tokenizer lies here: one JSON file, or else a vocabulary and its merges."""
    if (folder / "tokenizer.json").is_file():
        refuse_lfs_pointer(folder / "tokenizer.json")
        return
    if not needs_json and all((folder / name).is_file() for name in VOCABULARY_FILES):
        return
    instead = "" if needs_json else f", and not both of {' and '.join(VOCABULARY_FILES)}"
    raise ModelError(f"{folder} has no tokenizer.json{instead}.", hint=DOWNLOAD_AGAIN)


def added_tokens(folder: Path) -> dict[str, int]:
    """The ids of the tokens that stand beside the vocabulary, from every file that may list them."""
    decoder = read_json(folder / "tokenizer_config.json").get("added_tokens_decoder") or {}
    ids = {entry["content"]: int(number) for number, entry in decoder.items()}
    listed = read_json(folder / "added_tokens.json")
    ids |= {name: number for name, number in listed.items() if isinstance(number, int)}
    added = read_json(folder / "tokenizer.json").get("added_tokens") or []
    return ids | {entry["content"]: entry["id"] for entry in added if isinstance(entry, dict)}


def end_token_ids(folder: Path, config: Json, text: Json) -> tuple[int, ...]:
    """Every id that any of the files calls an end of sequence, and `<|im_end|>` where it is one token."""
    ids = end_token_ids_if_any(folder, config, text)
    if not ids:
        raise ModelError(f"{folder} names no end-of-sequence token.", hint=DOWNLOAD_AGAIN)
    return ids


def end_token_ids_if_any(folder: Path, config: Json, text: Json) -> tuple[int, ...]:
    """The same; empty where no file names one."""
    tables = (read_json(folder / "generation_config.json"), config, text)
    stated = [table.get("eos_token_id") for table in tables]
    ids = {
        x for value in stated for x in (value if isinstance(value, list) else [value]) if isinstance(x, int)
    }
    eos = read_json(folder / "tokenizer_config.json").get("eos_token")
    names = {eos.get("content") if isinstance(eos, dict) else eos, "<|im_end|>"}
    ids |= {number for name, number in added_tokens(folder).items() if name in names}
    return tuple(sorted(ids))


def chat_template(folder: Path) -> str | None:
    """The chat template, from whichever of its three places has it."""
    if (folder / "chat_template.jinja").is_file():
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    for name in ("chat_template.json", "processor_config.json", "tokenizer_config.json"):
        template = read_json(folder / name).get("chat_template")
        if isinstance(template, str):
            return template
    return None


def identity(folder: Path, weights_digest: str) -> str:
    """A hash over every small file and the digest of the weights."""
    digest = hashlib.sha256(weights_digest.encode())
    for name in sorted(_IDENTITY_FILES):
        if (folder / name).is_file():
            digest.update(f"\0{name}\0".encode())
            digest.update((folder / name).read_bytes())
    return digest.hexdigest()
