"""The way in, for `vlmtl` and `python -m corridor_cli`: Ctrl-C is quiet from the first moment on."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line and leave the process with its exit code."""
    is_ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not under nohup and the like
    if is_ours:
        signal.signal(signal.SIGINT, _leave)
    from corridor_cli.cli.main import main as run

    if is_ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """While modules are loaded there is nothing to tidy up, and a traceback would tell nobody anything."""
    os._exit(130)


if __name__ == "__main__":
    main()
