"""What `vlmtl probe` keeps: the facts of each file, and which limits would stop it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from corridor_cli.pipeline.keeper import ScanKeeper
from corridor_cli.pipeline.plan import UnreadableSource
from corridor_cli.pipeline.video import VideoWork
from corridor_cli.printable import encodable
from corridor_cli.records import ErrorInfo, PickedFrame, ProbeJob, ScoreRows, VideoInfo, VideoProbed
from corridor_cli.settings import DecodeSettings
from corridor_cli.telemetry import VideoOutcome


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of the settings and what the file states; `found` None is unknown until it is decoded."""

    setting: str
    allowed: int | float
    found: int | float | None

    @property
    def is_exceeded(self) -> bool:
        return self.found is not None and self.found > self.allowed


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What is known of one file. `probed` is None where it could not be opened, and `error` says why; neither
    is there for a file whose turn did not come."""

    path: str
    relative: str
    size_bytes: int | None
    probed: VideoProbed | None = None
    error: ErrorInfo | None = None
    limits: tuple[Limit, ...] = ()

    @property
    def status(self) -> str:
        if self.error is not None:
            return "failed"
        return "pending" if self.probed is None else "good"


class Probes(ScanKeeper):
    """Collects reports, and hands each to `on_report` when it is there, in any order."""

    def __init__(self, decode: DecodeSettings, on_report: Callable[[ProbeReport], None]) -> None:
        self._decode = decode
        self._on_report = on_report
        self._probed: dict[int, VideoProbed] = {}

    def open(self, video: VideoWork) -> None:
        """Nothing is known of a file before it is opened."""

    def job(self, video: VideoWork) -> ProbeJob:
        return ProbeJob(video.ordinal, str(video.plan.source.path), attempt=video.num_losses)

    def hear(self, video: VideoWork, event: VideoProbed | ScoreRows) -> None:
        assert isinstance(event, VideoProbed), event
        self._probed[video.ordinal] = event

    def save_picture(self, video: VideoWork, scene_index: int, picked: PickedFrame) -> None:
        raise AssertionError("a probe takes no picks")

    def save_scan(self, video: VideoWork) -> None:
        """A probe is no scan."""

    def finish(self, video: VideoWork) -> VideoOutcome:
        source, probed = video.plan.source, self._probed.pop(video.ordinal, None)
        path, error = str(source.path), video.error
        limits = tuple(_limits(self._decode, probed.info)) if probed else ()
        self._on_report(ProbeReport(path, video.relative, source.size_bytes, probed, error, limits))
        return VideoOutcome(path, video.relative, "failed" if error else "complete", error=error)

    def fail_unreadable(self, plan: UnreadableSource) -> None:
        """A source that could not even be read has a report too."""
        source = plan.source
        report = ProbeReport(str(source.path), str(source.relative), source.size_bytes, error=plan.error)
        self._on_report(report)


def _limits(decode: DecodeSettings, info: VideoInfo) -> Iterator[Limit]:
    """Those that count something of the file; how long decoding takes is not known before."""
    yield Limit("decode.max_pixels", decode.max_pixels, info.width_px * info.height_px)
    if decode.max_frames is not None:
        yield Limit("decode.max_frames", decode.max_frames, info.num_frames_from_header)
    if decode.max_seconds is not None:
        yield Limit("decode.max_seconds", decode.max_seconds, None)


def report_as_json(report: ProbeReport) -> dict[str, Any]:
    """The report as JSON values; ratios and exact times are `num/den` text."""
    probed, error = report.probed, report.error
    readers = {"scan": asdict(probed.scan_reader), "picks": asdict(probed.picks_reader)} if probed else None
    document = {
        "path": report.path,
        "status": report.status,
        "size_bytes": report.size_bytes,
        "info": asdict(probed.info) if probed else None,
        "variable_frame_rate": None,
        "streams": [asdict(stream) for stream in probed.streams] if probed else [],
        "readers": readers,
        "limits": [asdict(limit) | {"is_exceeded": limit.is_exceeded} for limit in report.limits],
        "errors": [asdict(error)] if error else [],
    }
    return {name: _plain(value) for name, value in document.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    return encodable(value) if isinstance(value, str) else value
