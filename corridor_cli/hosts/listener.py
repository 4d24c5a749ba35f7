"""The child that listens: one video after the other becomes lines of what is said, by faster-whisper."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from corridor_cli.hosts.channel import Channel
from corridor_cli.hosts.messages import ListenerSetup
from corridor_cli.hosts.process import enter_child
from corridor_cli.records import (
    ErrorInfo,
    Fatal,
    Listened,
    ListenerReady,
    Listening,
    ListenJob,
    SpokenLine,
)

_STAGE = "transcribe"
_SEED = 1


def main(channel_fd: int, arena_fd: int, parent_pid: int) -> None:
    """Serve main until it hangs up."""
    enter_child(parent_pid)
    channel = Channel(channel_fd)
    setup: ListenerSetup = channel.receive()
    try:
        from faster_whisper import WhisperModel

        model = WhisperModel(setup.model, device=setup.device, compute_type="default")
    except Exception as error:  # noqa: BLE001 - whatever a library raises: it cannot listen here
        channel.send(
            Fatal(
                "ModelError",
                f"faster-whisper cannot load {setup.model}: {type(error).__name__}: {error}",
                "Name a size (tiny, base, small, medium, large-v3, turbo) or a CTranslate2 folder.",
            )
        )
        return
    channel.send(ListenerReady(model.model.device))
    while True:
        job: ListenJob = channel.receive()
        try:
            channel.send(_listen(model, job.path, setup.language, channel))
        except Exception as error:  # noqa: BLE001 - what one file raises, the others must live
            problem = ErrorInfo(_STAGE, type(error).__name__, str(error) or "no reason was given")
            channel.send(Listened((), error=problem))


def _listen(model: Any, path: str, language: str | None, channel: Channel) -> Listened:
    """Write one video down; silence is skipped by the library's own detector of voices."""
    offset = _sound_begins(path)
    if offset is None:
        return Listened(())
    import ctranslate2

    ctranslate2.set_random_seed(_SEED)  # where it is unsure it draws: the same video is to say the same again
    segments, info = model.transcribe(path, language=language, vad_filter=True)
    lines = tuple(_lines(segments, float(offset), float(info.duration), channel))
    return Listened(lines, info.language if lines else None)


def _lines(segments: Any, offset: float, duration: float, channel: Channel) -> Iterator[SpokenLine]:
    for segment in segments:
        channel.send(Listening(float(segment.end), duration))
        said = _readable(segment.text)
        # Times may run over the end of the sound: the model hears in windows of 30 s.
        start, end = min(float(segment.start), duration), min(float(segment.end), duration)
        if said and end > start and end + offset > 0:
            yield SpokenLine(max(0.0, start + offset), end + offset, said)


def _readable(text: str) -> str:
    """On one line, without what is no sign: a model may write any byte."""
    shown = "".join(sign if sign.isprintable() else " " for sign in text.replace("\ufffd", " "))
    return " ".join(shown.split())


def _sound_begins(path: str) -> Fraction | None:
    """When the sound begins on the axis of the pictures, in seconds; None where there is none."""
    import av

    with av.open(path) as container:
        if not container.streams.audio:
            return None
        starts = [
            (stream.start_time or 0) * Fraction(stream.time_base or 0)
            for stream in (container.streams.audio[0], *container.streams.video[:1])
        ]
        return starts[0] - starts[-1]
