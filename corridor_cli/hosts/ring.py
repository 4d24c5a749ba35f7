"""The slots of one media worker: pictures go in while there is room, then the worker waits for main.

That wait is the back-pressure: decoding runs ahead of captioning by as many pictures as there are slots.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from corridor_cli.hosts.channel import Inbox
from corridor_cli.hosts.slots import Slots
from corridor_cli.media.limits import BusyClock
from corridor_cli.media.shrink import PickPicture
from corridor_cli.records import FrameRef, SlotsFreed

if TYPE_CHECKING:
    from corridor_cli.hosts.messages import WorkerSetup

_WAIT_SECONDS = 0.5


class Ring:
    """Free slots and how to fill them; `while_waiting` is called about twice a second while none is free."""

    def __init__(
        self, setup: WorkerSetup, slots: Slots, inbox: Inbox, while_waiting: Callable[[], None]
    ) -> None:
        self._setup = setup
        self._slots = slots
        self._inbox = inbox
        self._while_waiting = while_waiting
        self._free = list(setup.free_slots)

    def free(self, slots: Sequence[int]) -> None:
        """Nobody needs the pixels of these any more."""
        self._free.extend(slots)

    def write(self, picture: PickPicture, clock: BusyClock) -> FrameRef:
        """Put a picture into a slot, shrunk to what the model needs. The clock stands while none is free."""
        small = picture.shrunk(self._setup.max_pixels, self._setup.enough_pixels)
        while (message := self._inbox.get_nowait()) is not None:
            self._hear(message)
        while not self._free:
            with clock.paused():
                message = self._inbox.get(_WAIT_SECONDS)
            if message is None:
                self._while_waiting()
            else:
                self._hear(message)
        # The one freed last: its pages are in memory already, where those of one that was never written to
        # would be had from the system.
        return self._slots.write(self._free.pop(), small)

    def _hear(self, message: object) -> None:
        assert isinstance(message, SlotsFreed), message
        self.free(message.slots)
