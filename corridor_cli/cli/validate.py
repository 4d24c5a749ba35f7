"""`vlmtl validate`: do the documents in an output folder say what they may say?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from corridor_cli.cli.results import show
from corridor_cli.errors import CheckFailedError
from corridor_cli.printable import printable


def validate(
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="A folder that `vlmtl run` wrote to.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check every timeline in a folder against the schema and its own rules; exit code 8 if one is wrong."""
    import json
    from dataclasses import asdict
    from pathlib import PurePath

    from corridor_cli.telemetry import counted
    from corridor_cli.timeline.commit import is_leftover
    from corridor_cli.timeline.validate import validate_output

    report = validate_output(output)
    if as_json:
        show(json.dumps(asdict(report), indent=2))
    else:
        for problem in report.problems:
            where = f"{problem.file}: {problem.where}" if problem.where else problem.file
            show(printable(f"{where}: {problem.what}"))
    shown = printable(output)
    if not report.num_documents:
        raise CheckFailedError(f"{shown}: holds no timeline, allowed: a folder that `vlmtl run` wrote to")
    if report.problems:
        wrong = {problem.file for problem in report.problems}
        is_broken_off = all(is_leftover(PurePath(file).name) for file in wrong)
        checked = counted(report.num_documents, "document")
        raise CheckFailedError(
            f"{shown}: {checked} checked, {counted(len(wrong), 'file')} wrong",
            hint="A run was killed: the same `vlmtl run` again goes on where it was."
            if is_broken_off
            else "`vlmtl run --force` writes documents anew.",
        )
    if not as_json:
        show(f"{shown}: good, {counted(report.num_documents, 'document')}")
