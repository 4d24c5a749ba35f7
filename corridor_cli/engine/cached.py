"""Which checkpoints that take pictures lie in the local Hugging Face cache, and whether each is whole.

Read from the cache's own folders: `models--OWNER--NAME`, with `refs/` (a name to a commit) and `snapshots/`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from corridor_cli.engine.checkpoint import looks_usable, read_snapshot
from corridor_cli.errors import ModelError

EngineName = Literal["local", "generic"]
_PREFIX = "models--"
_MAX_CONFIG_BYTES = 16 * 1024**2


@dataclass(frozen=True, slots=True)
class CachedModel:
    """A snapshot of a hub repository. `names` are the branches and tags that point to it.

    `engine` says which of ours runs it and `reason` why not `local`; both are empty where it is not whole,
    and `problem` then says what is wrong. `num_parameters` is None there.
    """

    model: str
    commit: str
    names: tuple[str, ...]
    folder: str
    size_bytes: int
    num_parameters: int | None
    engine: EngineName | None
    reason: str
    problem: str


def cached_models(cache: Path) -> Iterator[CachedModel]:
    """All snapshots in the cache that turn pictures and text into text, by name."""
    for repository in _folders(cache):
        owner, dashes, name = repository.name.removeprefix(_PREFIX).partition("--")
        if not repository.name.startswith(_PREFIX) or not dashes:
            continue
        names_of = _names(repository / "refs")
        for snapshot in _folders(repository / "snapshots"):
            if _is_wanted(snapshot):
                yield _looked_at(f"{owner}/{name}", snapshot, tuple(names_of.get(snapshot.name, ())))


def engine_of(shape: object, unsupported_because: str) -> tuple[EngineName, str]:
    """The engine that runs a checkpoint, and why it is not `local`."""
    return ("local", "") if shape is not None else ("generic", unsupported_because)


def _looked_at(model: str, snapshot: Path, names: tuple[str, ...]) -> CachedModel:
    size = _size_bytes(snapshot)
    try:
        info = read_snapshot(snapshot, model)
    except ModelError as error:
        return CachedModel(model, snapshot.name, names, str(snapshot), size, None, None, "", error.message)
    engine, reason = engine_of(info.shape, info.unsupported_because)
    count = info.num_parameters
    return CachedModel(model, snapshot.name, names, str(snapshot), size, count, engine, reason, "")


def _is_wanted(snapshot: Path) -> bool:
    """Whether its config is that of a model that takes pictures; one that cannot be read is none."""
    try:
        with (snapshot / "config.json").open("rb") as file:
            config = json.loads(file.read(_MAX_CONFIG_BYTES))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and looks_usable(config)


def _names(refs: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for folder, _, files in os.walk(refs):
        for file in sorted(files):
            path = Path(folder) / file
            try:
                commit = path.read_text(encoding="ascii").strip()
            except (OSError, ValueError):
                continue
            found.setdefault(commit, []).append(str(path.relative_to(refs)))
    return found


def _folders(parent: Path) -> list[Path]:
    try:
        return sorted(path for path in parent.iterdir() if path.is_dir())
    except OSError:  # not there, or it may not be looked into
        return []


def _size_bytes(snapshot: Path) -> int:
    """What its files take; a link whose file is missing takes nothing."""
    size = 0
    for folder, _, files in os.walk(snapshot):
        for file in files:
            path = Path(folder) / file
            size += path.stat().st_size if path.is_file() else 0
    return size
