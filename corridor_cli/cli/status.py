"""`vlmtl status`: what of a folder is done, what is not, and why."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corridor_cli.cli.options import (
    MODEL_FLAGS,
    ConfigFile,
    Cuts,
    Model,
    PlainUsage,
    Set,
    flag_overrides,
    read_sets,
)
from corridor_cli.cli.results import show
from corridor_cli.errors import UsageError
from corridor_cli.printable import printable

if TYPE_CHECKING:
    from corridor_cli.config import LoadedSettings, Override
    from corridor_cli.runners.standing import State
    from corridor_cli.timeline.last_run import LastRun

# parameter of `status`: the flag and the setting it stands for
_FLAGS = {name: MODEL_FLAGS[name] for name in ("model", "engine")}


class StatusCommand(PlainUsage):
    """Shows its arguments as they are meant."""

    usage = "OUTPUT [INPUT...]"


def status(
    context: typer.Context,
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="A folder that `vlmtl run` wrote to.")],
    inputs: Annotated[
        list[str] | None, typer.Argument(metavar="INPUT...", help="Else those of the latest run.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="STATE", help="List only these; repeatable, or with commas."),
    ] = None,
    limit: Annotated[
        int, typer.Option("-n", "--limit", metavar="N", min=1, max=1_000_000, help="List so many.")
    ] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
    config: ConfigFile = None,
    sets: Set = None,
    model: Model = None,
    engine: Annotated[
        str | None, typer.Option(metavar="local|generic|echo", help="What runs the model.")
    ] = None,
    cuts: Cuts = None,
) -> None:
    """Tell what the same run would find: what is done, what is not, why, and what to do next.

    Measured by the inputs and settings of the latest run (its flags and variables, and its settings file as
    it is now), with what is given here on top. Nothing is written and no video is read: a file whose size and
    time of change are as they were is taken for unchanged.

    STATE is failed, partial, stale (a run would make it again), pending (no document yet), extra (a document
    of no input) or done. Exit code 0 when all is done, 3 when something is not, 4 when every video failed.
    """
    from corridor_cli.cli.logs import open_log
    from corridor_cli.cli.progress import LogReporter
    from corridor_cli.cli.status_lines import report_as_json, report_text
    from corridor_cli.runners.status import look_at_output, open_output
    from corridor_cli.timeline.last_run import load_last_run

    wanted = _states(only or [])
    layout = open_output(output)
    last = load_last_run(layout.last_run)
    switches = {"quiet": False, "verbose": False}
    here = [*read_sets(sets or []), *flag_overrides(context.params | switches, _FLAGS)]
    loaded = _load(config, last, here)
    known = inputs or (list(last.inputs) if last else None)
    reporter = LogReporter(open_log(loaded.settings.logging, sys.stderr), 1.0)
    report = look_at_output(layout, known, loaded.settings, reporter)
    command = _command(inputs, output, config, last, here)
    if as_json:
        show(report_as_json(report, last, command, wanted))
    else:
        show(report_text(report, last, command, wanted, limit))
    raise typer.Exit(report.exit_code)


def _states(only: Sequence[str]) -> tuple[State, ...]:
    """The states to list, in their order; none given are all but done."""
    from corridor_cli.runners.standing import STATES

    named = [name.strip() for given in only for name in given.split(",") if name.strip()]
    for name in named:
        if name not in STATES:
            raise UsageError(f"flag --only: got '{printable(name)}', allowed: {', '.join(STATES)}")
    return tuple(state for state in STATES if (state in named if named else state != "done"))


def _load(config: Path | None, last: LastRun | None, here: list[Override]) -> LoadedSettings:
    """The settings that count: of the latest run, and those given here."""
    from corridor_cli.config import load_settings
    from corridor_cli.runners.last_call import overrides_of

    if last is None:
        return load_settings(config, here, os.environ)
    file = config or (Path(last.config) if last.config else None)
    return load_settings(file, [*overrides_of(last), *here], os.environ)


def _command(
    inputs: list[str] | None, output: Path, config: Path | None, last: LastRun | None, here: list[Override]
) -> list[str]:
    """The words of the run that would go on, behind `vlmtl`; none where its inputs are not known."""
    if inputs:
        words = ["run", *inputs, str(output)]
        for name, value in (last.given if last else {}).items():
            words += ["--set", f"{name}={value if isinstance(value, str) else _list(value)}"]
    elif last and last.arguments:
        words = [word for word in last.arguments if word not in ("--force", "--retry-failed")]
    else:
        return []
    added = [word for each in here for word in _as_given(each)] + (["-c", str(config)] if config else [])
    end = words.index("--") if "--" in words else len(words)
    return [*words[:end], *added, *words[end:]]


def _as_given(override: Override) -> list[str]:
    """The flag again, with its value."""
    if override.flag.startswith("--set "):
        return ["--set", f"{override.name}={override.value}"]
    is_implied = (override.flag, override.name) == ("--cuts", "scenes.detector")
    return [] if is_implied else [override.flag, str(override.value)]


def _list(values: Sequence[str]) -> str:
    import json

    return json.dumps(values, ensure_ascii=False)
