"""`vlmtl bench`: a command with one sub-command, `compare`.

`vlmtl bench compare …` compares; whatever else follows `bench` is the sweep's, which is the default command:
`vlmtl bench`, `vlmtl bench videos/ --repeats 3`, `vlmtl bench --help`. A folder that is called `compare` is
reached as `./compare`.
"""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from corridor_cli.cli.bench import SweepCommand, bench
from corridor_cli.cli.bench_compare import CompareCommand, compare

_SWEEP = "sweep"


class BenchGroup(TyperGroup):
    """Hands the command line to the sweep unless its first word is the name of another command."""

    default_command = _SWEEP

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """The context of the sweep itself, so that its usage and its errors say `vlmtl bench`."""
        others = self.commands.keys() - {_SWEEP}
        if args and args[0] in others:
            return super().make_context(info_name, args, parent, **extra)
        return self.commands[_SWEEP].make_context(info_name, args, parent, **extra)


app = typer.Typer(
    cls=BenchGroup,
    short_help="Measure how fast a model runs here, or compare two such results.",
    rich_markup_mode=None,
)


app.command(_SWEEP, cls=SweepCommand, epilog="`vlmtl bench compare A.json B.json` compares two results.")(
    bench
)
app.command("compare", cls=CompareCommand)(compare)
