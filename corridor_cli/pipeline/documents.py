"""What a run leaves on disk: scan records, caption logs, pictures and, last of all, documents.

Everything is handed to the writer thread in order; nothing here waits for the disk, except for reading what
an earlier run left of a video when its turn comes.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from corridor_cli.errors import TranscriptError
from corridor_cli.pipeline.exports import VideoExports
from corridor_cli.pipeline.pictures import Pictures
from corridor_cli.pipeline.plan import UnreadableSource
from corridor_cli.pipeline.tally import Tally
from corridor_cli.pipeline.timelines import TimelineMaker
from corridor_cli.pipeline.video import VideoWork
from corridor_cli.pipeline.writer import Writer
from corridor_cli.records import (
    Caption,
    EngineInfo,
    ErrorInfo,
    PickedFrame,
    ScanJob,
    ScoreRows,
    VideoProbed,
)
from corridor_cli.settings import Settings
from corridor_cli.telemetry import RunOptions, VideoOutcome
from corridor_cli.timeline.assemble import describe_model
from corridor_cli.timeline.commit import commit_failed, commit_timeline
from corridor_cli.timeline.layout import OutputLayout
from corridor_cli.timeline.lock import OutputLock
from corridor_cli.timeline.log import CaptionLog, Reuse
from corridor_cli.timeline.scan_record import load_scan, save_scan
from corridor_cli.timeline.schema import Timeline, timeline_bytes
from corridor_cli.transcripts import load_transcript


class Documents:
    """Reads and writes OUTPUT for one run. `engine` is to be set once the engine has started."""

    def __init__(
        self,
        layout: OutputLayout,
        lock: OutputLock,
        settings: Settings,
        options: RunOptions,
        writer: Writer,
        tally: Tally,
        exports: VideoExports,
    ) -> None:
        self._layout = layout
        self._lock = lock
        self._settings = settings
        self._options = options
        self._writer = writer
        self._exports = exports
        self._maker = TimelineMaker(layout, settings, tally)
        self._fsync = settings.output.fsync
        self._logs: dict[int, CaptionLog] = {}
        self.pictures = Pictures(layout, settings, writer)
        self.engine: EngineInfo | None = None

    def tell_workers(self, reason: str) -> None:
        """How many media workers there are, and why: it stands in each document."""
        self._maker.workers = reason

    # --- when a video's turn comes ---

    def open(self, video: VideoWork) -> None:
        """Give the video what earlier runs know of it: its scan, its captions, its saved pictures."""
        if video.ordinal in self._logs:
            return
        record = None if self._options.force else load_scan(self._layout.scan(video.plan.scan_key))
        if record is not None and record.error is not None and self._options.retry_failed:
            record = None  # a damaged file may have been mended by a better decoder
        log = self._open_log(video, self._reuse())
        video.record = record
        video.is_scan_reused = record is not None
        # Captions of a model whose name was lost with a damaged line could not be quoted.
        video.captions = dict(log.captions) if log.model is not None else {}
        video.summary = dict(log.summary) if log.model is not None else {}
        if record is not None:
            video.saved = self.pictures.there(video)
        if video.plan.transcript is not None:
            try:
                video.transcript = load_transcript(video.plan.transcript)
            except TranscriptError as error:
                video.refuse(ErrorInfo("transcript", type(error).__name__, str(error)))

    def job(self, video: VideoWork) -> ScanJob | None:
        """What a media worker must do for this video next; None when nothing is missing."""
        return video.job(self.pictures.is_wanted)

    def forget_captions(self, video: VideoWork) -> None:
        """Start the video's log anew, for its scenes are looked for again."""
        self._writer.drain()  # what is still to be appended must not end up in the new log
        self._open_log(video, "none")

    def _open_log(self, video: VideoWork, reuse: Reuse) -> CaptionLog:
        assert video.plan.caption_key is not None, "a scan alone has no captions"
        path = self._layout.captions(video.plan.caption_key)
        # Not synced: a killed process loses nothing of it, only a power cut could, and a sync for each
        # caption (3.8 ms measured) would hold a fast engine back.
        log = CaptionLog(path, video.ordinal, reuse=reuse, fsync=False)
        self._logs[video.ordinal] = log
        return log

    def _reuse(self) -> Reuse:
        if self._options.force:
            return "none"
        return "good" if self._options.retry_failed else "all"

    # --- while it goes on ---

    def save_scan(self, video: VideoWork) -> None:
        if video.record is not None:
            path = self._layout.scan(video.plan.scan_key)
            self._writer.submit(partial(save_scan, path, video.record, fsync=self._fsync))

    def save_picture(self, video: VideoWork, scene_index: int, picked: PickedFrame) -> None:
        self.pictures.save(video, scene_index, picked)

    def hear(self, video: VideoWork, event: VideoProbed | ScoreRows) -> None:
        raise AssertionError(f"no run with captions asks for {type(event).__name__}")

    def log_caption(self, video: VideoWork, caption: Caption) -> None:
        log = self._logs[video.ordinal]
        assert self.engine is not None, "a caption came before the engine had started"
        self._writer.submit(self._lock.check)
        self._writer.submit(partial(log.append_model, describe_model(self.engine)))
        self._writer.submit(partial(log.append, caption))

    # --- when it is over ---

    def finish(self, video: VideoWork) -> VideoOutcome:
        """Hand the video's document over to be committed, and say what became of it."""
        log = self._logs.pop(video.ordinal)
        timeline = self._maker.timeline(video, log.model, self.engine)
        self.pictures.begin(video)
        has_scenes = timeline.status != "failed"
        data = timeline_bytes(timeline, indent=self._settings.output.indent)
        commit = commit_timeline if has_scenes else commit_failed
        self._writer.submit(self._lock.check)  # else it could name pictures that were removed with OUTPUT
        self._writer.submit(partial(commit, self._layout, video.relative, data, fsync=self._fsync))
        if has_scenes:
            self._exports.write(video.relative)
        else:
            self._exports.remove(video.relative)
        self.pictures.remove_others(video)
        path = self._layout.timeline if has_scenes else self._layout.failed
        return _outcome(video, timeline, path(video.relative))

    def fail_unreadable(self, unreadable: UnreadableSource) -> VideoOutcome:
        """Commit the failed document of a source that could not even be read."""
        source, error = unreadable.source, unreadable.error
        relative = str(source.relative)
        timeline = self._maker.unreadable(source, error, self.engine)
        data = timeline_bytes(timeline, indent=self._settings.output.indent)
        self._writer.submit(partial(commit_failed, self._layout, relative, data, fsync=self._fsync))
        self._exports.remove(relative)
        path = self._layout.failed(relative)
        return VideoOutcome(str(source.path), relative, "failed", timeline_path=path, error=error)


def _outcome(video: VideoWork, timeline: Timeline, path: Path) -> VideoOutcome:
    first = timeline.errors[0] if timeline.errors else None
    return VideoOutcome(
        path=str(video.plan.source.path),
        relative=video.relative,
        status=timeline.status,
        found=video.plan.found,
        timeline_path=path,
        num_scenes=len(timeline.scenes),
        is_scan_reused=video.is_scan_reused,
        error=ErrorInfo(first.stage, first.type, first.message) if first else None,
    )
