"""What one file may cost: asked before a file is opened, and of every frame on its way from reader to finder.

All limits of the section `decode` are told here, also those that main supervises from outside (a decoder that
hangs, takes too long, or wants too much memory). Each error says what was met, what is allowed, how many
frames were read and what to do; frames that came before a limit stay good.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from corridor_cli.errors import LimitError, StalledError, WorkerDiedError
from corridor_cli.media.readable import unreadable
from corridor_cli.printable import printable
from corridor_cli.records import ScanFrame
from corridor_cli.settings import DecodeSettings

# A frame's cost is counted as the 8-bit RGB it can become, so that all readers and formats count alike.
BYTES_PER_PIXEL = 3
RETRY = "then run again with --retry-failed"
# By which one file is decoded, however many are asked for; and what the pictures of all of them may take.
MAX_THREADS = 8
THREADS_BYTES = 400_000_000

# Reasons of a decoder to refuse a packet that are no damage of the file but a limit of ours.
TOO_LARGE = "a picture size that is not allowed"
OUT_OF_MEMORY = "out of memory"
OWN_REASONS = (TOO_LARGE, OUT_OF_MEMORY)


class BusyClock:
    """Seconds spent on one file. Waiting for somebody else is not the file's fault and does not count."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._paused_seconds = 0.0
        self._paused_since: float | None = None

    @property
    def seconds(self) -> float:
        until = self._paused_since or time.monotonic()
        return until - self._started - self._paused_seconds

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While entered, the clock stands."""
        self._paused_since = since = time.monotonic()
        try:
            yield
        finally:
            self._paused_seconds += time.monotonic() - since
            self._paused_since = None


def require_file(path: Path, limits: DecodeSettings) -> None:
    """Before a file is opened: raise `LimitError` when it is too large, `UnreadableError` when it is gone."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise unreadable(path, error) from error
    if limits.max_file_bytes is not None and size > limits.max_file_bytes:
        raise LimitError(
            f"{printable(path)}: has {size:,} bytes, more than the {limits.max_file_bytes:,} allowed by "
            "decode.max_file_bytes; no frame was read",
            hint=f"Raise decode.max_file_bytes, {RETRY}.",
        )


def require_pixels(path: Path, width: int, height: int, max_pixels: int, num_frames: int = 0) -> None:
    """Raise `LimitError` for a picture larger than `decode.max_pixels`; `num_frames` came before it."""
    if width * height > max_pixels:
        grown = f"grow to {width}×{height} after {count_frames(num_frames)}"
        raise LimitError(
            f"{printable(path)}: its pictures {grown if num_frames else f'have {width}×{height}'}, more than "
            f"the {max_pixels:,} pixels allowed by decode.max_pixels"
            + ("" if num_frames else "; no frame was read"),
            hint=f"If memory allows, raise decode.max_pixels, {RETRY}.",
        )


def within_limits(
    frames: Iterable[ScanFrame], path: Path, limits: DecodeSettings, clock: BusyClock
) -> Iterator[ScanFrame]:
    """The frames of a scan as long as they keep within the limits; then `LimitError`.

    Whatever the file's header says, only what is really decoded counts.
    """
    num_bytes = 0
    for num_before, frame in enumerate(frames):
        width, height = frame.size_px
        num_bytes += BYTES_PER_PIXEL * width * height
        try:
            require_pixels(path, width, height, limits.max_pixels, num_before)
            _require_amounts(path, limits, frame, num_before, num_bytes)
            if limits.max_seconds is not None and clock.seconds > limits.max_seconds:
                raise out_of_time(limits.max_seconds, num_before, path)
        except LimitError as error:
            error.at = frame.time
            raise
        yield frame


