"""Pages of all documents below OUTPUT, and the library page: no model is loaded.

Videos are opened only for pictures, where a run has saved none and the video is still what was captioned.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from corridor_cli.errors import ExitCode, NoInputsError, TimelineError, UsageError
from corridor_cli.printable import encodable, printable
from corridor_cli.runners.report_videos import LocalVideo, WantedPictures, find_video, take_pictures
from corridor_cli.telemetry import Reporter, counted
from corridor_cli.timeline.exports.find import Found, TimelineFile, find_timelines
from corridor_cli.timeline.exports.keep import Fate
from corridor_cli.timeline.layout import LIBRARY_NAME, REPORT_SUFFIX, OutputLayout
from corridor_cli.timeline.lock import OutputLock
from corridor_cli.timeline.opened import open_timeline
from corridor_cli.timeline.report.library import Unread, VideoRow, library_page
from corridor_cli.timeline.report.make import make_page
from corridor_cli.timeline.report.pages import library_html
from corridor_cli.timeline.report.saved import saved_pictures
from corridor_cli.timeline.report.write import write_library_page, write_video_page
from corridor_cli.timeline.schema import Timeline

TOLD_FROM = 500
"""So many pages take seconds: it is told."""
_HINT = "Give the OUTPUT folder of an earlier `vlmtl run`."


@dataclass(slots=True)
class PagesReport:
    """What became of it. `counts` has how many pages were written, unchanged or kept; `kept` are those that
    somebody else has written or changed. `stopped_by` is the code of the signal that ended it early."""

    library: Path
    rows: list[VideoRow] = field(default_factory=list)
    counts: dict[Fate, int] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    stopped_by: ExitCode | None = None

    @property
    def exit_code(self) -> ExitCode:
        """0 when every document has its page, 3 when one could not be read or a page was kept."""
        if self.stopped_by is not None:
            return self.stopped_by
        return ExitCode.PARTIAL if self.unread or self.kept else ExitCode.OK

    def settled(self, page: str, fate: Fate) -> None:
        self.counts[fate] = self.counts.get(fate, 0) + 1
        if fate == "kept":
            self.kept.append(printable(page))


def report_output(root: Path, *, force: bool, with_thumbnails: bool, reporter: Reporter) -> PagesReport:
    """Write a page for each document below `root`, and the library page.

    Raises `UsageError`, `NoInputsError` where no document can be read, `StorageError`, `OutputLockedError`.
    """
    if not root.is_dir():
        raise UsageError(f"{printable(root)} is not a folder.", hint=_HINT)
    layout = OutputLayout(root.resolve())
    if not _documents(find_timelines(layout.root)):
        raise NoInputsError(f"No timeline was found in {printable(root)}.", hint=_HINT)
    with OutputLock(layout) as lock:
        documents = _documents(find_timelines(layout.root))
        pages = _Pages(layout, PagesReport(root / LIBRARY_NAME), reporter, force, with_thumbnails)
        report = pages.make(documents)
        lock.check()
    if not report.rows and report.stopped_by is None:
        first = report.unread[0]
        raise NoInputsError(
            f"{printable(root)}: none of {counted(len(documents), 'document')} can be read; "
            f"the first is {first.file}, which {first.what}",
            hint="`vlmtl validate` tells what is wrong, `vlmtl run --force` writes documents anew.",
        )
    return report


def _documents(found: Found) -> list[TimelineFile]:
    """Timelines and failures in one order; of a video that has both, the timeline."""
    by_name = {each.relative: each for each in (*found.failed, *found.timelines)}
    return sorted(by_name.values(), key=lambda each: each.relative.split("/"))


class _Pages:
    """The pages of one call."""

    def __init__(
        self,
        layout: OutputLayout,
        report: PagesReport,
        reporter: Reporter,
        force: bool,
        with_thumbnails: bool,
    ) -> None:
        self._layout = layout
        self._report = report
        self._reporter = reporter
        self._force = force
        self._with_thumbnails = with_thumbnails
        self._rows: dict[str, VideoRow] = {}

    def make(self, documents: list[TimelineFile]) -> PagesReport:
        """All pages; those whose pictures must be fetched come last."""
        if len(documents) >= TOLD_FROM:
            self._reporter.note(f"making pages of {counted(len(documents), 'document')}")
        waiting: list[WantedPictures] = []
        by_name = {each.relative: each for each in documents}
        for file in documents:
            timeline = self._read(file)
            if timeline is not None:
                self._begin(file, timeline, waiting)
        if waiting:
            self._fetch(waiting, by_name)
        self._report.rows = [self._rows[name] for name in by_name if name in self._rows]
        if self._report.rows and self._report.stopped_by is None:
            title = self._layout.root.name or str(self._layout.root)
            page = library_html(library_page(title, self._report.rows, self._report.unread))
            self._report.settled(LIBRARY_NAME, write_library_page(self._layout, page, force=self._force))
        return self._report

    def _read(self, file: TimelineFile) -> Timeline | None:
        try:
            return open_timeline(file.path).timeline
        except TimelineError as error:
            shown = printable(file.path.relative_to(self._layout.root))
            what = error.message.removeprefix(f"{printable(file.path)} ")
            self._report.unread.append(Unread(shown, what))
            return None

    def _begin(self, file: TimelineFile, timeline: Timeline, waiting: list[WantedPictures]) -> None:
        """Make the page at once, unless pictures must be fetched for it."""
        if not timeline.scenes or not self._with_thumbnails:
            self._finish(file, timeline, find_video(timeline.source), {}, "")
            return
        pictures = saved_pictures(timeline, file.path, file.relative.rpartition("/")[2])
        video = find_video(timeline.source)
        if pictures:
            self._finish(file, timeline, video, pictures, "")
            return
        why = self._why_no_pictures(timeline, video)
        if why:
            self._finish(file, timeline, video, {}, f"No pictures: none were saved, and {why}.")
            return
        fingerprint, scan_key = timeline.source.fingerprint, timeline.provenance.scan_key
        assert fingerprint is not None, "the video is the same"
        assert scan_key is not None, "its scan is there"
        waiting.append(WantedPictures(video.path, file.relative, fingerprint, scan_key))

    def _why_no_pictures(self, timeline: Timeline, video: LocalVideo) -> str:
        scan_key = timeline.provenance.scan_key
        if not video.is_there:
            return "the video is not there"
        if not video.is_same:
            return "the video was changed since"
        if scan_key is None or not self._layout.scan(scan_key).is_file():
            return "the record of its scan is gone"
        return ""

    def _fetch(self, waiting: list[WantedPictures], by_name: dict[str, TimelineFile]) -> None:
        self._reporter.note(f"taking pictures from {counted(len(waiting), 'video')}, for none were saved")

        def take(number: int, pictures: dict[str, bytes]) -> None:
            file = by_name[waiting[number].name]
            note = "" if pictures else "No pictures: none were saved, and none could be taken from the video."
            timeline = self._read(file)
            if timeline is not None:
                self._finish(file, timeline, find_video(timeline.source), pictures, note)

        self._report.stopped_by = take_pictures(waiting, self._layout, take, self._reporter)

    def _finish(
        self,
        file: TimelineFile,
        timeline: Timeline,
        video: LocalVideo,
        pictures: dict[str, bytes],
        pictures_note: str,
    ) -> None:
        made = make_page(
            timeline,
            encodable(file.relative),
            file.path.name,
            video.player(file.path.parent),
            pictures,
            pictures_note,
        )
        fate = write_video_page(self._layout, file.relative, made.html, force=self._force)
        self._report.settled(file.relative + REPORT_SUFFIX, fate)
        self._rows[file.relative] = made.row
