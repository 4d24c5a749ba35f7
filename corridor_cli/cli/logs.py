"""Log lines on stderr: plain text for people, or one JSON object a line.

Every line goes through `printable`: a file name cannot move the cursor or begin a line of its own.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TextIO

from corridor_cli.printable import printable
from corridor_cli.settings import LoggingSettings

LOGGER_NAME = "vlmtl"


def open_log(settings: LoggingSettings, stream: TextIO) -> logging.Logger:
    """The program's logger, writing to `stream` at the level and in the format the settings ask for."""
    handler: logging.Handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if settings.format == "json" else TextFormatter())
    return set_handler(handler, settings.level)


def set_handler(handler: logging.Handler, level: str) -> logging.Logger:
    """Make this the logger's only handler. Other libraries' loggers stay as they are."""
    log = logging.getLogger(LOGGER_NAME)
    log.handlers = [handler]
    log.setLevel(level.upper())
    log.propagate = False
    return log


class TextFormatter(logging.Formatter):
    """`message`, with `warning:` or `error:` before it where it is one."""

    def format(self, record: logging.LogRecord) -> str:
        message = printable(record.getMessage())
        return message if record.levelno <= logging.INFO else f"vlmtl: {record.levelname.lower()}: {message}"


class JsonFormatter(logging.Formatter):
    """`{"time", "level", "event", "message", …}` with the fields of the event, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", "message"),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        return json.dumps(entry, default=str)
