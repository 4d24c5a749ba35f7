"""The child that decodes: a job in, scenes with their picks out, pixels into shared memory.

One job at a time. Between frames it tells main that it lives; while its ring of slots is full it waits,
and says so. It never decides what to do about a bad file: it reports how far it came.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from corridor_cli.errors import CutFileError, MediaError
from corridor_cli.hosts.blocks import in_blocks, max_kept_together
from corridor_cli.hosts.channel import Channel, Inbox
from corridor_cli.hosts.confine import confine
from corridor_cli.hosts.fetch_picks import fetch_picks
from corridor_cli.hosts.heap import give_back_heap, is_too_much_to_keep
from corridor_cli.hosts.messages import WorkerSetup
from corridor_cli.hosts.process import enter_child
from corridor_cli.hosts.read_ahead import num_ahead, read_ahead
from corridor_cli.hosts.ring import Ring
from corridor_cli.hosts.scan_cuts import cut_notes, make_finder
from corridor_cli.hosts.scan_ends import end_of_frames, end_of_scan, end_without_frames, error_info, guarded
from corridor_cli.hosts.scan_reader import open_for_scan
from corridor_cli.hosts.slots import Slots
from corridor_cli.media.base import Reader
from corridor_cli.media.clock import FALLBACK_INTERVAL
from corridor_cli.media.describe import describe_video
from corridor_cli.media.limits import BusyClock, out_of_time, within_limits
from corridor_cli.media.shrink import PickPicture
from corridor_cli.records import (
    FrameRef,
    Pick,
    PickedFrame,
    PlanesFrame,
    ProbeJob,
    Progress,
    ScanEnd,
    ScanFrame,
    ScanJob,
    SceneFrames,
    ScoreRows,
    SlotsFreed,
    VideoInfo,
    VideoOpened,
    VideoProbed,
)
from corridor_cli.scenes.find import FoundScene
from corridor_cli.scenes.picking import PickedScanFrame
from corridor_cli.scenes.scores import ScoreLog
from corridor_cli.settings import DecodeSettings

_HEARTBEAT_SECONDS = 0.5
_SCORES_TOGETHER = 250
# Less than main waits before it ends a worker.
_FRAMES_LATE_SECONDS = 0.5


def main(channel_fd: int, arena_fd: int, parent_pid: int) -> None:
    """Serve main until it hangs up."""
    enter_child(parent_pid)
    channel = Channel(channel_fd)
    inbox = Inbox(channel)
    setup: WorkerSetup = inbox.get()
    confine(setup.decode.max_memory_bytes)
    slots = Slots(arena_fd, setup.slot_bytes) if setup.slot_bytes else None
    worker = MediaWorker(setup, slots, channel, inbox)
    while True:
        worker.take(inbox.get())


class MediaWorker:
    """One job after the other. `slots` is None where no pixels are asked for."""

    def __init__(self, setup: WorkerSetup, slots: Slots | None, channel: Channel, inbox: Inbox) -> None:
        self._setup = setup
        self._channel = channel
        self._ring = Ring(setup, slots, inbox, self._wait) if slots else None
        self._progress = Progress(0, 0, 0.0)
        self._num_read = self._num_decoded = 0  # the last of those read may not have been looked at yet
        self._last_beat = 0.0
        self._clock = BusyClock()
        self._size_px = (0, 0)  # of the last file's pictures
        # What is loaded by now stays: the garbage collector need not look at it again between frames.
        gc.freeze()

    def take(self, message: ScanJob | ProbeJob | SlotsFreed) -> None:
        if isinstance(message, SlotsFreed):
            if self._ring is not None:
                self._ring.free(message.slots)
            return
        self._progress = Progress(message.video, 0, 0.0)
        self._num_read = self._num_decoded = 0
        self._clock = BusyClock()
        limits = self._setup.decode
        end = guarded(lambda: self._work(message), message, limits, lambda: self._num_read)
        if end is not None:
            self._channel.send(end)
        _free_frames()

    def _work(self, message: ScanJob | ProbeJob) -> None:
        decode = self._setup.decode
        # What cost a worker may have been decord, which can hang for good (decord 269, 373, 375), or a card.
        # A scan goes back to auto on the CPU, not pyav: that is PyAV as well, and its record reads as if
        # nothing had happened.
        if isinstance(message, ProbeJob):
            self._describe(message, replace(decode, reader="pyav") if message.attempt else decode)
        elif message.wanted is None:
            again = replace(decode, reader="auto", device="cpu")
            self._scan(message, again if message.attempt else decode)
        else:
            self._fetch(message, replace(decode, reader="pyav") if message.attempt else decode)

    # --- a whole file ---

    def _scan(self, job: ScanJob, decode: DecodeSettings) -> None:
        try:
            num_threads = 1 if job.attempt else job.num_threads
            reader = open_for_scan(Path(job.path), decode, self._setup.scenes, self._go_on, num_threads)
        except MediaError as error:
            self._channel.send(end_without_frames(job, error))
            return
        self._channel.send(VideoOpened(job.video, reader.info, reader.choice))
        self._fit_heap(reader.info)
        scores = ScoreLog() if self._setup.with_scores else None
        with closing(reader):
            self._look_through(job, decode, reader, scores)
        if is_too_much_to_keep(*self._size_px):
            _free_frames()
            give_back_heap()

    def _fit_heap(self, info: VideoInfo) -> None:
        """Memory that pictures of another size have left goes back; of the same size it is used again."""
        size_px = info.width_px, info.height_px
        if size_px != self._size_px:
            give_back_heap()
        self._size_px = size_px

    def _look_through(
        self, job: ScanJob, decode: DecodeSettings, reader: Reader, scores: ScoreLog | None
    ) -> None:
        finder = make_finder(job, self._setup, scores, reader.info)
        problem = stopped_at = None
        notes: tuple[str, ...] = ()
        end = Fraction(0)
        try:
            with closing(self._frames(reader, job)) as frames:
                watched = self._beating(within_limits(frames, Path(job.path), decode, self._clock))
                max_kept = max_kept_together(reader.info.width_px, reader.info.height_px)
                for block in in_blocks(watched, finder.keeper, max_kept):
                    self._count(block)
                    before = block[-2].time if len(block) > 1 else end
                    end, interval = block[-1].time, block[-1].time - before
                    if self._deliver(finder.push(block)):
                        _free_frames()
                    self._tell_scores(scores)
        except MediaError as error:
            problem = error_info(error, job.path)
            stopped_at = error.at
        reader.close()  # a reader that was stopped measures what it has seen when it is closed
        if self._progress.num_frames:
            known = end_of_frames(reader, self._progress.num_frames, stopped_at)
            end = known or end + (interval or FALLBACK_INTERVAL)
            last = finder.finish(end)
            if problem is None:
                notes, problem = cut_notes(finder, job.path)
            if problem is None or problem.type != CutFileError.__name__:
                self._deliver(last)
            self._tell_scores(scores, is_end=True)
        told = end_of_scan(reader, self._progress, self._num_decoded, finder.transitions, end)
        self._channel.send(replace(told, warnings=told.warnings + notes, error=problem))

    def _frames(self, reader: Reader, job: ScanJob) -> Generator[ScanFrame]:
        """The reader's frames, decoded ahead where a second core has nothing better to do."""
        frames = reader.read_frames()
        if self._setup.reads_ahead or job.num_threads > 1:
            frames = read_ahead(frames, num_ahead(reader.info.width_px, reader.info.height_px))
        yield from frames

    def _beating(self, frames: Iterator[ScanFrame]) -> Iterator[ScanFrame]:
        for frame in frames:
            self._num_read += 1
            self._beat()
            yield frame

    def _count(self, block: Sequence[PlanesFrame]) -> None:
        self._num_decoded += len(block)
        newest = block[-1]
        self._progress = Progress(self._progress.video, newest.index + 1, float(newest.time))

    def _deliver(self, scenes: list[FoundScene]) -> bool:
        """Send these to main; whether there were any."""
        for found in scenes:
            scene, picked = found.scene, tuple(self._hand_over(found.picks))
            self._channel.send(SceneFrames(self._progress.video, scene.index, scene, picked))
        return bool(scenes)

    def _hand_over(self, picks: Sequence[PickedScanFrame]) -> Iterator[PickedFrame]:
        last: ScanFrame | None = None
        picture: PickPicture | None = None
        for picked in picks:
            if picked.frame is not last:  # a scene of few frames has one for several roles
                last, picture = picked.frame, None  # the one before is let go, with its copy, before the next
                picture = PickPicture.of(last)
                image = picture.saved(self._setup.frames)
            assert picture is not None
            pick = Pick(
                role=picked.role,
                frame_index=last.index,
                time=last.time,
                selection_reason=picked.selection_reason,
                duplicate_of=picked.duplicate_of,
                rgb_crc32=picture.crc32,
            )
            is_shown = self._ring is not None and pick.duplicate_of is None
            yield PickedFrame(pick, self._write(picture) if is_shown else None, image)

    def _tell_scores(self, scores: ScoreLog | None, *, is_end: bool = False) -> None:
        if scores and (is_end or len(scores) >= _SCORES_TOGETHER):
            self._channel.send(ScoreRows(self._progress.video, scores.take()))

    # --- its facts alone ---

    def _describe(self, job: ProbeJob, decode: DecodeSettings) -> None:
        try:
            info, streams, for_scan, for_picks = describe_video(Path(job.path), decode)
        except MediaError as error:
            self._channel.send(end_without_frames(job, error))
            return
        self._channel.send(VideoProbed(job.video, info, streams, for_scan, for_picks))
        self._channel.send(ScanEnd(job.video, 0, Fraction(0), None, (), None, (), None))

    # --- the picks of a known scan ---

    def _fetch(self, job: ScanJob, decode: DecodeSettings) -> None:
        for record in fetch_picks(job, decode, self._setup.frames, self._write, self._beat):
            self._beat()  # before it: nothing may come of a job behind its end
            self._channel.send(record)
            _free_frames()

    def _write(self, picture: PickPicture) -> FrameRef:
        assert self._ring is not None, "pixels are asked for, and there is nowhere to put them"
        return self._ring.write(picture, self._clock)

    # --- heartbeats ---

    def _go_on(self) -> None:
        """A sign of life while no frame comes; for frames there is `within_limits`, which comes first."""
        self._beat()
        max_seconds = self._setup.decode.max_seconds
        if max_seconds is not None and self._clock.seconds > max_seconds + _FRAMES_LATE_SECONDS:
            raise out_of_time(max_seconds, self._num_read)

    def _beat(self) -> None:
        now = time.monotonic()
        if now - self._last_beat >= _HEARTBEAT_SECONDS:
            self._last_beat = now
            self._channel.send(self._progress)

    def _wait(self) -> None:
        self._last_beat = time.monotonic()
        self._channel.send(replace(self._progress, is_waiting=True))


def _free_frames() -> None:
    """Let go of the pictures that were converted: PyAV's frame and its side data, which says how it is
    turned, hold each other. Left to the collector they grew by 15 MB every six minutes of 1080p."""
    gc.collect()
