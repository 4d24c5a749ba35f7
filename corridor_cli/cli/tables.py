"""Tables for people on stdout: within the width of a terminal, and without any decoration in a pipe."""

from __future__ import annotations

import shutil
import sys
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# Nothing wraps text that goes to a program; a terminal has its own width.
_PIPE_WIDTH = 400


def open_console(text: IO[str]) -> Console:
    """A console that writes to `text` what would fit the stdout of now."""
    from rich.console import Console

    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    return Console(
        file=text,
        width=shutil.get_terminal_size().columns if is_terminal else _PIPE_WIDTH,
        force_terminal=is_terminal,
        color_system="auto" if is_terminal else None,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )


def plain_table() -> Table:
    """A table without lines, two blanks between its columns."""
    from rich.table import Table

    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
