"""One setting as somebody gave it: what, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from corridor_cli.printable import printable


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from. `name` is the flag, the variable or the file; line and column are from 1."""

    kind: Literal["flag", "environment", "file", "default"]
    name: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """`flag --batch-size`, `environment VLMTL_CAPTION__PROMPT`, `processing.yaml:12`, `default`."""
        if self.kind == "file":
            return f"{printable(self.name)}:{self.line}"
        return f"{self.kind} {printable(self.name)}".strip()

    @property
    def place(self) -> str:
        """The same, precise enough to begin an error message with: a file's has its column."""
        return f"{self}:{self.column}" if self.kind == "file" else str(self)


DEFAULT = Origin("default")


@dataclass(frozen=True, slots=True)
class Given:
    """A value given for a known setting, not checked yet.

    `item_origins` has an entry for each item of a list that comes from a file; `is_quoted` marks a text that
    was written in quotes.
    """

    name: str
    value: object
    origin: Origin
    is_quoted: bool = False
    item_origins: tuple[Origin, ...] = ()


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with a setting, and where it was given."""

    origin: Origin
    message: str

    def __str__(self) -> str:
        return f"{self.origin.place}: {self.message}"
