"""How the latest run in an output folder was called: what `vlmtl status` measures the folder by.

A note for people and nothing else: no run reads it, and it may be deleted.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from corridor_cli.timeline.commit import write_atomically

_MAX_BYTES = 16 * 1024**2


@dataclass(frozen=True, slots=True)
class LastRun:
    """A run as it was called. `inputs` and `config` are absolute paths, `folder` is where it was called.

    `given` are the settings that flags and the environment gave, as texts; `config` is the settings file that
    was read, None where there was none. `arguments` is the command line behind `vlmtl`, empty where the run
    was begun otherwise.
    """

    began_at: str
    folder: str
    inputs: tuple[str, ...]
    config: str | None
    given: dict[str, str | tuple[str, ...]]
    arguments: tuple[str, ...]


def save_last_run(path: Path, run: LastRun) -> None:
    """Put the note where the next `vlmtl status` finds it. Raises `StorageError`."""
    # Not synced: after a power cut the note may be gone, and then the inputs have to be named.
    write_atomically(path, json.dumps(asdict(run), indent=2).encode("ascii") + b"\n", fsync=False)


def load_last_run(path: Path) -> LastRun | None:
    """The note, or None where there is none that can be used."""
    try:
        with path.open("rb") as file:
            note = json.loads(file.read(_MAX_BYTES))
        return LastRun(
            began_at=_text(note["began_at"]),
            folder=_text(note["folder"]),
            inputs=_texts(note["inputs"]),
            config=None if note["config"] is None else _text(note["config"]),
            given={_text(name): _given(value) for name, value in note["given"].items()},
            arguments=_texts(note["arguments"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _given(value: Any) -> str | tuple[str, ...]:
    return _text(value) if isinstance(value, str) else _texts(value)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_text(each) for each in value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"got {value!r}, allowed: a text")
    return value
