"""Records between main and one child process, in order, over a socket pair.

Records are pickled: both ends are the same program, started by the same user, and the socket has no name.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from multiprocessing.connection import Connection
from typing import Any


class ChannelClosedError(Exception):
    """The other end is gone. Caught at once by whoever owns the channel, never shown to a user."""


class Channel:
    """One end of a socket pair. Any thread may send, but only one may receive."""

    def __init__(self, fd: int) -> None:
        self.connection = Connection(fd)
        # A record goes out in several pieces; those of two threads would be mixed.
        self._sending = threading.Lock()

    def send(self, record: object) -> None:
        """Write one record; blocks while the other end is behind. Raises `ChannelClosedError`."""
        try:
            with self._sending:
                self.connection.send(record)
        except OSError as error:
            raise ChannelClosedError from error

    def receive(self) -> Any:
        """The next record; blocks. Raises `ChannelClosedError` at the end, also in mid-record."""
        try:
            return self.connection.recv()
        except (OSError, EOFError) as error:
            raise ChannelClosedError from error

    def has_record(self) -> bool:
        """Whether `receive` would find something (a record or the end) without waiting."""
        try:
            return self.connection.poll(0)
        except OSError:
            return True

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.connection.close()


class Inbox:
    """A child's side of the channel: a thread reads ahead, so main never waits for a busy child.

    When main is gone the process ends at once: nobody is left to hear the answer.
    """

    def __init__(self, channel: Channel) -> None:
        self._records: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._channel = channel
        threading.Thread(target=self._read_ahead, name="inbox", daemon=True).start()

    def get(self, timeout_seconds: float | None = None) -> Any:
        """The next record, or None when none came in time."""
        try:
            return self._records.get(timeout=timeout_seconds)
        except queue.Empty:
            return None

    def get_nowait(self) -> Any:
        """The next record that is already here, or None."""
        try:
            return self._records.get_nowait()
        except queue.Empty:
            return None

    def _read_ahead(self) -> None:
        try:
            while True:
                self._records.put(self._channel.receive())
        except ChannelClosedError:
            os._exit(0)
