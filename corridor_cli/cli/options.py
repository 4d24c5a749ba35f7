"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from corridor_cli.errors import ExitCode, UsageError
from corridor_cli.printable import printable

if TYPE_CHECKING:
    from corridor_cli.config import Override

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "-c", "--config", metavar="FILE", help="Settings file; else ./config/processing.yaml if it is there."
    ),
]
Model = Annotated[
    str | None, typer.Option(metavar="MODEL", help="Hugging Face id, local folder, or tiny (bundled).")
]
Device = Annotated[str | None, typer.Option(metavar="auto|cpu|cuda[:N]", help="Where the model runs.")]
Engine = Annotated[
    str | None,
    typer.Option(metavar="local|generic|echo", help="What runs the model; echo makes captions up."),
]
LoadFormat = Annotated[
    str | None, typer.Option(metavar="auto|dummy", help="The model's weights, or random ones to measure.")
]
Preset = Annotated[str | None, typer.Option(metavar="SIZE", help="With dummy: internvl3-1b, -2b or -8b.")]
Prompt = Annotated[
    str | None,
    typer.Option(metavar="TEXT|@NAME", help="What to ask: a text, or @dense, @archive, @file.txt …"),
]
Mode = Annotated[
    str | None, typer.Option(metavar="frames|scene", help="Caption each pick, or a scene's picks together.")
]
Summary = Annotated[
    bool, typer.Option("--summary", help="Also ask for a title, synopsis and tags of each video.")
]
Transcripts = Annotated[
    str | None, typer.Option(metavar="beside|FOLDER", help="Where what is said stands (SRT, VTT, JSON).")
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Set one setting, as caption.max_new_tokens=64; repeatable."
    ),
]
Cuts = Annotated[
    str | None,
    typer.Option(metavar="FILE|FOLDER", help="Take scenes from files of cuts (CSV, EDL, OTIO)."),
]
Include = Annotated[
    list[str] | None, typer.Option(metavar="PATTERN", help="Take only files like this; repeatable.")
]
Exclude = Annotated[
    list[str] | None, typer.Option(metavar="PATTERN", help="Leave files like this out; repeatable.")
]
Limit = Annotated[str | None, typer.Option(metavar="N", help="Take only the first N files.")]
FailFast = Annotated[bool, typer.Option("--fail-fast", help="Stop at the first input that fails.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Tell errors only.")]
LogFormat = Annotated[str | None, typer.Option(metavar="text|json", help="How to write on stderr.")]

# Parameters of commands that run a model: the flag and the setting it stands for.
MODEL_FLAGS = {
    name: (f"--{name.replace('_', '-')}", f"gpu_pipeline.internvl3.{name}")
    for name in ("model", "load_format", "preset", "engine", "device")
}
# Of those that caption.
CAPTION_FLAGS = {
    name: (f"--{name}", f"caption.{name}") for name in ("prompt", "mode", "summary", "transcripts")
}
# Of those that look for videos.
INPUT_FLAGS = {
    "include": ("--include", "input.include"),
    "exclude": ("--exclude", "input.exclude"),
    "limit": ("--limit", "input.limit"),
}


class PlainUsage(TyperCommand):
    """Shows its arguments as `usage` says; typer itself would write `{INPUT... OUTPUT}...`."""

    usage = ""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return ["[OPTIONS]", self.usage]


def given_arguments(context: typer.Context) -> tuple[str, ...]:
    """What the command line was, behind the program's name: `main.call` hands it to every command."""
    arguments: tuple[str, ...] = context.find_root().obj
    return arguments


def ask_for_command(context: typer.Context) -> None:
    """End with the help of a group when none of its commands was named."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(ExitCode.USAGE)


def read_sets(sets: Sequence[str]) -> list[Override]:
    """The settings that `--set` gives, each as KEY=VALUE. Raises `UsageError`."""
    from corridor_cli.config import Override

    overrides: list[Override] = []
    for item in sets:
        key, equals, value = item.partition("=")
        if not (equals and key.strip()):
            raise UsageError(
                f"flag --set: got '{printable(item)}', allowed: KEY=VALUE",
                hint="For example --set caption.max_new_tokens=64; `vlmtl config show` lists the keys.",
            )
        overrides.append(Override(key.strip(), value, f"--set {key.strip()}"))
    return overrides


def flag_overrides(parameters: Mapping[str, Any], flags: Mapping[str, tuple[str, str]]) -> list[Override]:
    """The settings that a command's own flags give, `-q` and `-v` among them. Raises `UsageError`.

    `flags` says for each parameter of the command which flag it is and which setting it stands for.
    """
    from corridor_cli.config import Override

    overrides: list[Override] = []
    for parameter, (flag, setting) in flags.items():
        value = parameters[parameter]
        if isinstance(value, (list, tuple)):
            value = tuple(value) or None
        if value is not None and value is not False:
            overrides.append(Override(setting, value, flag))
    overrides += _cuts_override(parameters)
    if parameters["quiet"] and parameters["verbose"]:
        raise UsageError("got both -q and -v, allowed: one of them")
    if parameters["quiet"]:
        overrides.append(Override("logging.level", "error", "-q"))
    if parameters["verbose"]:
        overrides.append(Override("logging.level", "debug", "-v"))
    return overrides


def _cuts_override(parameters: Mapping[str, Any]) -> list[Override]:
    """What `--cuts` gives: two settings, of which one says that the other counts."""
    from corridor_cli.config import Override

    cuts, detector = parameters.get("cuts"), parameters.get("detector")
    if cuts is None:
        return []
    if detector not in (None, "file"):
        raise UsageError(
            f"got both --cuts and --detector {printable(detector)}, allowed: one of them",
            hint="With --cuts no detector looks for cuts.",
        )
    return [Override("scenes.detector", "file", "--cuts"), Override("scenes.cuts", cuts, "--cuts")]
