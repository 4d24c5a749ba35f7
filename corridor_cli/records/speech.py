"""What is said in a video, and what main and the child that listens tell each other."""

from __future__ import annotations

from dataclasses import dataclass

from corridor_cli.records.common import ErrorInfo


@dataclass(frozen=True, slots=True)
class SpokenLine:
    """Something said from `start` to `end`, in seconds on the video's own axis."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class ListenJob:
    """One video to write down."""

    path: str


@dataclass(frozen=True, slots=True)
class ListenerReady:
    """The model is loaded, and where."""

    device: str


@dataclass(frozen=True, slots=True)
class Listening:
    """Heartbeat: how far into the sound it is, and how long that is, in seconds."""

    seconds: float
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class Listened:
    """The end of a job: what is said, the language that was heard (None where nothing was), or an error."""

    lines: tuple[SpokenLine, ...]
    language: str | None = None
    error: ErrorInfo | None = None
