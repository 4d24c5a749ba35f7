"""Lines for people on stdout: broken at the width of a terminal, whole in a pipe."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from corridor_cli.cli.tables import is_terminal, open_console
from corridor_cli.printable import printable

if TYPE_CHECKING:
    from rich.text import Text


class Page:
    """Takes lines one by one; `text` is all of them."""

    def __init__(self) -> None:
        self._text = io.StringIO()
        self._console = open_console(self._text)
        self._is_broken = is_terminal()

    def line(
        self, line: Text | str = "", *, indent: int = 0, style: str = "", is_copied: bool = False
    ) -> None:
        """One line, which is safe to show. Where it is broken, each part is indented; one that is for copying
        (`is_copied`) is left to the terminal to break, so no line end gets into it."""
        from rich.padding import Padding
        from rich.text import Text

        text = Text(line, style=style) if isinstance(line, str) else line
        if self._is_broken and not is_copied:
            self._console.print(Padding(text, (0, 0, 0, indent), expand=False))
        else:
            self._console.print(Text(" " * indent) + text, soft_wrap=True)

    def fact(self, label: str, value: str, *, style: str = "") -> None:
        """What is known under a label; `value` is safe to show."""
        from rich.text import Text

        self.line(Text(f"{label:<11}", style="dim").append(value, style=style or "not dim"), indent=2)

    @property
    def text(self) -> str:
        """All lines, without blanks at their ends."""
        return "\n".join(line.rstrip() for line in self._text.getvalue().split("\n")).rstrip("\n")


def one_line(text: str) -> str:
    """A text from outside on one line, safe to show."""
    return printable(re.sub(r"\s+", " ", text).strip())
