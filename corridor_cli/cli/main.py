"""The command `vlmtl`: its commands, and how every ending becomes an exit code and a line on stderr.

Each command lives in its own file and imports what it needs when it is called: `vlmtl --help` loads neither
torch nor pydantic. stdout carries results only; everything else goes to stderr.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from corridor_cli import __version__
from corridor_cli.cli import (
    bench_group,
    completion,
    config,
    diff,
    doctor,
    estimate,
    export,
    models,
    probe,
    report,
    run,
    scenes,
    schema,
    search,
    show,
    status,
    transcribe,
    tryout,
    validate,
)
from corridor_cli.cli.options import ask_for_command
from corridor_cli.cli.results import show as show_result
from corridor_cli.errors import ExitCode, VlmtlError
from corridor_cli.printable import printable

app = typer.Typer(
    name="vlmtl",
    help="Folders of video in, scene-by-scene timelines captioned by a vision-language model out.",
    epilog="Exit codes: 0 all done, 2 wrong usage, 3 some inputs failed, 4 no inputs or all failed, "
    "5 model or device not usable, 6 storage error, 7 output locked, 8 a check said no, "
    "9 stopped on failures, 130 interrupted: the same command goes on.",
    add_completion=False,
    # Plain help: rich's boxes would read [brackets] of our texts as markup and double the start-up time.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run", cls=run.RunCommand)(run.run)
app.command("scenes", cls=scenes.ScenesCommand, short_help="Find scenes without captioning them.")(
    scenes.scenes
)
app.command("probe", cls=probe.ProbeCommand, short_help="Tell what would be decoded of a file, and why.")(
    probe.probe
)
app.add_typer(bench_group.app, name="bench")
app.command("export", short_help="Write subtitles, chapters, edit lists or tables.")(export.export)
app.command("report", short_help="Make pages to look at in a browser.")(report.report)
app.command(
    "estimate", cls=estimate.EstimateCommand, short_help="Tell how long a run will take, before it is begun."
)(estimate.estimate)
app.command(
    "transcribe", cls=transcribe.TranscribeCommand, short_help="Write down what is said in each video."
)(transcribe.transcribe)
app.command("try", cls=tryout.TryCommand, short_help="Caption a few scenes in several ways, to compare.")(
    tryout.try_captions
)
app.command("search", cls=search.SearchCommand, short_help="Find scenes by what their captions say.")(
    search.search
)
app.command("show", short_help="Print one timeline.")(show.show)
app.command(
    "status", cls=status.StatusCommand, short_help="Tell what of a folder is done, what is not, and why."
)(status.status)
app.command("diff", cls=diff.DiffCommand, short_help="Compare the captions of two runs.")(diff.diff)
app.add_typer(config.app, name="config")
app.add_typer(models.app, name="models")
app.command("doctor", short_help="Tell whether this machine can do the work.")(doctor.doctor)
app.command("schema")(schema.schema)
app.command("validate", short_help="Check the timelines in a folder.")(validate.validate)


app.command("completion", short_help="Print a script for completion in a shell.")(completion.completion)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        show_result(f"vlmtl {__version__}")
        raise typer.Exit
    ask_for_command(context)


def main() -> NoReturn:
    """Run the command line and leave the process with its exit code."""
    _fill_closed_descriptors()
    for stream in (sys.stdout, sys.stderr):
        # A locale that cannot show a name is no reason to fail half-way.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(call(sys.argv[1:]))


def _fill_closed_descriptors() -> None:
    """Put /dev/null where the caller closed stdin, stdout or stderr.

    Else the next file we open would take the number, and what a library prints would end in a document.
    stdout stays None in Python: a result that nobody can get is an error.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - for as long as the process lives


def call(arguments: Sequence[str]) -> int:
    """Run the command line `arguments` (without the program's name); returns the exit code."""
    try:
        command = typer.main.get_command(app)
        result = command.main(list(arguments), prog_name="vlmtl", standalone_mode=False, obj=tuple(arguments))
        return result if isinstance(result, int) else ExitCode.OK
    except VlmtlError as error:
        return _told(error.message, error.hint, error.exit_code)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        hint = f"See `{context.command_path} --help`." if context else ""
        return _told(error.format_message(), hint, ExitCode.USAGE)
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED
    # The one place where nothing is left to handle an error: whatever it is, it is a bug to report.
    except Exception as error:  # noqa: BLE001
        if isinstance(error.__cause__, KeyboardInterrupt):  # Python 3.11 wraps it in a class's `__set_name__`
            return ExitCode.INTERRUPTED
        return _bug(error, arguments)


def _told(message: str, hint: str, exit_code: ExitCode) -> ExitCode:
    for line in message.split("\n"):
        typer.echo(f"vlmtl: error: {printable(line)}", err=True)
    if hint:
        typer.echo(printable(hint), err=True)
    return exit_code


def _bug(error: Exception, arguments: Sequence[str]) -> ExitCode:
    is_verbose = bool({"-v", "--verbose"} & set(arguments)) or bool(os.environ.get("VLMTL_DEBUG"))
    if is_verbose:
        typer.echo("".join(traceback.format_exception(error)), err=True)
    hint = "This is a bug in vlmtl; finished timelines are safe. Please report it with the command you gave"
    more = "and the traceback above." if is_verbose else "and the traceback that VLMTL_DEBUG=1 shows."
    return _told(f"internal error: {type(error).__name__}: {error}", f"{hint} {more}", ExitCode.INTERNAL)
