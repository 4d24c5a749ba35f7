"""Frames in presentation order in, finished scenes with their picks out: one pass, bounded memory.

A scene comes out as soon as its end is settled: a few frames after a cut, up to a second or two after a fade.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

from corridor_cli.records import Scene, Transition
from corridor_cli.scenes.boundaries import BoundaryFinder
from corridor_cli.scenes.candidates import Candidate, CandidateStore, within
from corridor_cli.scenes.detectors.adaptive import least_cut
from corridor_cli.scenes.detectors.base import Look, SceneStart, exact_seconds
from corridor_cli.scenes.detectors.choose import choose_detector, min_scene_seconds
from corridor_cli.scenes.detectors.from_file import FileDetector
from corridor_cli.scenes.given import GivenBoundaries
from corridor_cli.scenes.keeping import KEEP_SECONDS, AllPictures, Keeper, SparsePictures
from corridor_cli.scenes.looks import LookMaker
from corridor_cli.scenes.marks import Marks
from corridor_cli.scenes.picking import PickedScanFrame, pick_frames
from corridor_cli.scenes.pinned import PinnedStore, SuspectStore
from corridor_cli.scenes.scores import ScoreLog
from corridor_cli.scenes.sparse import SparseDetector, SparseTransitionFinder
from corridor_cli.scenes.split import split_target
from corridor_cli.scenes.thumb_rows import MAX_BLOCK, ThumbRows
from corridor_cli.scenes.transitions import TransitionFinder

if TYPE_CHECKING:
    from corridor_cli.records import BareFrame, GivenCuts, ScanFrame, VideoInfo
    from corridor_cli.settings import FrameSettings, SceneSettings


@dataclass(frozen=True, slots=True)
class FoundScene:
    """A finished scene with its picks: first, representative, last."""

    scene: Scene
    picks: tuple[PickedScanFrame, ...]


class SceneFinder:
    """Turns pushed frames into scenes. Holds at most `candidates.MAX_HELD` frames, fewer above 1080p,
    and up to `pinned.MAX_SUSPECTS` at which scenes may begin.

    Frames must come with ascending indices and strictly ascending times, the first at index 0 and time 0.
    The same frames give the same scenes, whatever the pace and however many at once. `keeper`, asked about
    each of them, says whose pictures are needed. `scores` hears what was measured for each. `info` is what is
    known of the video beforehand; PySceneDetect's detectors need its rate. `cuts` are those given for the
    detector `file`.
    """

    def __init__(
        self,
        scenes: SceneSettings,
        frames: FrameSettings,
        scores: ScoreLog | None = None,
        info: VideoInfo | None = None,
        cuts: GivenCuts | None = None,
    ) -> None:
        # Only our own cuts are kept apart and looked at for blends: fixed lengths are meant as they are, and
        # the other detectors are to find what PySceneDetect finds, no more and no less.
        is_ours = scenes.detector == "adaptive"
        is_given = scenes.detector == "file"
        self._inset = exact_seconds(frames.inset_seconds)
        self._duplicate_threshold = frames.duplicate_threshold
        # Nor are given scenes split: a cut that somebody took out would come back.
        max_seconds = None if is_given else scenes.max_scene_seconds
        self._max_scene = None if max_seconds is None else exact_seconds(max_seconds)
        self._marks = Marks()
        is_sparse = scenes.scan == "keyframes" and is_ours
        blends = SparseTransitionFinder if is_sparse else TransitionFinder
        store_of = PinnedStore if is_given else SuspectStore if is_ours else CandidateStore
        self._store = store_of(self._inset)
        self._least_cut = least_cut(scenes.threshold)
        self._given = self._given_detector(cuts) if is_given else None
        min_scene = exact_seconds(min_scene_seconds(scenes)) if is_ours else Fraction(0)
        # A keyframe scan leaves most frames out itself; other detectors look at pictures, or may make scenes
        # of a single frame.
        has_many = is_ours and not is_sparse and min_scene >= 2 * KEEP_SECONDS
        self.keeper: Keeper = SparsePictures(self._inset) if has_many else AllPictures()
        self._rows = ThumbRows() if scenes.transitions and (is_ours or is_given) else None
        make_detector = partial(choose_detector, scenes, scores, info)
        self._boundaries = (GivenBoundaries if is_given else BoundaryFinder)(
            self._given or (SparseDetector(make_detector) if is_sparse else make_detector()),
            blends(self._rows, scores) if self._rows is not None else None,
            min_scene,
            self._marks,
            self._rows,
        )
        self._looks = LookMaker()
        self._open = SceneStart(0, Fraction(0), "start")
        # From here on the open scene is long enough to be split.
        self._split_from = None if self._max_scene is None else 2 * self._max_scene
        self._newest: Look | None = None
        # From one: a spread of one, of the largest pictures, would for ever be the very first frame.
        self._num_kept = 1
        self._num_scenes = 0
        self._num_transitions = 0

    def _given_detector(self, cuts: GivenCuts | None) -> FileDetector:
        assert cuts is not None, "the detector file is told the cuts"
        assert isinstance(self._store, PinnedStore)
        return FileDetector(cuts, self._store.pin)

    def cut_notes(self) -> tuple[str, ...]:
        """What is to be said of the given cuts, after `finish`; nothing where none were.

        Raises `CutFileError` where none of them lies in the video.
        """
        return () if self._given is None else self._given.notes()

    @property
    def transitions(self) -> tuple[Transition, ...]:
        """The transitions found up to now, by start; complete after `finish`."""
        return tuple(sorted(self._boundaries.transitions, key=lambda change: change.start))

    @property
    def held_frames(self) -> list[ScanFrame]:
        """The frames kept in memory for picks to come, ascending, so that their number can be watched."""
        return [candidate.frame for candidate in self._store.kept()]

    def push(self, frames: Sequence[ScanFrame | BareFrame]) -> list[FoundScene]:
        """The scenes which these frames, one or more, settle, in order. Picks are taken of whole frames."""
        found: list[FoundScene] = []
        for first in range(0, len(frames), MAX_BLOCK):
            looks = self._looks.look_at(frames[first : first + MAX_BLOCK])
            if self._rows is not None:
                self._rows.extend(looks)
            # Asked once for all of them: a scene that opens among them is to be split still later.
            may_split = self._split_from is not None and looks[-1].time >= self._split_from
            for look in looks:
                found += self._take(look)
                if may_split:
                    found += self._split_open(look.time)
        return found

    def _take(self, look: Look) -> list[FoundScene]:
        index, time = look.frame_index, look.time
        if self._newest is None:
            assert index == 0, f"the first frame has index {index}, not 0"
            assert time == 0, f"the first frame has time {time}, not 0"
        else:
            assert index > self._newest.frame_index, f"index {index} after {self._newest.frame_index}"
            assert time > self._newest.time, f"time {time} after {self._newest.time}"
        self._newest = look
        self._marks.push(index, time)
        if look.frame is not None:
            self._store.push(Candidate(look.frame, index, time, look.thumb, self._num_kept))
            self._num_kept += 1
        found = self._advance(self._boundaries.push(look))
        if isinstance(self._store, SuspectStore):
            if look.change >= self._least_cut:
                self._store.suspect(index, look.change)
            self._store.settle(self._boundaries.settled)
        return found

    def finish(self, end: Fraction) -> list[FoundScene]:
        """The scenes still open. `end` is the end of the last frame; without frames there is no scene."""
        if self._newest is None:
            return []
        assert end > self._newest.time, f"the video ends at {end}, its last frame is at {self._newest.time}"
        if self._given is not None:
            self._given.end = end
        found = self._advance(self._boundaries.finish(end))
        return found + self._close(SceneStart(self._newest.frame_index + 1, end, "start"))

    def _advance(self, starts: list[SceneStart]) -> list[FoundScene]:
        found: list[FoundScene] = []
        for start in starts:
            held = self._store.held()
            has_frames = within(held, self._open.frame_index, start.frame_index) and any(
                candidate.index >= start.frame_index for candidate in held
            )
            # Only a late boundary beside another one can find none: a scene nobody could look at.
            if has_frames:
                found += self._close(start)
                self._restart(start)
        for change in self._boundaries.transitions[self._num_transitions :]:
            if change.end > self._open.time:
                self._store.restart_head(change.end)
        self._num_transitions = len(self._boundaries.transitions)
        return found

    def _split_open(self, now: Fraction) -> list[FoundScene]:
        found: list[FoundScene] = []
        if self._split_from is None or now < self._split_from:
            return found
        settled, held = self._boundaries.settled, self._store.held()
        until = self._marks.time_of(settled)
        while True:
            target = split_target(self._open.time, until, self._max_scene, is_end_known=False)
            start = None if target is None else self._split_start(target, settled, held)
            if start is None:
                return found
            found.append(self._finish_scene(start, held))
            self._restart(start)

    def _close(self, end: SceneStart) -> list[FoundScene]:
        """Finish the open scene at `end`, in several parts where it is too long."""
        found: list[FoundScene] = []
        held = self._store.held()  # before any part is cut off: with it some of those of the rest may go
        while True:
            target = split_target(self._open.time, end.time, self._max_scene, is_end_known=True)
            start = None if target is None else self._split_start(target, end.frame_index, held)
            if start is None:
                return [*found, self._finish_scene(end, held)]
            found.append(self._finish_scene(start, held))
            self._restart(start)

    def _split_start(self, target: Fraction, limit: int, held: Sequence[Candidate]) -> SceneStart | None:
        """The frame to split at, from `target` on, with candidates in both parts; None without one."""
        inside = within(held, self._open.frame_index, limit)
        if len(inside) < 2:
            return None
        index, time = self._marks.first_from(target)
        if index <= inside[0].index:
            index, time = inside[1].index, inside[1].time
        if index > inside[-1].index:
            index, time = inside[-1].index, inside[-1].time
        return SceneStart(index, time, "split")

    def _finish_scene(self, end: SceneStart, held: Sequence[Candidate]) -> FoundScene:
        scene = Scene(
            index=self._num_scenes,
            start=self._open.time,
            end=end.time,
            start_frame=self._open.frame_index,
            end_frame=end.frame_index,
            boundary=self._open.boundary,
        )
        self._num_scenes += 1
        picks = pick_frames(
            scene,
            within(held, scene.start_frame, scene.end_frame),
            [change for change in self._boundaries.transitions if change.end > scene.start],
            inset=self._inset,
            duplicate_threshold=self._duplicate_threshold,
        )
        return FoundScene(scene, picks)

    def _restart(self, start: SceneStart) -> None:
        self._open = start
        self._split_from = None if self._max_scene is None else start.time + 2 * self._max_scene
        self._store.drop_before(start.frame_index, start.time, is_split=start.boundary == "split")
        self._marks.drop_before(start.frame_index)
