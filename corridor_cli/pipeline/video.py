"""One video on its way through the run: what is known of it, what was asked, what was answered."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import count, takewhile

from corridor_cli.media.fingerprint import has_changed
from corridor_cli.pipeline.plan import VideoPlan
from corridor_cli.printable import printable
from corridor_cli.records import (
    Caption,
    ErrorInfo,
    FrameRef,
    ReaderChoice,
    RequestKey,
    Role,
    ScanEnd,
    ScanJob,
    Scene,
    SceneFrames,
    VideoInfo,
    VideoOpened,
    WantedPick,
)
from corridor_cli.timeline.scan_record import ScanRecord
from corridor_cli.transcripts import Transcript

PickId = tuple[int, Role]
CaptionId = tuple[int, Role | None]

SOURCE_CHANGED = ErrorInfo(
    "decode", "SourceChangedError", "was changed while it was read. Run again when it is complete."
)


@dataclass(slots=True)
class VideoWork:
    """The mutable state of one video; the pipeline is the only one to change it.

    `record` is the finished scan, of an earlier run or of this one; `error` is what ended the work on it
    early. `captions` holds what the log knew and what was answered since, under the role None where it is
    about a whole scene; `summary` the same for the steps of the video's summary. `saved` are the picks whose
    picture is on disk, `open` the requests without an answer yet, `gathered` the pictures of scenes whose
    other picks are still to come. `reader` scanned the file, `picks_reader` took the picks of a known scan.
    """

    ordinal: int
    plan: VideoPlan
    record: ScanRecord | None = None
    captions: dict[CaptionId, Caption] = field(default_factory=dict)
    summary: dict[str, Caption] = field(default_factory=dict)
    transcript: Transcript | None = None
    gathered: dict[int, dict[Role, FrameRef]] = field(default_factory=dict)
    saved: set[PickId] = field(default_factory=set)
    info: VideoInfo | None = None
    reader: ReaderChoice | None = None
    picks_reader: ReaderChoice | None = None
    scenes: dict[int, SceneFrames] = field(default_factory=dict)
    open: set[RequestKey] = field(default_factory=set)
    error: ErrorInfo | None = None
    is_decoded: bool = False
    is_scan_reused: bool = False
    is_outdated: bool = False
    num_jobs: int = 0
    num_losses: int = 0
    num_frames: int = 0
    scanned_seconds: float = 0.0
    started_at: float = 0.0
    scan_seconds: float = 0.0
    degraded: list[str] = field(default_factory=list)

    @property
    def relative(self) -> str:
        return self.plan.relative

    @property
    def is_finished(self) -> bool:
        """Decoded as far as it goes, and every request answered."""
        return self.is_decoded and not self.open

    @property
    def share_done(self) -> float:
        """A guess from 0 to 1 of how much of this video is behind us, for the ETA alone."""
        if self.is_finished:
            return 1.0
        if self.plan.caption_key is None:
            return self.share_scanned
        num_known = len(self.captions) + len(self.open)
        captioned = len(self.captions) / num_known if num_known else 0.0
        return self.share_scanned * captioned

    @property
    def share_scanned(self) -> float:
        """How much of the file has been looked at for scenes, 0 to 1; 0 where its length is unknown."""
        if self.is_decoded or self.record:
            return 1.0
        duration = self.info.duration_seconds_from_header if self.info else None
        return min(1.0, self.scanned_seconds / float(duration)) if duration else 0.0

    def wanted(self, save_pictures: bool) -> tuple[WantedPick, ...]:
        """The picks of the known scan whose pixels are needed again; without captions, for pictures alone."""
        assert self.record is not None
        found = []
        for scene, picks in zip(self.record.scenes, self.record.picks, strict=True):
            for pick in picks:
                pick_id = (scene.index, pick.role)
                is_asked = self.plan.caption_key is not None and pick.duplicate_of is None
                about = None if self.plan.is_by_scene else pick.role
                for_model = is_asked and (scene.index, about) not in self.captions
                for_image = save_pictures and pick_id not in self.saved
                if for_model or for_image:
                    found.append(WantedPick(scene.index, pick, for_model, for_image))
        return tuple(found)

    def job(self, save_pictures: bool) -> ScanJob | None:
        """What a media worker must do for this video next; None when nothing is missing."""
        path = str(self.plan.source.path)
        if self.record is None:
            return ScanJob(self.ordinal, path, attempt=self.num_losses, cuts=self.plan.cuts)
        wanted = self.wanted(save_pictures)
        if not wanted:
            return None
        return ScanJob(self.ordinal, path, wanted, self.record.info, attempt=self.num_losses)

    def begin(self) -> None:
        """A worker has it: the clock runs from the first time on."""
        self.started_at = self.started_at or time.monotonic()
        self.num_jobs += 1

    def opened(self, event: VideoOpened) -> None:
        """A scan begins. What one that was lost had found comes again, or is not there for this reader."""
        self.info, self.reader = event.info, event.reader
        self.scenes.clear()

    def scene_found(self, event: SceneFrames) -> None:
        """Keep the scene, without its pictures (a retried scan repeats some)."""
        if event.scene is not None:
            picks = tuple(replace(picked, frame=None, image=None) for picked in event.picks)
            self.scenes[event.scene_index] = replace(event, picks=picks)

    def is_answered_or_open(self, key: RequestKey) -> bool:
        return key in self.open or (key.scene, key.role) in self.captions

    def answered(self, caption: Caption) -> None:
        """A request was answered, about a pick, a scene, or as a step of the summary."""
        self.open.discard(caption.key)
        if caption.key.part:
            self.summary[caption.key.part] = caption
        else:
            self.captions[caption.key.scene, caption.key.role] = caption

    def caption_of(self, scene: int) -> Caption | None:
        """The answer that stands for a scene of the known scan; None while there is none."""
        if self.plan.is_by_scene:
            return self.captions.get((scene, None))
        assert self.record is not None
        if all(pick.role is not Role.REPRESENTATIVE for pick in self.record.picks[scene]):
            return None  # as in the document
        return self.captions.get((scene, self.record.original(scene, Role.REPRESENTATIVE)))

    def said_in(self, scene: Scene) -> str | None:
        """What is said during a scene; None where nothing is, or nobody wrote it down."""
        return self.transcript.between(scene.start, scene.end) if self.transcript else None

    def take_gathered(self) -> list[FrameRef]:
        """The pictures that wait for others of their scenes, which will not come: forget them."""
        refs = [ref for frames in self.gathered.values() for ref in frames.values()]
        self.gathered.clear()
        return refs

    def told_of_cuts(self, end: ScanEnd) -> list[str]:
        """What is said of the cuts that were given: somebody wrote them, and hears at once what became of
        them."""
        if self.plan.cuts is None:
            return []
        about_cuts = f"{printable(self.plan.cuts.path)}: "
        return [warning for warning in end.warnings if warning.startswith(about_cuts)]

    def scan_ended(self, end: ScanEnd) -> None:
        """The worker is done. A fresh scan with scenes becomes the record, damaged tail or not."""
        self.is_decoded = True
        self.scan_seconds = time.monotonic() - self.started_at
        if self.record is not None:
            return
        # A scene whose pictures could not be converted never came, and what follows it hangs in the air.
        scenes = [self.scenes[index] for index in takewhile(self.scenes.__contains__, count())]
        if end.error is not None and scenes:
            end = _cut_to(scenes[-1], end)
        self.num_frames = end.num_frames
        if has_changed(self.plan.source.path, self.plan.fingerprint):
            # Under the keys of the file as it was, what was found in it since must not be kept.
            self.scenes.clear()
            self.error = SOURCE_CHANGED
            return
        if self.info is not None and self.reader is not None and scenes:
            self.record = ScanRecord.from_scan(self.info, self.reader, scenes, end)
        else:
            self.error = end.error

    def gave_up(self, error: ErrorInfo) -> None:
        """The file cost a worker too often: the scenes found until then are all there will be."""
        self.scan_ended(ScanEnd(self.ordinal, 0, Fraction(0), None, (), None, (), error))
        self.error = self.error or error

    def refuse(self, error: ErrorInfo) -> None:
        """Nothing can be done for it: what was to be told of it beside its pictures is not to be had."""
        self.error = error
        self.record = None
        self.is_decoded = True

    def outdated(self, why: str) -> None:
        """The known scan does not fit the file any more. It goes once its open requests are answered."""
        self.is_decoded = self.is_outdated = True
        self.note_degraded(why)

    def rescan(self) -> None:
        """Forget the known scan and all that was made from it: another one may find other scenes."""
        assert not self.open, "an answer to come would be taken for one of the new scan"
        self.is_decoded = self.is_outdated = self.is_scan_reused = False
        self.record = None
        self.captions.clear()
        self.summary.clear()
        self.saved.clear()

    def let_go(self) -> None:
        """Its document is written: nothing is kept that grows with the scenes, for videos may be many."""
        self.record = None
        self.scenes.clear()
        self.captions.clear()
        self.summary.clear()
        self.saved.clear()
        self.transcript = None

    def note_degraded(self, why: str) -> None:
        """Something was done less well than asked, without being an error; said once."""
        if why not in self.degraded:
            self.degraded.append(why)


def _cut_to(last: SceneFrames, end: ScanEnd) -> ScanEnd:
    """The end of a scan that broke off, moved to the end of its last whole scene."""
    assert last.scene is not None, "a scan reports its scenes"
    return replace(
        end,
        num_frames=last.scene.end_frame,
        duration=last.scene.end,
        transitions=tuple(each for each in end.transitions if each.start < last.scene.end),
    )
