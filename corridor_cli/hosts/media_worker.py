"""The child that decodes: a job in, scenes with their picks out, pixels into shared memory.

One job at a time. Between frames it tells main that it lives; while its ring of slots is full it waits,
and says so. It never decides what to do about a bad file: it reports how far it came.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from operator import attrgetter

from corridor_cli.errors import MediaError
from corridor_cli.hosts.channel import Channel, Inbox
from corridor_cli.hosts.messages import WorkerSetup
from corridor_cli.hosts.process import enter_child
from corridor_cli.hosts.slots import Slots
from corridor_cli.media.base import Reader
from corridor_cli.media.open_reader import open_reader
from corridor_cli.media.pictures import encode_jpeg, shrink
from corridor_cli.records import (
    ErrorInfo,
    FrameRef,
    Pixels,
    Progress,
    ScanEnd,
    ScanFrame,
    ScanJob,
    SceneFrames,
    SlotsFreed,
    VideoOpened,
)
from corridor_cli.scenes.find import FoundScene, SceneFinder

_HEARTBEAT_SECONDS = 0.5
_FULL_QUALITY = 95


def main(channel_fd: int, arena_fd: int, parent_pid: int) -> None:
    """Serve main until it hangs up."""
    enter_child(parent_pid)
    channel = Channel(channel_fd)
    inbox = Inbox(channel)
    setup: WorkerSetup = inbox.get()
    worker = _MediaWorker(setup, Slots(arena_fd, setup.slot_bytes), channel, inbox)
    while True:
        worker.take(inbox.get())


class _MediaWorker:
    def __init__(self, setup: WorkerSetup, slots: Slots, channel: Channel, inbox: Inbox) -> None:
        self._setup = setup
        self._slots = slots
        self._channel = channel
        self._inbox = inbox
        self._free = deque(setup.free_slots)
        self._progress = Progress(0, 0, 0.0)
        self._last_beat = 0.0

    def take(self, message: ScanJob | SlotsFreed) -> None:
        if isinstance(message, SlotsFreed):
            self._free.extend(message.slots)
            return
        self._progress = Progress(message.video, 0, 0.0)
        end = self._scan(message) if message.wanted is None else self._fetch(message)
        self._channel.send(end)

    # --- a whole file ---

    def _scan(self, job: ScanJob) -> ScanEnd:
        try:
            reader = open_reader(job.path, self._setup.decode)
        except MediaError as error:
            return _failed(job.video, error)
        self._channel.send(VideoOpened(job.video, reader.info, reader.choice))
        finder = SceneFinder(self._setup.scenes, self._setup.frames)
        error_info: ErrorInfo | None = None
        try:
            for frame in self._beating(reader.read_frames()):
                self._deliver(finder.push(frame))
        except MediaError as error:
            error_info = _error_info(error)
        finally:
            reader.close()
        self._deliver(finder.finish(reader.end))
        return self._scan_end(job, reader, finder, error_info)

    def _scan_end(
        self, job: ScanJob, reader: Reader, finder: SceneFinder, error: ErrorInfo | None
    ) -> ScanEnd:
        return ScanEnd(
            video=job.video,
            num_frames=self._progress.num_frames,
            duration=reader.end,
            is_variable_frame_rate=reader.is_variable_frame_rate,
            transitions=finder.transitions,
            reader=reader.choice,
            warnings=tuple(reader.warnings),
            error=error,
        )

    def _beating(self, frames: Iterator[ScanFrame]) -> Iterator[ScanFrame]:
        for num_frames, frame in enumerate(frames, start=1):
            self._progress = Progress(self._progress.video, num_frames, float(frame.time))
            self._beat()
            yield frame

    def _deliver(self, scenes: list[FoundScene]) -> None:
        for found in scenes:
            picked = tuple(self._hand_over(pick.frame, pick.as_record) for pick in found.picks)
            scene = found.scene
            self._channel.send(SceneFrames(self._progress.video, scene.index, scene, picked))

    # --- the picks of a known scan ---

    def _fetch(self, job: ScanJob) -> ScanEnd:
        assert job.wanted is not None
        picks = sorted({wanted.pick for wanted in job.wanted}, key=attrgetter("frame_index"))
        return ScanEnd(job.video, 0, Fraction(0), None, (), None, (), None)

    # --- one picture ---

    def _write(self, rgb: Pixels) -> FrameRef:
        return self._slots.write(self._wait_for_slot(), shrink(rgb, self._setup.max_pixels))

    def _wait_for_slot(self) -> int:
        while not self._free:
            message = self._inbox.get(_HEARTBEAT_SECONDS)
            if message is None:
                self._beat(is_waiting=True)
            else:
                assert isinstance(message, SlotsFreed), message
                self._free.extend(message.slots)
        return self._free.popleft()

    def _encode(self, rgb: Pixels) -> bytes | None:
        frames = self._setup.frames
        if frames.save == "none":
            return None
        if frames.save == "full":
            return encode_jpeg(rgb, None, _FULL_QUALITY)
        return encode_jpeg(rgb, frames.thumbnail_px)
