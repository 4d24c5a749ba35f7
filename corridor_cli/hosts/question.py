"""A child that is asked one thing: what may hang, crash or not load at all is tried there, never in main.

It answers in lines of JSON on a pipe of its own, so what a library prints is no part of the answer, and what
was said before a crash counts.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

_BOOTSTRAP = """\
import importlib, json, sys
sys.path[:] = json.loads(sys.argv[1])
importlib.import_module(sys.argv[2]).main(*map(int, sys.argv[3:5]), *sys.argv[5:])
"""
_PIECE_BYTES = 64 * 1024
_MAX_ANSWER_BYTES = 1024 * 1024
_TOLD_BYTES = 4000
_GRACE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a child said: its facts by name, the step it was last at, and what became of it ("": all is well).

    `printed` is the end of what it wrote to stdout and stderr.
    """

    facts: Mapping[str, Any]
    step: str
    problem: str
    printed: str


class Question:
    """A child under way. `answer` waits for it until its time is up; leaving `with` ends it in any case."""

    def __init__(self, module: str, *arguments: str, limit_seconds: float) -> None:
        self._limit_seconds = limit_seconds
        self._deadline = time.monotonic() + limit_seconds
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._reading, writing = os.pipe()
        given = [json.dumps(sys.path), module, str(writing), str(os.getpid()), *arguments]
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _BOOTSTRAP, *given],
                stdin=subprocess.DEVNULL,
                stdout=self._printed,
                stderr=self._printed,
                pass_fds=(writing,),
                start_new_session=True,
            )
        finally:
            os.close(writing)

    def answer(self) -> Answer:
        """What it says, once it has ended or its time is up. To be called once."""
        facts, step, said, is_in_time = {}, "", b"", True
        with selectors.DefaultSelector() as selector:
            selector.register(self._reading, selectors.EVENT_READ)
            while len(said) < _MAX_ANSWER_BYTES:
                if not selector.select(max(0.0, self._deadline - time.monotonic())):
                    is_in_time = False
                    break
                piece = os.read(self._reading, _PIECE_BYTES)
                if not piece:
                    break
                said += piece
        for line in said.split(b"\n")[:-1]:
            told = json.loads(line)
            step = told.get("step", step)
            facts.update(told.get("facts", {}))
        return Answer(facts, step, self._problem(is_in_time), self._last_printed())

    def _problem(self, is_in_time: bool) -> str:
        if not is_in_time:
            return f"gave no answer within {self._limit_seconds:g} s"
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_SECONDS)
        code = self._process.poll()
        if not code:  # None: the answer is out, and only the end of the process hangs
            return ""
        if code > 0:
            return f"ended with exit code {code}"
        with contextlib.suppress(ValueError):
            return f"crashed ({signal.Signals(-code).name})"
        return f"crashed (signal {-code})"

    def _last_printed(self) -> str:
        size = os.fstat(self._printed.fileno()).st_size
        tail = os.pread(self._printed.fileno(), _TOLD_BYTES, max(0, size - _TOLD_BYTES))
        return tail.decode(errors="replace").strip()

    def close(self) -> None:
        """End the child now, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        os.close(self._reading)
        self._printed.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Teller:
    """The child's side: says what it is about to do, and what it found."""

    def __init__(self, answer_fd: int) -> None:
        self._fd = answer_fd

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A part of the work; what it raises becomes the fact `failed NAME`, and the next part is tried."""
        self._write({"step": name})
        try:
            yield
        # Whatever a library raises where it is tried out is what is to be found out.
        except Exception as error:  # noqa: BLE001
            self.tell(**{f"failed {name}": f"{type(error).__name__}: {error}"})

    def tell(self, **facts: Any) -> None:
        self._write({"facts": facts})

    def _write(self, told: Mapping[str, Any]) -> None:
        data = json.dumps(told).encode() + b"\n"
        while data:
            data = data[os.write(self._fd, data) :]
