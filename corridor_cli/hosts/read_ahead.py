"""A thread between two stages of a worker: the one before works ahead while the one behind is busy.

libav and swscale let go of the interpreter's lock, so decoding on one core and scoring on another overlap.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")

# What may lie between the stages: three frames of 1080p. Two were 0.01 to 0.02 slower.
AHEAD_BYTES = 10 * 2**20
MIN_AHEAD, MAX_AHEAD = 2, 16


class _End:
    """The items are over: by themselves, or by an error."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def num_ahead(width_px: int, height_px: int) -> int:
    """How many decoded pictures of this size may wait, at 1.5 bytes a pixel."""
    return max(MIN_AHEAD, min(MAX_AHEAD, 2 * AHEAD_BYTES // max(1, 3 * width_px * height_px)))


def read_ahead(items: Iterator[T], max_ahead: int) -> Generator[T]:
    """The same items in the same order, taken from `items` on a thread, at most `max_ahead` beforehand.

    An error of `items` is raised here, after the items before it. Closing stops and joins the thread: where
    `items` hangs, so does this, which whoever watches for frames sees as the stall it is.
    """
    ready: SimpleQueue[T | _End] = SimpleQueue()
    room: SimpleQueue[bool] = SimpleQueue()  # a ticket for each item that may be made; False is the end

    def work() -> None:
        try:
            for item in items:
                ready.put(item)
                if not room.get():
                    return
            ready.put(_End(None))
        except BaseException as error:  # noqa: BLE001 - handed over to whoever takes the items
            ready.put(_End(error))

    for _ in range(max_ahead - 1):
        room.put(True)
    thread = threading.Thread(target=work, name="read-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item = ready.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            room.put(True)
            yield item
    finally:
        for _ in range(max_ahead + 1):  # behind the tickets that are still there
            room.put(False)
        thread.join()
