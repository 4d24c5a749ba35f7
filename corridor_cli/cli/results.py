"""Results on stdout: the only thing that is ever written there."""

from __future__ import annotations

import sys

from corridor_cli.errors import StorageError


def show(result: str) -> None:
    """Write a result and a newline to stdout, now, while a failure can still become an exit code.

    Raises `StorageError` when stdout cannot take it; a reader that left early ends the command quietly.
    """
    if sys.stdout is None:
        raise StorageError("the result cannot be written: stdout is closed")
    try:
        print(result, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        # What is left in the buffer would fail again when Python flushes it at exit.
        sys.stdout = None
        raise StorageError(f"the result cannot be written to stdout: {error.strerror}") from error
