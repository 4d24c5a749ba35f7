"""A row of `vlmtl doctor`, and how a check is kept from spoiling the page: it may fail, and it may hang."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from corridor_cli.errors import ExitCode

Status = Literal["ok", "note", "problem"]

LIMIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Check:
    """What was found about one thing. A note or problem says in one line what to do (`advice`).

    A problem with an `exit_code` makes `vlmtl run` impossible: it is the one that run would end with.
    """

    group: str
    name: str
    status: Status
    found: str
    advice: str = ""
    exit_code: ExitCode | None = None


class Group:
    """Makes the rows of one group."""

    def __init__(self, name: str) -> None:
        self._name = name

    def ok(self, name: str, found: str) -> Check:
        return Check(self._name, name, "ok", found)

    def note(self, name: str, found: str, advice: str) -> Check:
        return Check(self._name, name, "note", found, advice)

    def problem(self, name: str, found: str, advice: str, exit_code: ExitCode) -> Check:
        return Check(self._name, name, "problem", found, advice, exit_code)


def guarded(
    group: str, name: str, check: Callable[[], Iterable[Check]], limit_seconds: float = LIMIT_SECONDS
) -> Iterator[Check]:
    """The rows of a check that may take so long; one that fails or hangs (a dead network disk) is a row."""
    rows: list[Check] = []
    failures: list[str] = []

    def work() -> None:
        try:
            rows.extend(check())
        # A page about a broken machine must not end at the first thing that is broken in a new way.
        except Exception as error:  # noqa: BLE001
            failures.append(f"{type(error).__name__}: {error}")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(limit_seconds)
    is_hanging = thread.is_alive()
    yield from list(rows)
    if is_hanging:
        found = f"the check gave no answer within {limit_seconds:g} s"
        yield Group(group).note(name, found, "Look for a disk or a folder that does not answer.")
    for failure in failures:
        found = f"the check itself failed ({failure})"
        yield Group(group).note(name, found, "Please report this with the line above.")


def first_line(text: str, max_chars: int = 300) -> str:
    """The first line of what a library said, cut off at `max_chars`."""
    line = next(iter(text.strip().splitlines()), "")
    return line if len(line) <= max_chars else line[: max_chars - 1] + "…"
