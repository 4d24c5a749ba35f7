"""What `vlmtl scenes` keeps: scan records where `vlmtl run` looks for them, score files, contact sheets.

As in `documents.py`, everything written goes through the writer thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from corridor_cli.pipeline.keeper import ScanKeeper
from corridor_cli.pipeline.plan import UnreadableSource
from corridor_cli.pipeline.spool import Spool
from corridor_cli.pipeline.video import VideoWork
from corridor_cli.pipeline.writer import Writer
from corridor_cli.records import ErrorInfo, PickedFrame, Role, ScanJob, ScoreRows, VideoProbed
from corridor_cli.settings import Settings
from corridor_cli.telemetry import RunOptions, VideoOutcome
from corridor_cli.timeline.commit import remove_file, write_atomically
from corridor_cli.timeline.contact_sheet import draw_page, pages
from corridor_cli.timeline.layout import OutputLayout, output_name
from corridor_cli.timeline.listing import CSV_COLUMNS, SceneListing, csv_line, csv_rows
from corridor_cli.timeline.lock import OutputLock
from corridor_cli.timeline.scan_record import ScanRecord, load_scan, save_scan
from corridor_cli.timeline.source import SourceFacts
from corridor_cli.timeline.timecode import seconds

SCORE_COLUMNS = ("frame_index", "time", "score", "threshold", "transition")
FILE_SUFFIX = ".csv"
"""A path that ends so is one file, any other a folder with a file for each video."""

_NO_SCENE = ErrorInfo("decode", "NoFramesError", "the video yields no scene.")


@dataclass(frozen=True, slots=True)
class ScenesRequest:
    """What is to be written: scan records under `output`, scores at `stats`, sheets under `sheet`, and each
    video's scenes as CSV under `csv`."""

    output: OutputLayout | None = None
    stats: Path | None = None
    sheet: Path | None = None
    csv: Path | None = None


@dataclass(slots=True, eq=False)
class _Kept:
    """What is put aside of one video until it is finished."""

    pictures: Spool = field(default_factory=Spool)
    scores: Spool = field(default_factory=Spool)
    num_score_parts: int = 0

    def close(self) -> None:
        self.pictures.close()
        self.scores.close()


