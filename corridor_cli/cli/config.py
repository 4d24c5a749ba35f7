"""`vlmtl config`: show what a run would use, check a file, write a file to start from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corridor_cli.cli.options import ConfigFile, Set, ask_for_command, read_sets
from corridor_cli.cli.results import show
from corridor_cli.errors import StorageError, UsageError
from corridor_cli.printable import printable

if TYPE_CHECKING:
    from corridor_cli.config import LoadedSettings

app = typer.Typer(help="Show, check and write settings.", rich_markup_mode=None)
app.callback(invoke_without_command=True)(ask_for_command)


@app.command("show", short_help="Print the settings a run would use.")
def show_settings(
    config: ConfigFile = None,
    sets: Set = None,
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value comes from.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: source, settings, origins.")] = False,
) -> None:
    """Print the settings a run would use here and now, as YAML that -c accepts."""
    import json
    from dataclasses import asdict

    from corridor_cli.config import load_settings

    loaded = load_settings(config, read_sets(sets or []), os.environ)
    if not as_json:
        show(f"# {loaded.note}\n" + "\n".join(_yaml_lines(loaded, with_origin=origin)))
        return
    document = {
        "source": str(loaded.source) if loaded.source else None,
        "settings": asdict(loaded.settings),
        "origins": {name: str(origin) for name, origin in loaded.origins.items()},
    }
    show(json.dumps(document, indent=2))


@app.command(short_help="Check a settings file.")
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The settings file to check.")],
) -> None:
    """Tell everything that is wrong with a settings file; exit code 2 if anything is."""
    from corridor_cli.config import load_settings
    from corridor_cli.telemetry import counted

    loaded = load_settings(file, [], {})
    num_given = sum(origin.kind == "file" for origin in loaded.origins.values())
    show(f"{printable(file)}: good, {counted(num_given, 'setting')} given")


@app.command(short_help="Write a commented settings file.")
def init(
    path: Annotated[
        Path, typer.Argument(metavar="[PATH]", help="Where to write it.", show_default=True)
    ] = Path("config/processing.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a settings file with every setting, its default and what it does."""
    from corridor_cli.config import packaged_file

    data = packaged_file().read_bytes()
    target = path / "processing.yaml" if path.is_dir() else path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # "x" refuses whatever is there, a dangling link included, without a moment between look and write.
        with target.open("wb" if force else "xb") as stream:
            stream.write(data)
    except FileExistsError as error:
        raise UsageError(
            f"{printable(target)}: is there already, allowed: a path that is free",
            hint="Give --force to replace it, or another PATH.",
        ) from error
    except OSError as error:
        raise StorageError(f"{printable(target)}: cannot be written: {error.strerror}") from error
    show(printable(target))


def _yaml_lines(loaded: LoadedSettings, *, with_origin: bool) -> list[str]:
    """The settings as YAML, one line for each value, sections indented by two."""
    from dataclasses import asdict

    lines: list[str] = []

    def add(values: dict[str, object], prefix: str, indent: str) -> None:
        for name, value in values.items():
            full = prefix + name
            if isinstance(value, dict) and value:
                lines.append(f"{indent}{yaml_value(name)}:")
                add(value, f"{full}.", f"{indent}  ")
            else:
                comment = f"  # {loaded.origins[full]}" if with_origin else ""
                lines.append(f"{indent}{yaml_value(name)}: {yaml_value(value)}{comment}")

    add(asdict(loaded.settings), "", "")
    return lines


def yaml_value(value: object) -> str:
    """A value as YAML on one line. JSON is YAML; texts that need no quotes go without."""
    import json
    import re

    from corridor_cli.config.yaml_tree import parse_scalar

    if isinstance(value, (list, tuple)):
        return f"[{', '.join(yaml_value(item) for item in value)}]"
    if (
        isinstance(value, str)
        and re.fullmatch(r"[A-Za-z0-9_.][A-Za-z0-9_./ -]*", value)
        and "  " not in value
    ):
        return value if isinstance(parse_scalar(value), str) and value == value.strip() else json.dumps(value)
    return json.dumps(value)
