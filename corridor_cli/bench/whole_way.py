"""The whole way in words: how long each of its stages worked, against the wall clock."""

from __future__ import annotations

from collections.abc import Iterator

from corridor_cli.bench.document import PipeResult
from corridor_cli.bench.wording import figure, percent
from corridor_cli.printable import printable, shortened
from corridor_cli.telemetry import counted, format_duration

STAGE_HEAD = ("stage", "seconds", "of the wall clock")
_WORDS = {
    "decode": "decode, all media workers",
    "scan": "decode and waiting, all media workers",  # as earlier versions told it
    "write": "write, synced to disk",
}
_MAX_NAME_CHARACTERS = 40


def stage_rows(pipe: PipeResult) -> list[tuple[str, str, str]]:
    """A row a stage under `STAGE_HEAD`, in the order of the way."""
    return [
        (stage_words(name), f"{figure(seconds)} s", percent(seconds / pipe.wall_seconds))
        for name, seconds in pipe.seconds_by_stage.items()
    ]


def stage_words(name: str) -> str:
    """What a stage is called."""
    return _WORDS.get(name) or shortened(printable(name), _MAX_NAME_CHARACTERS)


def whole_way_lines(pipe: PipeResult) -> Iterator[str]:
    """What came of it, and what to know of its stages."""
    yield (
        f"{counted(pipe.num_videos, 'video')} of {format_duration(pipe.video_seconds)} in "
        f"{format_duration(pipe.wall_seconds)} with batch size {pipe.batch_size}: "
        f"{figure(pipe.times_real_time)} times real time, {figure(pipe.scenes_per_second)} scenes/s, "
        f"{figure(pipe.captions_per_second)} captions/s."
    )
    if pipe.busy_share is not None:
        yield f"From its first batch to its last the engine worked {percent(pipe.busy_share)} of the time."
    if pipe.seconds_by_stage:
        yield "Stages run side by side; the wall clock also has the start of workers and of the engine."


def stages_sentence(pipe: PipeResult) -> str:
    """All stages in one line: `decode 4.1 s, vision 2.3 s, …`."""
    told = ", ".join(
        f"{shortened(printable(name), _MAX_NAME_CHARACTERS)} {figure(seconds)} s"
        for name, seconds in pipe.seconds_by_stage.items()
    )
    return f"the whole way, {format_duration(pipe.wall_seconds)}: {told}; stages run side by side"
