"""`vlmtl doctor`: can this machine do the work, and what is to be done where it cannot?"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from corridor_cli.cli.options import ConfigFile, Set, read_sets
from corridor_cli.cli.results import show
from corridor_cli.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corridor_cli.errors import ExitCode
    from corridor_cli.runners.checkup.check import Check

_WIDTH = 80
_STATUS_WIDTH = 9
_NAME_WIDTH = 15


def doctor(
    model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Look at this model: hub id, local folder or tiny."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON.")] = False,
    config: ConfigFile = None,
    sets: Set = None,
) -> None:
    """Tell on one page whether this machine can do the work, and what to do where it cannot.

    Nothing is downloaded and nothing is changed. Each check is ok, a note (it works, and could be better) or
    a problem. Exit code 0, or the one `vlmtl run` would end with: 2 settings, 5 model, device or a package
    that is needed, 6 storage.
    """
    import json
    from dataclasses import asdict

    from corridor_cli.config import Override
    from corridor_cli.runners.doctor import DoctorOptions, exit_code_of, run_doctor

    overrides = read_sets(sets or [])
    if model is not None:
        overrides.append(Override("gpu_pipeline.internvl3.model", model, "--model"))
    checks: list[Check] = []
    for check in run_doctor(DoctorOptions(config, overrides, os.environ)):
        if not as_json:
            is_new = not checks or checks[-1].group != check.group
            for line in check_lines(check, with_heading=is_new):
                show(line)
        checks.append(check)
    code = exit_code_of(checks)
    if as_json:
        rows = [asdict(check) for check in checks]
        show(json.dumps({"exit_code": code, "checks": rows}, indent=2))
    else:
        show(f"\n{_verdict(checks, code)}")
    raise typer.Exit(code)


def check_lines(check: Check, *, with_heading: bool) -> Iterator[str]:
    """A check within 80 columns, the group above it, what to do below it."""
    if with_heading:
        yield check.group
    indent = " " * (2 + _STATUS_WIDTH + _NAME_WIDTH)
    name = printable(check.name)
    begin = f"  {check.status:<{_STATUS_WIDTH}}{name:<{_NAME_WIDTH - 1}} "
    yield from textwrap.wrap(
        printable(check.found), _WIDTH, initial_indent=begin, subsequent_indent=indent, break_on_hyphens=False
    )
    if check.advice:
        yield from textwrap.wrap(
            printable(check.advice),
            _WIDTH,
            initial_indent=f"{indent}> ",
            subsequent_indent=f"{indent}  ",
            break_on_hyphens=False,
        )


def _verdict(checks: Sequence[Check], code: ExitCode) -> str:
    from corridor_cli.telemetry import counted

    num_problems = sum(check.status == "problem" for check in checks)
    num_notes = sum(check.status == "note" for check in checks)
    told = f"{counted(num_problems, 'problem')}, {counted(num_notes, 'note')}"
    if code:
        return f"{told}: `vlmtl run` cannot work here yet (exit code {int(code)})."
    return f"{told}: `vlmtl run` can work here."
