"""`vlmtl transcribe`: what is said in each video, written down into a folder that `--transcripts` reads."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing.connection import wait
from pathlib import Path

from corridor_cli import errors
from corridor_cli.errors import ExitCode, UsageError
from corridor_cli.hosts.channel import ChannelClosedError
from corridor_cli.hosts.messages import ListenerSetup
from corridor_cli.hosts.process import ChildProcess
from corridor_cli.media.discover import SourceFile
from corridor_cli.printable import printable
from corridor_cli.records import ErrorInfo, Fatal, Listened, ListenerReady, Listening, ListenJob
from corridor_cli.runners.inputs import find_inputs
from corridor_cli.settings import Settings
from corridor_cli.telemetry import Reporter, counted, format_duration
from corridor_cli.timeline.commit import write_atomically
from corridor_cli.transcripts import transcript_path, transcript_srt

_STAGE = "transcribe"
_TICK_SECONDS = 0.25
_PROGRESS_SECONDS = 15.0
_PACKAGE = "faster_whisper"


@dataclass(frozen=True, slots=True)
class TranscribedVideo:
    """What became of one video: lines in a file, a file that was there, or an error."""

    relative: str
    path: Path | None
    num_lines: int = 0
    language: str | None = None
    is_kept: bool = False
    error: ErrorInfo | None = None


@dataclass(frozen=True, slots=True)
class TranscribeRequest:
    """Where to write, and how to listen: see `ListenerSetup`."""

    folder: Path
    setup: ListenerSetup
    force: bool = False


def run_transcribe(
    inputs: list[str],
    request: TranscribeRequest,
    settings: Settings,
    reporter: Reporter,
    sink: Callable[[TranscribedVideo], None],
) -> ExitCode:
    """Write down all inputs that have no transcript in the folder yet. Raises `VlmtlError`.

    `sink` hears of each video as it is done. A video that fails costs itself alone; one that takes the child
    down, or lets it fall silent for `errors.engine_stall_seconds`, too.
    """
    if find_spec(_PACKAGE) is None:
        raise UsageError(
            "faster-whisper is not installed, which listening needs",
            hint="Install it: pip install 'vlmtl[whisper]'.",
        )
    found = find_inputs(inputs, settings, request.folder.resolve())
    num_good = 0
    for problem in found.problems:
        sink(TranscribedVideo(problem.path, None, error=problem.error))
    with closing(_Listener(request.setup, settings.errors.engine_stall_seconds, reporter)) as listener:
        for source in found.sources:
            video = _transcribe(source, request, listener, fsync=settings.output.fsync)
            num_good += video.error is None
            sink(video)
    num_all = len(found.sources) + len(found.problems)
    if num_good == num_all:
        return ExitCode.OK
    return ExitCode.PARTIAL if num_good else ExitCode.NO_INPUTS


def _transcribe(
    source: SourceFile, request: TranscribeRequest, listener: _Listener, *, fsync: bool
) -> TranscribedVideo:
    relative = str(source.relative)
    path = transcript_path(request.folder, relative)
    if path.exists() and not request.force:
        return TranscribedVideo(relative, path, is_kept=True)
    heard = listener.listen(source)
    if heard.error is not None:
        return TranscribedVideo(relative, None, error=heard.error)
    # A file without lines says that nothing is said: it is not listened to again.
    write_atomically(path, transcript_srt(heard.lines), fsync=fsync)
    return TranscribedVideo(relative, path, len(heard.lines), heard.language)


class _Listener:
    """The child that listens, started when the first video asks for it and again after it died."""

    def __init__(self, setup: ListenerSetup, stall_seconds: float, reporter: Reporter) -> None:
        self._setup = setup
        self._stall_seconds = stall_seconds
        self._reporter = reporter
        self._child: ChildProcess | None = None

    def listen(self, source: SourceFile) -> Listened:
        """What is said in a video, or why it is not known. Raises `ModelError` where no child can listen."""
        try:
            child = self._started()
            child.channel.send(ListenJob(str(source.path)))
            return self._answer(child, str(source.relative))
        except ChannelClosedError:
            return self._lost("WorkerDiedError", f"the process that listens {self._reap()}")

    def close(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None

    def _started(self) -> ChildProcess:
        if self._child is None:
            null = os.open(os.devnull, os.O_RDWR)  # in the place of an arena, of which it has no use
            try:
                self._child = ChildProcess("corridor_cli.hosts.listener", null, {})
            finally:
                os.close(null)
            self._child.channel.send(self._setup)
            ready = self._next(self._child)
            if isinstance(ready, Fatal):
                self.close()
                raise getattr(errors, ready.kind)(ready.message, hint=ready.hint)
            if ready is None:
                self.close()
                raise errors.ModelError(
                    f"{self._setup.model} did not load within {self._stall_seconds:g} s.",
                    hint="Raise errors.engine_stall_seconds, or name a smaller model.",
                )
            assert isinstance(ready, ListenerReady), ready
            self._reporter.note(f"{printable(self._setup.model)} listens on {ready.device}")
        return self._child

    def _answer(self, child: ChildProcess, relative: str) -> Listened:
        told_at = time.monotonic()
        while True:
            event = self._next(child)
            if isinstance(event, Listened):
                return event
            if event is None:
                self.close()
                return self._lost("StalledError", f"nothing was heard of it for {self._stall_seconds:g} s")
            if isinstance(event, Listening) and time.monotonic() - told_at > _PROGRESS_SECONDS:
                told_at = time.monotonic()
                at, whole = format_duration(event.seconds), format_duration(event.duration_seconds)
                self._reporter.note(f"{printable(relative)}: {at} of {whole}")

    def _next(self, child: ChildProcess) -> Listened | ListenerReady | Listening | Fatal | None:
        """What the child says next; None where it says nothing for too long. Raises `ChannelClosedError`."""
        deadline = time.monotonic() + self._stall_seconds
        while time.monotonic() < deadline:
            if wait([child.channel.connection], _TICK_SECONDS):
                event: Listened | ListenerReady | Listening | Fatal = child.channel.receive()
                return event
        return None

    def _reap(self) -> str:
        assert self._child is not None
        how, self._child = self._child.reap(), None
        return how

    def _lost(self, kind: str, message: str) -> Listened:
        return Listened((), error=ErrorInfo(_STAGE, kind, message))


def summary_line(videos: list[TranscribedVideo]) -> str:
    """What became of all of them, in a line."""
    kept = sum(video.is_kept for video in videos)
    failed = sum(video.error is not None for video in videos)
    written = len(videos) - kept - failed
    parts = [f"{counted(written, 'video')} written down"]
    parts += [f"{kept:,} kept"] if kept else []
    parts += [f"{failed:,} failed"] if failed else []
    return ", ".join(parts)