class SceneLists(ScanKeeper):
    """Keeps scans, and hands each video's listing to `on_listing` when it is finished, in any order."""

    def __init__(
        self,
        request: ScenesRequest,
        lock: OutputLock | None,
        settings: Settings,
        options: RunOptions,
        writer: Writer,
        on_listing: Callable[[SceneListing], None],
    ) -> None:
        self._request = request
        self._lock = lock
        self._settings = settings
        self._options = options
        self._writer = writer
        self._on_listing = on_listing
        self._fsync = settings.output.fsync
        self._kept: dict[int, _Kept] = {}
        self._handed_over: set[_Kept] = set()

    # --- while it goes on ---

    def open(self, video: VideoWork) -> None:
        """Give the video the scan an earlier run recorded. Scores are in no record: they need a new scan."""
        before = self._kept.pop(video.ordinal, None)
        if before is not None:  # its worker was lost: all of it comes again
            before.close()
        self._kept[video.ordinal] = _Kept()
        output = self._request.output
        if before is None and output is not None and self._request.stats is None and not self._options.force:
            record = load_scan(output.scan(video.plan.scan_key))
            if record is None or (record.error is not None and self._options.retry_failed):
                return
            video.record = record
            video.is_scan_reused = True

    def job(self, video: VideoWork) -> ScanJob | None:
        return video.job(self._request.sheet is not None)

    def hear(self, video: VideoWork, event: VideoProbed | ScoreRows) -> None:
        assert isinstance(event, ScoreRows), event
        kept = self._kept[video.ordinal]
        lines = (
            csv_line(row.frame_index, seconds(row.time), row.score, row.threshold, row.transition)
            for row in event.rows
        )
        kept.scores.put(kept.num_score_parts, "".join(lines).encode("ascii"))
        kept.num_score_parts += 1

    def save_picture(self, video: VideoWork, scene_index: int, picked: PickedFrame) -> None:
        if picked.image is not None:
            self._kept[video.ordinal].pictures.put((scene_index, picked.pick.role), picked.image)

    def save_scan(self, video: VideoWork) -> None:
        output = self._request.output
        if video.record is not None and output is not None:
            assert self._lock is not None, "a scan is recorded only in a folder that is ours"
            self._writer.submit(self._lock.check)
            path = output.scan(video.plan.scan_key)
            self._writer.submit(partial(save_scan, path, video.record, fsync=self._fsync))

    # --- when it is over ---

    def finish(self, video: VideoWork) -> VideoOutcome:
        """Hand the sheets and scores over to be written, and tell what was found."""
        kept = self._kept.pop(video.ordinal)
        record = video.record if video.record and video.record.scenes else None
        error = video.error or (record.error if record else _NO_SCENE)
        source = video.plan.source
        listing = SceneListing(
            SourceFacts(str(source.path), source.size_bytes, video.plan.fingerprint),
            video.relative,
            "failed" if record is None else "partial" if error else "complete",
            record,
            video.info,
            video.reader,
            error,
            video.plan.scan_key,
            video.is_scan_reused,
            self._draw_sheets(video.relative, record, kept) if record else (),
            self._write_scores(video.relative, kept) if kept.num_score_parts else None,
        )
        self._handed_over.add(kept)
        self._writer.submit(partial(self._let_go, kept))
        if record is not None and self._request.csv is not None:
            path = self._request.csv / f"{output_name(video.relative)}.scenes{FILE_SUFFIX}"
            self._writer.submit(partial(_write_scenes, path, listing, self._fsync))
        self._on_listing(listing)
        num_scenes = len(record.scenes) if record else 0
        return VideoOutcome(
            str(source.path),
            video.relative,
            listing.status,
            num_scenes=num_scenes,
            error=error,
            is_scan_reused=video.is_scan_reused,
        )

    def fail_unreadable(self, plan: UnreadableSource) -> None:
        """A source that could not even be read has a listing too."""
        source = plan.source
        facts = SourceFacts(str(source.path), source.size_bytes, None)
        self._on_listing(SceneListing(facts, str(source.relative), "failed", error=plan.error))

    def close(self) -> None:
        """The run is over, whichever way: nothing stays aside."""
        for kept in (*self._kept.values(), *self._handed_over):
            kept.close()

    def _let_go(self, kept: _Kept) -> None:
        kept.close()
        self._handed_over.discard(kept)

    def _draw_sheets(self, relative: str, record: ScanRecord, kept: _Kept) -> tuple[Path, ...]:
        folder = self._request.sheet
        if folder is None:
            return ()
        paths = [sheet_path(folder, relative, number) for number in range(len(pages(record)))]
        for number, path in enumerate(paths):
            self._writer.submit(
                partial(_write_page, path, relative, record, number, kept.pictures, self._fsync)
            )
        self._writer.submit(partial(_remove_pages, folder, relative, len(paths)))
        return tuple(paths)

    def _write_scores(self, relative: str, kept: _Kept) -> Path:
        stats = self._request.stats
        assert stats is not None, "scores came that nobody asked for"
        path = stats if is_one_file(stats) else stats / f"{output_name(relative)}.stats{FILE_SUFFIX}"
        self._writer.submit(partial(_write_scores, path, kept, self._fsync))
        return path


def is_one_file(path: Path) -> bool:
    """Whether a path given by the user means one file, told from its name alone."""
    return path.suffix.lower() == FILE_SUFFIX


def sheet_path(folder: Path, relative: str, number: int) -> Path:
    """Where page `number` (from 0) of a video's contact sheet lies."""
    page = "" if number == 0 else f"-{number + 1}"
    return folder / f"{output_name(relative)}.sheet{page}.jpg"


# --- in the writer thread ---


def _write_page(
    path: Path, relative: str, record: ScanRecord, number: int, pictures: Spool, fsync: bool
) -> None:
    def picture_of(scene: int, role: Role) -> bytes | None:
        return pictures.get((scene, role))

    write_atomically(path, draw_page(relative, record, number, picture_of), fsync=fsync)


def _remove_pages(folder: Path, relative: str, number: int) -> None:
    """Pages of an earlier sheet that had more of them."""
    while (path := sheet_path(folder, relative, number)).exists():
        remove_file(path)
        number += 1


def _write_scenes(path: Path, listing: SceneListing, fsync: bool) -> None:
    lines = [csv_line(*CSV_COLUMNS), *(csv_line(*row) for row in csv_rows(listing))]
    write_atomically(path, "".join(lines).encode("utf-8"), fsync=fsync)


def _write_scores(path: Path, kept: _Kept, fsync: bool) -> None:
    parts = (kept.scores.get(number) or b"" for number in range(kept.num_score_parts))
    write_atomically(path, csv_line(*SCORE_COLUMNS).encode("ascii") + b"".join(parts), fsync=fsync)
