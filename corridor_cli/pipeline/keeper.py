"""What the loop needs besides media workers: somebody who captions, and somebody who keeps what was found.

`vlmtl run` keeps documents (`documents.py`) and has them captioned; `vlmtl scenes` and `vlmtl probe` keep
lists and facts (`scene_lists.py`, `probes.py`), and nobody captions. The loop is the same.
"""

from __future__ import annotations

from multiprocessing.connection import Connection
from typing import Protocol

from corridor_cli.pipeline.video import VideoWork
from corridor_cli.records import (
    Caption,
    EngineInfo,
    PickedFrame,
    ProbeJob,
    Request,
    ScanJob,
    ScoreRows,
    VideoProbed,
)
from corridor_cli.telemetry import VideoOutcome


class Captioner(Protocol):
    """The engine as the loop sees it: see `hosts/hosted_engine.py`, which implements it."""

    @property
    def info(self) -> EngineInfo | None: ...

    @property
    def connection(self) -> Connection | None: ...

    @property
    def num_open(self) -> int: ...

    @property
    def num_free(self) -> int: ...

    def launch(self) -> None: ...

    def submit(self, request: Request) -> None: ...

    def poll(self, timeout_seconds: float) -> list[Caption]: ...


class Keeper(Protocol):
    """Keeps what a run learns of its videos. Called from the loop alone, and never waits for the disk."""

    engine: EngineInfo | None

    def open(self, video: VideoWork) -> None:
        """A video's turn has come, perhaps again: give it what is known of it."""
        ...

    def job(self, video: VideoWork) -> ScanJob | ProbeJob | None:
        """What a media worker must do for it next; None when nothing is missing."""
        ...

    def hear(self, video: VideoWork, event: VideoProbed | ScoreRows) -> None:
        """Something only some runs ask for has come."""
        ...

    def save_picture(self, video: VideoWork, scene_index: int, picked: PickedFrame) -> None:
        """A pick has come; its picture is there if the run asked for pictures."""
        ...

    def save_scan(self, video: VideoWork) -> None:
        """Its scan is over."""
        ...

    def log_caption(self, video: VideoWork, caption: Caption) -> None:
        """A request for it was answered."""
        ...

    def forget_captions(self, video: VideoWork) -> None:
        """It is to be scanned anew."""
        ...

    def finish(self, video: VideoWork) -> VideoOutcome:
        """All is there: say what became of it."""
        ...


class NoCaptions:
    """A captioner for runs that ask for none."""

    info: EngineInfo | None = None
    connection: Connection | None = None
    num_open = 0
    num_free = 0

    def launch(self) -> None:
        """There is nothing to start."""

    def submit(self, request: Request) -> None:
        raise AssertionError(f"{request.key} was asked for in a run without captions")

    def poll(self, timeout_seconds: float) -> list[Caption]:
        return []


class ScanKeeper:
    """What keepers of runs without captions have in common."""

    engine: EngineInfo | None = None

    def log_caption(self, video: VideoWork, caption: Caption) -> None:
        raise AssertionError(f"{caption.key} was answered in a run without captions")

    def forget_captions(self, video: VideoWork) -> None:
        """There are none."""

    def close(self) -> None:
        """The run is over, whichever way."""