def _require_amounts(
    path: Path, limits: DecodeSettings, frame: ScanFrame, num_before: int, num_bytes: int
) -> None:
    """Raise `LimitError` when this frame, with the `num_before` others `num_bytes`, is too much.

    Frames that a keyframe scan left out are the file's as well.
    """
    if limits.max_frames is not None and frame.index >= limits.max_frames:
        raise _over(path, f"has more than the {limits.max_frames:,} frames", "max_frames", num_before)
    longest = limits.max_duration_seconds
    if longest is not None and frame.time >= Fraction(str(longest)):
        raise _over(path, f"is longer than the {longest:g} s", "max_duration_seconds", num_before)
    most = limits.max_decoded_bytes
    if most is not None and num_bytes > most:
        raise _over(path, f"decodes to more than the {most:,} bytes", "max_decoded_bytes", num_before)


def can_allocate(num_bytes: int) -> bool:
    """Whether so much memory could be had just now; none of it is kept or touched."""
    if num_bytes < 1:
        return True
    try:
        mmap.mmap(-1, num_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except (OSError, OverflowError, ValueError):
        return False
    return True


def for_known_picks(limits: DecodeSettings) -> DecodeSettings:
    """The limits for fetching a few frames of a file that was scanned within all of them."""
    return replace(
        limits, max_frames=None, max_duration_seconds=None, max_decoded_bytes=None, max_seconds=None
    )


def out_of_time(max_seconds: float, num_frames: int, path: Path | None = None) -> LimitError:
    """The wall clock's limit, told from inside a scan, or from outside when the decoder would not stop."""
    return _over(path, f"took more than the {max_seconds:g} s", "max_seconds", num_frames)


def out_of_memory(limits: DecodeSettings, num_frames: int, path: Path) -> LimitError:
    """The decoder, or what holds its pictures, wanted more memory than there is for it."""
    allowed = limits.max_memory_bytes
    bound = f"the {allowed:,} bytes" if isinstance(allowed, int) else "what is"
    return _over(path, f"needs more memory than {bound}", "max_memory_bytes", num_frames)


def refused(path: Path, reason: str, limits: DecodeSettings, num_frames: int) -> LimitError:
    """The decoder itself kept within a limit, one of `OWN_REASONS`, and gave no more frames."""
    if reason == OUT_OF_MEMORY:
        return out_of_memory(limits, num_frames, path)
    what = f"states a picture size of zero, or of more than the {limits.max_pixels:,} pixels"
    error = _over(path, what, "max_pixels", num_frames)
    return LimitError(error.message, hint=f"{error.hint} If that does not help, the file is damaged.")


def stalled(silent_seconds: float, stall_seconds: float, num_frames: int) -> StalledError:
    """A decoder that main had to kill."""
    return StalledError(
        f"the decoder gave no sign of life for {silent_seconds:.0f} s after {count_frames(num_frames)} and "
        f"was killed (decode.stall_seconds is {stall_seconds:g}).",
        hint="Raise decode.stall_seconds if only the disk is slow; else leave it out with --exclude.",
    )


def worker_died(how: str, num_frames: int) -> WorkerDiedError:
    """A decoder's process that ended by itself, or was ended by the system."""
    hint = "The file makes the decoder crash: convert it, or leave it out with --exclude."
    if "SIGKILL" in how:
        hint = "The system does that when memory runs out: lower decode.workers or decode.max_memory_bytes."
    return WorkerDiedError(f"the decoder's process {how}, after {count_frames(num_frames)}.", hint=hint)


def count_frames(num_frames: int) -> str:
    """`no frame`, `1 frame`, `1,234 frames`."""
    return "no frame" if not num_frames else "1 frame" if num_frames == 1 else f"{num_frames:,} frames"


def _over(path: Path | None, what: str, setting: str, num_frames: int) -> LimitError:
    about = "" if path is None else f"{printable(path)}: "
    were = "was" if num_frames < 2 else "were"
    return LimitError(
        f"{about}{what} allowed by decode.{setting}; {count_frames(num_frames)} {were} read",
        hint=f"Raise decode.{setting}, {RETRY}.",
    )
