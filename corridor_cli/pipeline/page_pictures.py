"""What `vlmtl report` keeps of videos whose pictures nobody saved: one picture a scene of a known scan."""

from __future__ import annotations

from collections.abc import Callable

from corridor_cli.pipeline.keeper import ScanKeeper
from corridor_cli.pipeline.plan import UnreadableSource
from corridor_cli.pipeline.video import VideoWork
from corridor_cli.records import PickedFrame, Role, ScanJob, ScoreRows, VideoProbed
from corridor_cli.telemetry import VideoOutcome
from corridor_cli.timeline.invariants import scene_id
from corridor_cli.timeline.layout import OutputLayout
from corridor_cli.timeline.scan_record import load_scan

TakePictures = Callable[[int, dict[str, bytes]], None]
"""Hears of a video: its place among those that were asked for, and JPEGs by scene id."""


class PagePictures(ScanKeeper):
    """Fetches the representative frames, and never scans: what does not fit its scan gets no pictures."""

    def __init__(self, layout: OutputLayout, take: TakePictures) -> None:
        self._layout = layout
        self._take = take
        self._pictures: dict[int, dict[str, bytes]] = {}

    def open(self, video: VideoWork) -> None:
        if video.ordinal in self._pictures:
            return  # its worker was lost, or its scan did not fit the file and was dropped
        self._pictures[video.ordinal] = {}
        video.record = load_scan(self._layout.scan(video.plan.scan_key))
        if video.record is not None:
            every_pick = (
                (scene, pick.role) for scene, picks in enumerate(video.record.picks) for pick in picks
            )
            video.saved = {pick for pick in every_pick if pick[1] != Role.REPRESENTATIVE}

    def job(self, video: VideoWork) -> ScanJob | None:
        return video.job(save_pictures=True) if video.record is not None else None

    def hear(self, video: VideoWork, event: VideoProbed | ScoreRows) -> None:
        raise AssertionError(f"pictures alone bring no {type(event).__name__}")

    def save_picture(self, video: VideoWork, scene_index: int, picked: PickedFrame) -> None:
        if picked.image is not None:
            self._pictures[video.ordinal][scene_id(scene_index)] = picked.image
            video.saved.add((scene_index, picked.pick.role))

    def save_scan(self, video: VideoWork) -> None:
        raise AssertionError("nothing is scanned for pictures")

    def finish(self, video: VideoWork) -> VideoOutcome:
        self._take(video.ordinal, self._pictures.pop(video.ordinal))
        return VideoOutcome(str(video.plan.source.path), video.relative, "complete")

    def fail_unreadable(self, plan: UnreadableSource) -> None:
        raise AssertionError("a video that cannot be read is not asked for pictures")
