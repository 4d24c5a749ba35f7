"""Which way a run is told: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from corridor_cli.cli.logs import open_log
from corridor_cli.cli.progress import LogReporter
from corridor_cli.settings import LoggingSettings


@contextmanager
def open_reporter(settings: LoggingSettings, stream: TextIO) -> Iterator[LogReporter]:
    """A reporter that fits the stream: bars on a terminal, lines elsewhere."""
    is_terminal = stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
    if is_terminal and settings.format == "text" and settings.level in ("debug", "info"):
        from corridor_cli.cli.live import LiveReporter, terminal

        with LiveReporter(terminal(stream), settings.level) as reporter:
            yield reporter
    else:
        yield LogReporter(open_log(settings, stream), settings.progress_seconds)
