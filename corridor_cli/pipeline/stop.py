"""Ctrl-C and its kin: the first asks for a clean, resumable stop, the second ends at once.

Children need no telling: they die with their parent, whichever way it ends.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from types import FrameType, TracebackType
from typing import Self

from corridor_cli.errors import ExitCode

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """While entered, signals are noted instead of raised; `wake` becomes readable when one arrives.

    Outside the main thread Python cannot catch signals: then this does nothing.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.wake, self._alarm = socket.socketpair()
        self._alarm.setblocking(False)
        self.wake.setblocking(False)
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:  # nohup and the like stay in force
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self.wake.close()
        self._alarm.close()

    @property
    def exit_code(self) -> ExitCode:
        """The code for the signal received; INTERRUPTED when none was."""
        return ExitCode.TERMINATED if self.received == signal.SIGTERM else ExitCode.INTERRUPTED

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            os.write(2, b"vlmtl: stopped at once\n")  # sys.stderr may be in the middle of another line
            os._exit(self.exit_code)
        self.received = number
        self._alarm.send(b"!")
