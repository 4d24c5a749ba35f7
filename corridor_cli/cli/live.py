"""Bars on a terminal, kept below the log lines while a run goes on.

Drawn from the pipeline's own ticks, not from a thread: a thread that holds a lock would be copied into
processes started by fork.
"""

from __future__ import annotations

import logging
import math
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from corridor_cli.cli.logs import TextFormatter, set_handler
from corridor_cli.cli.progress import LogReporter, count_parts, state_parts
from corridor_cli.telemetry import Counters

_REDRAW_SECONDS = 0.2
_STYLES = {logging.WARNING: "yellow", logging.ERROR: "red"}


def terminal(stream: TextIO) -> Console:
    """The terminal behind the stream, with nothing in a text read as markup, emoji or highlighting."""
    return Console(file=stream, markup=False, emoji=False, highlight=False)


class LiveReporter(LogReporter):
    """Log lines above, bars below. Enter it before the first event; leaving removes the bars."""

    def __init__(self, console: Console, level: str) -> None:
        super().__init__(set_handler(_ConsoleHandler(console), level), math.inf)
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._next_redraw = 0.0

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def tick(self, counters: Counters) -> None:
        super().tick(counters)
        if counters.elapsed_seconds >= self._next_redraw:
            self._next_redraw = counters.elapsed_seconds + _REDRAW_SECONDS
            self._live.update(self.picture(counters), refresh=True)

    def picture(self, counters: Counters) -> RenderableType:
        """Three lines that fit 80 columns: the bar, the counts, the state."""
        videos, *counts = count_parts(counters, self.rates)
        bar = Table.grid(expand=True, padding=(0, 1))
        bar.add_column(ratio=1)
        bar.add_column(no_wrap=True)
        share = counters.share_done
        if share is None:
            share = counters.videos_done / counters.videos_total if counters.videos_total else 0.0
        bar.add_row(ProgressBar(total=1.0, completed=share), Text(videos))
        lines = (" · ".join(parts) for parts in (counts, state_parts(counters)))
        return Group(bar, *(Text(line, no_wrap=True, overflow="ellipsis", style="dim") for line in lines))


class _ConsoleHandler(logging.Handler):
    """Writes log lines through the console that draws the bars, which keeps them apart."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self.setFormatter(TextFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        text = Text(self.format(record), style=_STYLES.get(record.levelno, ""))
        # Notes stay whole lines, for they hold commands to copy; only what went wrong is broken at words.
        is_failure = record.levelno > logging.INFO or getattr(record, "event", "") == "failure"
        self._console.print(text, soft_wrap=not is_failure)
