"""The child that owns one accelerator: requests from the channel, captions back."""

from __future__ import annotations

import gc
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from corridor_cli.engine.base import Engine
from corridor_cli.engine.create import create_engine
from corridor_cli.errors import DeviceLostError, VlmtlError
from corridor_cli.hosts.channel import Channel, Inbox
from corridor_cli.hosts.messages import EngineSetup, Stop
from corridor_cli.hosts.process import enter_child
from corridor_cli.hosts.slots import Slots
from corridor_cli.records import Fatal, Request

if TYPE_CHECKING:
    from corridor_cli.engine.profile import EngineProfile


def main(channel_fd: int, arena_fd: int, parent_pid: int) -> None:
    """Serve main until it hangs up."""
    enter_child(parent_pid)
    channel = Channel(channel_fd)
    inbox = Inbox(channel)
    setup: EngineSetup = inbox.get()
    try:
        slots = Slots(arena_fd, setup.slot_bytes)
        with closing(_create(setup, slots, channel)) as engine:
            channel.send(engine.start())
            with closing(_Trace(setup.trace_path)) as trace:
                _serve(engine, channel, inbox, trace)
    except DeviceLostError:
        raise SystemExit(1) from None  # main starts another host and sends what is open again
    except VlmtlError as error:
        channel.send(Fatal(type(error).__name__, error.message, error.hint))


def _create(setup: EngineSetup, slots: Slots, channel: Channel) -> Engine:
    """The engine, not started. What it loads stays: no garbage collection need look at it, now or later."""
    gc.disable()
    try:
        return create_engine(setup.model, slots, channel.send, setup.caption)
    finally:
        gc.freeze()
        gc.enable()


class _Trace:
    """The look into the engine, where one was asked for."""

    def __init__(self, path: str | None) -> None:
        self._profile: EngineProfile | None = None
        if path is not None:
            from corridor_cli.engine.profile import EngineProfile  # brings torch, which echo does without

            self._profile = EngineProfile(Path(path))

    def round(self) -> None:
        if self._profile is not None:
            self._profile.round()

    def close(self) -> None:
        if self._profile is not None:
            self._profile.close()


def _serve(engine: Engine, channel: Channel, inbox: Inbox, trace: _Trace) -> None:
    num_open = 0
    while True:
        message = inbox.get() if num_open == 0 else inbox.get_nowait()
        while message is not None:
            if isinstance(message, Stop):
                return
            for request in (message,) if isinstance(message, Request) else message:
                assert isinstance(request, Request), message
                engine.submit(request)
                num_open += 1
            message = inbox.get_nowait()
        captions = engine.poll(timeout_seconds=0.05)
        trace.round()
        for caption in captions:
            channel.send(caption)
            num_open -= 1
