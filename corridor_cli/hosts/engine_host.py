"""The child that owns one accelerator: requests from the channel, captions back."""

from __future__ import annotations

from contextlib import closing

from corridor_cli.engine.base import Engine
from corridor_cli.engine.create import create_engine
from corridor_cli.errors import DeviceLostError, VlmtlError
from corridor_cli.hosts.channel import Channel, Inbox
from corridor_cli.hosts.messages import EngineSetup
from corridor_cli.hosts.process import enter_child
from corridor_cli.hosts.slots import Slots
from corridor_cli.records import Fatal, Request


def main(channel_fd: int, arena_fd: int, parent_pid: int) -> None:
    """Serve main until it hangs up."""
    enter_child(parent_pid)
    channel = Channel(channel_fd)
    inbox = Inbox(channel)
    setup: EngineSetup = inbox.get()
    try:
        slots = Slots(arena_fd, setup.slot_bytes)
        with closing(create_engine(setup.model, slots, channel.send, setup.caption)) as engine:
            channel.send(engine.start())
            _serve(engine, channel, inbox)
    except DeviceLostError:
        raise SystemExit(1) from None  # main starts another host and sends what is open again
    except VlmtlError as error:
        channel.send(Fatal(type(error).__name__, error.message, error.hint))


def _serve(engine: Engine, channel: Channel, inbox: Inbox) -> None:
    num_open = 0
    while True:
        message = inbox.get() if num_open == 0 else inbox.get_nowait()
        while message is not None:
            for request in (message,) if isinstance(message, Request) else message:
                assert isinstance(request, Request), message
                engine.submit(request)
                num_open += 1
            message = inbox.get_nowait()
        for caption in engine.poll(timeout_seconds=0.05):
            channel.send(caption)
            num_open -= 1
