"""An engine in a process of its own: the engine protocol across a channel.

A host that dies or goes silent is replaced and its open requests are sent again. Those it was running when
it died come back with `attempt` raised, which makes the engine run each alone; one that takes a host down
with it twice is quarantined: answered by an error instead of being tried a third time.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection, wait

from corridor_cli import errors
from corridor_cli.engine.base import BatchListener
from corridor_cli.errors import ModelError, VlmtlError
from corridor_cli.hosts.channel import ChannelClosedError
from corridor_cli.hosts.messages import EngineSetup, Stop
from corridor_cli.hosts.process import ChildProcess
from corridor_cli.hosts.watch import Watch
from corridor_cli.records import (
    BatchStarted,
    BatchStats,
    Caption,
    EngineInfo,
    ErrorInfo,
    Fatal,
    Request,
    RequestKey,
)
from corridor_cli.settings import ErrorSettings

_MAX_DEATHS_OF_A_REQUEST = 2
_MAX_DEATHS_AT_START = 2


class HostedEngine:
    """Implements `engine.base.Engine`. `launch` returns at once, so that scanning goes on while the model
    loads; `info` is None until it has."""

    def __init__(
        self,
        setup: EngineSetup,
        arena_fd: int,
        limits: ErrorSettings,
        on_batch: BatchListener,
        on_restart: Callable[[str], None],
    ) -> None:
        self._setup = setup
        self._arena_fd = arena_fd
        self._limits = limits
        self._on_batch = on_batch
        self._on_restart = on_restart
        self._child: ChildProcess | None = None
        self._open: dict[RequestKey, Request] = {}
        self._running: tuple[RequestKey, ...] = ()
        self._last_heard = 0.0
        self._watch = Watch()
        self._deaths_at_start = 0
        self.num_restarts = 0
        self.info: EngineInfo | None = None

    # --- the protocol ---

    def start(self) -> EngineInfo:
        self.launch()
        while self.info is None:
            self.poll(timeout_seconds=1.0)
        return self.info

    def submit(self, request: Request) -> None:
        if not self._open:
            self._last_heard = time.monotonic()
        self._open[request.key] = request
        self._send(request)

    def submit_all(self, requests: Sequence[Request]) -> None:
        """The same for several, which the engine gets at once: an idle one begins with all of them."""
        if not self._open:
            self._last_heard = time.monotonic()
        self._open.update({request.key: request for request in requests})
        self._send(tuple(requests))

    def poll(self, timeout_seconds: float) -> list[Caption]:
        connection = self.connection
        if connection is not None:
            wait([connection], timeout_seconds)
        captions = list(self._receive())
        captions.extend(self._replace_if_stuck())
        return captions

    def close(self) -> None:
        if self._child:
            self._child.kill()
            self._child = None

    # --- beyond the protocol ---

    @property
    def connection(self) -> Connection | None:
        """What to wait on beside other things; None while no host is launched."""
        return self._child.channel.connection if self._child else None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    @property
    def num_open(self) -> int:
        """Requests accepted and not yet answered."""
        return len(self._open)

    @property
    def num_free(self) -> int:
        """How many more requests the engine wants now; 0 until the model is loaded."""
        return max(0, self.info.max_pending - len(self._open)) if self.info else 0

    def launch(self) -> None:
        """Start the host's process unless it runs; the model loads while the caller goes on."""
        if self._child is None:
            self._child = ChildProcess("corridor_cli.hosts.engine_host", self._arena_fd, {})
            self._last_heard = time.monotonic()
            self._send(self._setup)

    def finish(self, timeout_seconds: float) -> None:
        """Let the host write what it still has to, and end; `close` comes after it in any case."""
        if self._child is not None:
            self._send(Stop())
            self._child.wait(timeout_seconds)

    def _send(self, record: object) -> None:
        assert self._child is not None
        # A death is noticed by the next poll, which sends the request again.
        with contextlib.suppress(ChannelClosedError):
            self._child.channel.send(record)

    def _receive(self) -> Iterator[Caption]:
        while self._child and self._child.channel.has_record():
            try:
                record = self._child.channel.receive()
            except ChannelClosedError:
                yield from self._replace(f"the engine's process {self._child.reap()}")
                return
            self._last_heard = time.monotonic()
            yield from self._take(record)

    def _take(self, record: Caption | EngineInfo | BatchStarted | BatchStats | Fatal) -> Iterator[Caption]:
        match record:
            case Caption(key=key):
                if self._open.pop(key, None) is not None:
                    yield record
            case EngineInfo():
                self.info = record
                self._deaths_at_start = 0
            case BatchStarted(keys=keys):
                self._running = keys
                self._on_batch(record)
            case BatchStats():
                self._on_batch(record)
            case Fatal():
                raise _as_error(record)

    def _replace_if_stuck(self) -> Iterator[Caption]:
        """A host that loads must get there, one with open requests must answer; any other may be silent."""
        if self._watch.away_seconds():
            self._last_heard = time.monotonic()
        silent_seconds = time.monotonic() - self._last_heard
        is_due = self.info is None or bool(self._open)
        if self._child and is_due and silent_seconds > self._limits.engine_stall_seconds:
            self._child.kill()
            yield from self._replace(f"the engine gave no sign of life for {silent_seconds:.0f} s")

    def _replace(self, why: str) -> Iterator[Caption]:
        """A new host for a dead one: send its open requests again, quarantine what killed two."""
        was_loaded = self.info is not None
        self._child, self.info = None, None
        self._deaths_at_start += 0 if was_loaded else 1
        self.num_restarts += 1
        if self._deaths_at_start >= _MAX_DEATHS_AT_START or self.num_restarts > self._limits.engine_restarts:
            raise ModelError(
                f"{why} ({self.num_restarts} times in this run).",
                hint="What was captioned is kept: the same command goes on from there.",
            )
        self._on_restart(f"{why}; starting another")
        suspects, self._running = set(self._running), ()
        for key, request in list(self._open.items()):
            if key in suspects:
                self._open[key] = replace(request, attempt=request.attempt + 1)
        for key, request in list(self._open.items()):
            if request.attempt >= _MAX_DEATHS_OF_A_REQUEST:
                del self._open[key]
                yield _quarantined(request, why)
        self.launch()
        for request in self._open.values():
            self._send(request)


def _quarantined(request: Request, why: str) -> Caption:
    message = f"the engine died {request.attempt} times on this request and it was set aside: {why}"
    return Caption(request.key, "", 0, 0, None, ErrorInfo("caption", "EngineDiedError", message))


def _as_error(fatal: Fatal) -> VlmtlError:
    kind = getattr(errors, fatal.kind, ModelError)
    error: VlmtlError = kind(fatal.message, hint=fatal.hint)
    return error
