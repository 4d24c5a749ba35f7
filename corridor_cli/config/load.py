"""Settings for a run: which file counts, what overrides what, and where each value came from.

Flag over `VLMTL_*` environment over file over default. Everything wrong in all of them is told at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from corridor_cli.config.check import check
from corridor_cli.config.given import DEFAULT, Complaint, Given, Origin
from corridor_cli.config.keys import known_keys, section_names
from corridor_cli.config.sources import Override, from_environment, from_file, from_flags
from corridor_cli.config.yaml_tree import MAX_FILE_BYTES
from corridor_cli.errors import ConfigError
from corridor_cli.printable import printable
from corridor_cli.prompts import PromptError, resolve
from corridor_cli.settings import Settings

LOCAL_FILE = Path("config/processing.yaml")
_MAX_COMPLAINTS = 20


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Valid settings, the origin of each by dotted name, the file read, and a sentence about that choice."""

    settings: Settings
    origins: Mapping[str, Origin]
    source: Path | None
    note: str


def packaged_file() -> Path:
    """The commented settings file that comes with the package; it holds the defaults."""
    return Path(__file__).parent.parent / "processing.yaml"


def load_settings(
    config_file: Path | None, overrides: Sequence[Override], environ: Mapping[str, str]
) -> LoadedSettings:
    """Settings from `config_file`, else from `./config/processing.yaml` if there, else the defaults; under
    the environment and the overrides. Raises `ConfigError` with every problem, one a line."""
    source, note = _choose(config_file)
    found = from_file(_read(source), str(source)) if source else []
    found += [*from_environment(environ), *from_flags(overrides)]
    values, origins, complaints = _merge(found)
    settings = Settings()
    if not complaints:
        settings = _build(Settings, values, "")
        try:
            settings = replace(settings, caption=resolve(settings.caption))
        except PromptError as error:
            origin = origins.get(error.setting, origins["caption.prompt"])
            complaints = [Complaint(origin, f"{error.setting}: {error}")]
    if complaints:
        lines = [str(complaint) for complaint in complaints[:_MAX_COMPLAINTS]]
        if len(complaints) > _MAX_COMPLAINTS:
            num_more = len(complaints) - _MAX_COMPLAINTS
            lines.append(f"{complaints[_MAX_COMPLAINTS].origin.place}: and {num_more} more from here on")
        is_file = any(complaint.origin.kind == "file" for complaint in complaints)
        hint = "`vlmtl config init` writes a commented file to start from." if is_file else ""
        raise ConfigError("\n".join(lines), hint=hint or "`vlmtl config show` lists the settings.")
    return LoadedSettings(settings, origins, source, note)


def _choose(config_file: Path | None) -> tuple[Path | None, str]:
    if config_file is not None:
        return config_file, f"settings from {printable(config_file)}"
    if LOCAL_FILE.is_file():
        return LOCAL_FILE, f"settings from ./{LOCAL_FILE}, found in the current folder"
    return None, "default settings"


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"{printable(file)}: cannot be read: {error.strerror}",
            hint="Give an existing file with -c, or write one with `vlmtl config init`.",
        ) from error


def _merge(
    found: Sequence[Given | Complaint],
) -> tuple[dict[str, object], dict[str, Origin], list[Complaint]]:
    values: dict[str, object] = {}
    origins = dict.fromkeys(known_keys(), DEFAULT)
    complaints: list[Complaint] = []
    for item in found:
        result = item if isinstance(item, Complaint) else check(item)
        if isinstance(result, Complaint):
            complaints.append(result)
        elif isinstance(item, Given):
            values[item.name] = result
            origins[item.name] = item.origin
    complaints.sort(key=lambda item: (item.origin.kind != "file", item.origin.line, item.origin.column))
    return values, origins, complaints


def _build(section: Any, values: Mapping[str, object], prefix: str) -> Any:
    """The dataclass of a section with the values given for it; a field without one keeps its default."""
    arguments: dict[str, object] = {}
    for field in fields(section):
        name = prefix + field.name
        if name in section_names():
            # A section's default factory is its dataclass; field.type is only the class's name.
            arguments[field.name] = _build(field.default_factory, values, f"{name}.")
        elif known_keys()[name].is_mapping:
            entries = [key for key in values if key.startswith(f"{name}.")]
            arguments[field.name] = {key[len(name) + 1 :]: values[key] for key in entries}
        elif name in values:
            arguments[field.name] = values[name]
    return section(**arguments)
