"""What is said when a sweep ends early: what is kept, and the command that measures the rest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from corridor_cli.errors import VlmtlError
from corridor_cli.printable import printable, shell_word


def resume_command(command: Sequence[str], folder: Path) -> str:
    """The command line of a sweep with what makes it go on in its folder, ready to paste."""
    options: list[str] = []
    if not any(word == "--out" or word.startswith("--out=") for word in command):
        options += ["--out", str(folder)]
    if "--resume" not in command:
        options.append("--resume")
    end = command.index("--") if "--" in command else len(command)
    return " ".join(map(shell_word, [*command[:end], *options, *command[end:]]))


def kept_words(num_kept: int, num_points: int, folder: Path) -> str:
    """How far it came: `3 of 11 points are kept in bench-1`."""
    return f"{num_kept} of {num_points} points are kept in {printable(folder)}"


def with_what_is_kept(error: VlmtlError, kept: str, command: str) -> VlmtlError:
    """The same error, which also says what it did not cost and how to go on."""
    then = f"{error.hint} Then" if error.hint else "Once that is put right,"
    return type(error)(
        f"{error.message.removesuffix('.')}. {kept[0].upper()}{kept[1:]}.",
        hint=f"{then} `{command}` measures the rest.",
    )
