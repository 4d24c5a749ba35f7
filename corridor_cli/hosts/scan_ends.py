"""How a job of a media worker ends when something is the matter, as records for main."""

from __future__ import annotations

import gc
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from corridor_cli.errors import CutFileError, MediaError
from corridor_cli.media.base import Reader
from corridor_cli.media.keyframe_reader import KeyframeReader
from corridor_cli.media.limits import out_of_memory
from corridor_cli.printable import printable
from corridor_cli.records import ErrorInfo, ProbeJob, Progress, ScanEnd, ScanJob, Transition
from corridor_cli.settings import DecodeSettings


def guarded(
    work: Callable[[], None], job: ScanJob | ProbeJob, limits: DecodeSettings, num_frames: Callable[[], int]
) -> ScanEnd | None:
    """Do a job; its end when it could not be brought to one: main then keeps the scenes it has."""
    try:
        work()
        return None
    except MediaError as error:  # a picture that cannot be converted
        end = end_without_frames(job, error)
    except MemoryError:
        end = end_without_frames(job, out_of_memory(limits, num_frames(), Path(job.path)))
    # Out here the exception is gone, which held the frames of the open scene.
    gc.collect()
    return end


def error_info(error: MediaError, path: str) -> ErrorInfo:
    """The error as data; which file it is about is known to whoever reads it, so its path is taken off."""
    stage = "scenes" if isinstance(error, CutFileError) else "decode"
    return ErrorInfo(stage, type(error).__name__, str(error).removeprefix(f"{printable(path)}: "))


def end_without_frames(job: ScanJob | ProbeJob, error: MediaError) -> ScanEnd:
    return ScanEnd(job.video, 0, Fraction(0), None, (), None, (), error_info(error, job.path))


def end_of_frames(reader: Reader, num_frames: int, stopped_at: Fraction | None) -> Fraction | None:
    """Where the last of the frames seen ends, once the reader is closed; None where it has measured nothing.

    `stopped_at` is the time of the first frame that a limit kept out: the next one, but in a keyframe scan.
    """
    if isinstance(reader, KeyframeReader):
        return reader.end_of(num_frames - 1)
    return stopped_at or reader.end


def end_of_scan(
    reader: Reader, progress: Progress, num_decoded: int, found: tuple[Transition, ...], end: Fraction
) -> ScanEnd:
    """The end of a scan that saw all frames up to `end`, with what its reader has to say."""
    return ScanEnd(
        video=progress.video,
        num_frames=progress.num_frames,
        duration=end,
        is_variable_frame_rate=reader.is_variable_frame_rate,
        transitions=found,
        reader=reader.choice,
        # The container's own warnings travel with the VideoInfo.
        warnings=tuple(each for each in reader.warnings if each not in reader.info.warnings),
        error=None,
        num_decoded=None if num_decoded == progress.num_frames else num_decoded,
    )
