"""What a run tells while it goes on and when it is over: counters, events, outcomes and honest estimates.

The pipeline calls a `Reporter` from its one loop and hands it frozen records; how they look on a terminal,
in a log or in a pipe is the command line's business. Nothing here reads a clock or writes anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from corridor_cli.errors import ExitCode
from corridor_cli.records import BatchStats, EngineInfo, ErrorInfo, ReaderChoice, VideoInfo

VideoStatus = Literal["complete", "partial", "failed", "skipped", "pending"]
VideoState = Literal["new", "done", "partial", "failed", "stale"]

# An estimate drawn from less than this is mostly start-up cost: model load, first batch, caches.
MIN_FORECAST_SECONDS = 5.0
_MIN_FORECAST_SHARE = 0.01
_LONG_RUN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the user asks of this run only; everything that shapes a document is a setting instead."""

    dry_run: bool = False
    force: bool = False
    retry_failed: bool = False
    profile: bool = False


@dataclass(frozen=True, slots=True)
class VideoOutcome:
    """What became of one input.

    `found` is what an earlier run had left: nothing (new), a finished timeline with the same keys (done), one
    with other keys (stale), or one that waits for a retry (partial, failed). `skipped` means nothing was done
    for it in this run, `pending` that the run ended, or a dry run stopped, before it was finished.
    `is_scan_reused` says that its scenes were known from an earlier scan. `exports` of a skipped one were
    written, or in a dry run would be, for they were missing.
    """

    path: str
    relative: str
    status: VideoStatus
    found: VideoState = "new"
    timeline_path: Path | None = None
    num_scenes: int = 0
    error: ErrorInfo | None = None
    is_scan_reused: bool = False
    exports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What became of all inputs, and the exit code that says so. `num_captions` is None in a run that only
    scans.

    `decode_seconds` is what all media workers took for their videos, less their waiting for room, and
    `write_seconds` what writing took. Both went on beside captioning.
    """

    exit_code: ExitCode
    num_complete: int
    num_partial: int
    num_failed: int
    num_skipped: int
    num_pending: int
    num_scenes: int
    num_captions: int | None
    wall_seconds: float
    videos: tuple[VideoOutcome, ...] = ()
    decode_seconds: float = 0.0
    write_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RunPlan:
    """How much there is to do, once the inputs are known: `num_skipped` of `num_videos` need nothing.
    `output` is None where no folder of documents is written."""

    num_videos: int
    num_skipped: int
    output: Path | None


@dataclass(frozen=True, slots=True)
class Counters:
    """Where the run stands. Skipped videos are not counted; `captions_pending` are asked for and not answered
    yet. `share_done` (0 to 1, of all work), `memory_bytes` and `eta_seconds` are None while unknown.
    `is_captioning` is false in a run that only scans."""

    videos_done: int
    videos_total: int
    videos_failed: int
    scenes: int
    captions_done: int
    captions_pending: int
    frames_decoded: int
    elapsed_seconds: float
    batch_size: int | None = None
    share_done: float | None = None
    memory_bytes: int | None = None
    eta_seconds: float | None = None
    is_captioning: bool = True


class Reporter(Protocol):
    """Hears what happens during a run. Methods return at once and never raise for what they are told."""

    def note(self, message: str) -> None:
        """Something worth knowing: a choice with its reason, an expected time."""
        ...

    def warn(self, message: str) -> None:
        """Something is not as it should be, and the run goes on."""
        ...

    def run_planned(self, plan: RunPlan) -> None:
        """The inputs are known and the work is about to start."""
        ...

    def engine_started(self, info: EngineInfo) -> None:
        """The model is loaded."""
        ...

    def video_opened(self, relative: str, info: VideoInfo, reader: ReaderChoice) -> None:
        """A video is being read."""
        ...

    def batch_done(self, stats: BatchStats) -> None:
        """The engine ran one batch."""
        ...

    def video_finished(self, outcome: VideoOutcome) -> None:
        """A video is complete, partial or failed; its document is on disk."""
        ...

    def tick(self, counters: Counters) -> None:
        """Where the run stands; to be called at least twice a second, as often as one likes."""
        ...


def eta_seconds(elapsed_seconds: float, share_done: float | None) -> float | None:
    """Seconds left, when `share_done` (0 to 1) of the work took `elapsed_seconds`; None while it cannot be
    known: the share is unknown, or so little was done that start-up costs would dominate."""
    if share_done is None or share_done < _MIN_FORECAST_SHARE or elapsed_seconds < MIN_FORECAST_SECONDS:
        return None
    return elapsed_seconds * (1 - min(share_done, 1.0)) / share_done


def expected_time_note(
    num_captions: int, seconds_per_caption: float | None, device: str, decoding_seconds: float | None = None
) -> str | None:
    """A sentence that says how long captioning and decoding will take, the longer of them first; None where
    neither is worth saying. `decoding_seconds` are those of all media workers at once; None is not known.

    The two go on beside each other, so no sum of them is told, nor what they cost each other on a processor.
    """
    captioning = None if seconds_per_caption is None else num_captions * seconds_per_caption
    if max(captioning or 0.0, decoding_seconds or 0.0) < _LONG_RUN_SECONDS:
        return None
    beside = "on the same processors" if device == "cpu" else "beside it"
    parts = []
    if captioning is not None:
        count = f"{num_captions:,} captions on {device} ({seconds_per_caption:.2g} s each)"
        parts.append((captioning, f"about {format_duration(captioning)} for {count}"))
    if decoding_seconds:
        parts.append((decoding_seconds, f"about {format_duration(decoding_seconds)} for decoding"))
    longest, *others = [text for _, text in sorted(parts, key=lambda part: -part[0])]
    told = f"expected time: {longest}" + "".join(f", and {beside} {text}" for text in others)
    return told if captioning is not None else f"{told}; what {num_captions:,} captions take is not known"


def counted(number: int, noun: str) -> str:
    """A count with its noun: `1 scene`, `1,204 scenes`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def format_duration(seconds: float) -> str:
    """A length of time for people, two units at most: `4.2 s`, `3 min 12 s`, `5 h 4 min`, `2 d 3 h`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _two_units(*divmod(whole, 60), "min", "s")
    if whole < 86_400:
        return _two_units(*divmod(whole // 60, 60), "h", "min")
    return _two_units(*divmod(whole // 3600, 24), "d", "h")


def _two_units(large: int, small: int, large_unit: str, small_unit: str) -> str:
    return f"{large} {large_unit} {small} {small_unit}" if small else f"{large} {large_unit}"


def format_bytes(num_bytes: int) -> str:
    """A size for people, in binary units: `512 B`, `1.5 KiB`, `11.2 GiB`."""
    if num_bytes < 1024:
        return f"{num_bytes} B"
    size = float(num_bytes)
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if size < 1023.95:
            return f"{size:.1f} {unit}"
    return f"{size / 1024:.1f} TiB"
