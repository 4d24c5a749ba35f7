"""The engine protocol: requests in, captions out.

Every accepted key is answered exactly once, in any order. `submit` never blocks; the caller keeps at most
`EngineInfo.max_pending` requests open. An engine never raises for a request's sake: a request that fails is
answered by a caption with an error. It raises `ModelError` from `start` when it cannot work at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from corridor_cli.records import BatchStarted, BatchStats, Caption, EngineInfo, FrameRef, Request

if TYPE_CHECKING:
    from corridor_cli.records import Pixels

BatchListener = Callable[[BatchStarted | BatchStats], None]


class FrameStore(Protocol):
    """Gives the pixels behind a reference: uint8 (height, width, 3) RGB, valid until the caption is out."""

    def pixels(self, ref: FrameRef) -> Pixels: ...


class Engine(Protocol):
    """Turns requests into captions."""

    def start(self) -> EngineInfo:
        """Load what is needed and return what this engine is. Raises `ModelError`."""
        ...

    def submit(self, request: Request) -> None:
        """Accept a request; never blocks."""
        ...

    def poll(self, timeout_seconds: float) -> list[Caption]:
        """Do at most one batch of work, or wait up to `timeout_seconds`; the captions that are ready."""
        ...

    def close(self) -> None:
        """Release the device. Safe to call twice."""
        ...
