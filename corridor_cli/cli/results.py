"""Results on stdout: the only thing that is ever written there."""

from __future__ import annotations

import sys
from typing import IO, TYPE_CHECKING

from corridor_cli.errors import StorageError
from corridor_cli.printable import printable

if TYPE_CHECKING:
    from corridor_cli.records import ErrorInfo

_PIECE_CHARS = 1024 * 1024


def show(result: str) -> None:
    """Write a result and a newline to stdout, now, while a failure can still become an exit code.

    Raises `StorageError` when stdout cannot take it; a reader that left early ends the command quietly.
    """
    _write(f"{result}\n")


def show_file(text: IO[str]) -> None:
    """Write all of a file's text to stdout, as `show` writes a result, piece by piece."""
    text.seek(0)
    while piece := text.read(_PIECE_CHARS):
        _write(piece)


def reason_of(error: ErrorInfo, name: str) -> str:
    """What the error says and its kind, safe to show after `name: `, which some messages begin with."""
    message = error.message.removeprefix(f"{printable(name)}: ")
    return printable(f"{message} ({error.type})")


def _write(text: str) -> None:
    if sys.stdout is None:
        raise StorageError("the result cannot be written: stdout is closed")
    try:
        print(text, end="", flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        # What is left in the buffer would fail again when Python flushes it at exit.
        sys.stdout = None
        raise StorageError(f"the result cannot be written to stdout: {error.strerror}") from error
