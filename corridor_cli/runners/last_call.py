"""How a run was called, written down and read again: the same settings, wherever the next command runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from corridor_cli.config import LoadedSettings, Override
from corridor_cli.config.keys import known_keys
from corridor_cli.engine.locate import BUNDLED_MODEL
from corridor_cli.timeline.last_run import LastRun

# Settings that may be paths, and are then read from the current folder.
_PATHS = ("scenes.cuts", "gpu_pipeline.internvl3.model")


def describe_run(inputs: Sequence[str], loaded: LoadedSettings, arguments: Sequence[str]) -> LastRun:
    """What is to be remembered of a run that begins now, in the current folder."""
    values = _flat(asdict(loaded.settings))
    given = {
        name: _as_text(name, values[name])
        for name, origin in loaded.origins.items()
        if origin.kind in ("flag", "environment") and name in known_keys()
    }
    return LastRun(
        began_at=datetime.now(UTC).isoformat(timespec="seconds"),
        folder=str(Path.cwd()),
        inputs=tuple(str(Path(text).absolute()) for text in inputs),
        config=None if loaded.source is None else str(loaded.source.absolute()),
        given=given,
        arguments=tuple(arguments),
    )


def overrides_of(run: LastRun) -> list[Override]:
    """What the run's flags and variables gave, as flags; settings that are no more are left out, and how it
    was told what went on: whoever asks now is not who had it quiet."""
    return [
        Override(name, value, name)
        for name, value in run.given.items()
        if name in known_keys() and not name.startswith("logging.")
    ]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _as_text(name: str, value: object) -> str | tuple[str, ...]:
    if isinstance(value, (tuple, list)):
        return tuple(str(item) for item in value)
    if isinstance(value, bool) or value is None:
        return "null" if value is None else str(value).lower()
    text = str(value)
    is_path = name in _PATHS and text != BUNDLED_MODEL and os.path.lexists(text)
    return str(Path(text).absolute()) if is_path else text
