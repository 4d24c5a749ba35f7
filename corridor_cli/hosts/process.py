"""Child processes that can be killed at any moment and die with their parent.

Not `multiprocessing`: its pools break when one worker dies, its resource tracker outlives `kill -9`, and its
spawn imports main's own script. A child here is one `Popen`, one socket pair and one memory descriptor.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping

from corridor_cli.hosts.channel import Channel

_BOOTSTRAP = """\
import importlib, json, sys
sys.path[:] = json.loads(sys.argv[1])
importlib.import_module(sys.argv[2]).main(*map(int, sys.argv[3:]))
"""
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_TAIL_BYTES = 2000
_GRACE_SECONDS = 2.0


class ChildProcess:
    """A running child and the channel to it. What it prints is kept for the day it dies."""

    def __init__(self, module: str, arena_fd: int, environment: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `kill`
        arguments = [json.dumps(sys.path), module, str(theirs.fileno()), str(arena_fd), str(os.getpid())]
        with theirs:
            self._process = subprocess.Popen(
                # -P: the bootstrap must not find modules in the folder the user happens to stand in.
                [sys.executable, "-P", "-c", _BOOTSTRAP, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                pass_fds=(theirs.fileno(), arena_fd),
                env={**os.environ, **environment},
                # Ctrl-C, Ctrl-Z and a closed terminal are main's to answer, from the first moment on.
                start_new_session=True,
            )
        self.channel = Channel(ours.detach())

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """End it now, whatever it is doing, and wait until it is gone. Safe to call twice."""
        self._process.kill()
        self._process.wait()
        self.channel.close()
        self._output.close()

    def wait(self, timeout_seconds: float) -> None:
        """Give it so long to end by itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_seconds)

    def reap(self) -> str:
        """After it hung up: how it ended, with the last lines it printed."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_SECONDS)
        code = self._process.poll()
        if code is None:
            how = "hung up"
        elif code < 0:
            how = f"was killed by {_signal_name(-code)}"
        else:
            how = f"ended with exit code {code}"
        tail = self._last_output()
        self.kill()
        return f"{how}; it last printed: {tail}" if tail else how

    def _last_output(self) -> str:
        size = os.fstat(self._output.fileno()).st_size
        tail = os.pread(self._output.fileno(), _TAIL_BYTES, max(0, size - _TAIL_BYTES))
        lines = tail.decode(errors="replace").strip().splitlines()
        return " | ".join(line.strip() for line in lines[-4:])


def enter_child(parent_pid: int) -> None:
    """To be called first in a child: die with the parent, leave the signals that ask for a stop to it.

    They reach a whole group (Ctrl-C, a closed terminal, systemd): a child that obeyed them would look to main
    like one that a video or a request has killed.

    The kernel's death signal also ends a child whose decoder hangs while holding the interpreter's lock,
    which no thread of its own could do.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:  # the parent died before the line above
        os._exit(0)


def _signal_name(number: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"
