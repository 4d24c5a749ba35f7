"""`vlmtl validate`: do the documents in an output folder say what they may say?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from corridor_cli.errors import CheckFailedError
from corridor_cli.printable import printable


def validate(
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="A folder that `vlmtl run` wrote to.")],
) -> None:
    """Check every timeline in a folder against the schema and its own rules; exit code 8 if one is wrong."""
    from corridor_cli.timeline.validate import validate_output

    report = validate_output(output)
    for problem in report.problems:
        typer.echo(printable(": ".join(filter(None, (problem.file, problem.where, problem.what)))))
    if report.problems:
        num_wrong = len({problem.file for problem in report.problems})
        raise CheckFailedError(
            f"{num_wrong} of {report.num_documents} documents are wrong",
            hint="`vlmtl run` with --force writes them anew.",
        )
    typer.echo(f"{printable(str(output))}: good, {report.num_documents} documents")
