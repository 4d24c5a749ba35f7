"""Read any video with PyAV (FFmpeg): full scans with exact times, and seeks to known frames.

Known trouble this is built around: FFmpeg's threads can deadlock with the GIL when a generator is dropped
half-way (PyAV 751, 1861), so the thread count is explicit and generators are closed before their container.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path

from corridor_cli.errors import DecodeError, NoFramesError
from corridor_cli.media.clock import Clock
from corridor_cli.media.container import OpenVideo, open_video
from corridor_cli.media.damage import Damage, stated_end
from corridor_cli.media.decoding import Tape
from corridor_cli.media.frame_pass import FramePass
from corridor_cli.media.limits import OWN_REASONS, refused
from corridor_cli.media.picture import Converter, PyavFrame
from corridor_cli.media.strays import placed
from corridor_cli.printable import printable
from corridor_cli.records import ReaderChoice, VideoInfo
from corridor_cli.settings import DecodeSettings

# Of pictures that change size so many stretches are noted; all but the last are told.
MAX_SIZES = 4
# A last picture this long after the others is told of.
LATE_SECONDS = 60


def begin(
    path: Path, settings: DecodeSettings, num_threads: int = 1, on_beat: Callable[[], None] = lambda: None
) -> FramePass:
    """Open a file to be scanned, by as many threads as `decode.threads` says, or else by up to `num_threads`.

    `on_beat` is called while it decodes and gives no frame. Raises what `FramePass` does.
    """
    wanted = num_threads if settings.threads == "auto" else settings.threads
    return FramePass(path, settings.max_pixels, wanted, on_beat)


def _late_end(clock: Clock, damage: Damage, end: Fraction) -> list[str]:
    """What there is to say of a last frame long after the others: nothing tells whether that is its place."""
    gap = clock.lone_last_gap
    goes_on = damage.last_other_end > end - gap / 2  # there is sound to the standing picture
    if gap < LATE_SECONDS or damage.num_bad_packets or goes_on:
        return []
    return [
        f"the last frame comes {float(gap):.2f} s after the one before it: a picture that stands still, or a "
        "wrong timestamp"
    ]


def _size_changes(sizes: Sequence[tuple[tuple[int, int], Fraction]]) -> list[str]:
    """What there is to say of pictures that do not stay as large as the first."""
    if len(sizes) < 2:
        return []
    (first, _), *others = sizes
    changes = [f"{size[0]}×{size[1]} from {float(time):.2f} s on" for size, time in others]
    if len(sizes) == MAX_SIZES:
        changes[-1] = "…"
    return [f"its pictures change size: {first[0]}×{first[1]}, {', '.join(changes)}"]


class PyavReader:
    """Reader over PyAV. Its first scan goes on with what was `begun`, if anything was; see `begin`.

    `on_beat` is called for each packet of every other way through the file: frames may be long in coming.
    """

    name = "pyav"

    def __init__(
        self,
        path: Path,
        settings: DecodeSettings,
        info: VideoInfo,
        choice: ReaderChoice,
        begun: FramePass | None = None,
        on_beat: Callable[[], None] = lambda: None,
    ) -> None:
        self.info = info
        self.choice = choice
        self.warnings: list[str] = list(info.warnings)
        self.end: Fraction | None = None
        self.is_variable_frame_rate: bool | None = None
        self._path = path
        self._settings = settings
        self._begun = begun
        self._on_beat = on_beat
        self._pass: FramePass | None = None
        self._video: OpenVideo | None = None
        self._active: list[Generator[PyavFrame]] = []  # generators to close before the container

    def read_frames(self) -> Iterator[PyavFrame]:
        """All frames in presentation order, first index 0, first time 0.

        Raises `DecodeError` after the last good frame when the rest is missing; `NoFramesError`,
        `LimitError`.
        """
        begun, self._begun = self._begun, None
        self.close()
        self._pass = begun or begin(self._path, self._settings, on_beat=self._on_beat)
        frames = self._scan(self._pass)
        self._active.append(frames)
        return frames

    def _scan(self, begun: FramePass) -> Generator[PyavFrame]:
        clock, damage = Clock(begun.video.time_base, self.info.frame_rate), begun.damage
        converter = Converter(self.info.sample_aspect_ratio)
        index, stated = 0, None
        sizes: list[tuple[tuple[int, int], Fraction]] = []  # with the time from which on it is so
        try:
            with closing(begun.frames()) as frames:
                for frame, time in placed(frames, clock):
                    size = frame.width, frame.height
                    if len(sizes) < MAX_SIZES and (not sizes or sizes[-1][0] != size):
                        sizes.append((size, time))
                    if index == 0:
                        stated = stated_end(begun.video.container, begun.video.stream, frame.pts)
                        lost = damage.lost_beginning(frame.pts, begun.video.time_base)
                        self.warnings += [lost] if lost else []
                    damage.note_frame(time, is_corrupt=frame.is_corrupt)
                    yield PyavFrame(index, time, frame, converter)
                    index += 1
        finally:  # also when a limit or the caller ends the scan
            if index:
                self.end = clock.end(stated.seconds if stated else None)
                self.is_variable_frame_rate = clock.is_variable(damage.num_bad_packets)
            self.warnings += [*damage.summaries(), *clock.warnings, *_size_changes(sizes)]
            self.warnings += _late_end(clock, damage, self.end) if self.end is not None else []
        if damage.num_bad_since_frame and damage.last_reason in OWN_REASONS:
            raise refused(self._path, damage.last_reason, self._settings, index)
        if self.end is None:
            raise self._no_frames(damage)
        if reason := damage.lost_tail(clock, self.end, stated):
            expected = self.info.num_frames_from_header
            raise DecodeError(
                f"{printable(self._path)}: the pictures end at {float(self.end):.2f} s, after {index} frames"
                + (f" of {expected}" if expected else "")
                + f", before the end of the file: {reason}",
                hint="The file is cut short or damaged; copy or record it again.",
            )

    def _no_frames(self, damage: Damage) -> NoFramesError:
        detail = "the video stream is empty"
        if damage.num_packets:
            detail = f"none of {damage.num_packets} packets could be decoded"
            detail += f" ({damage.last_reason})" if damage.last_reason else ""
        return NoFramesError(
            f"{printable(self._path)}: yields no picture: {detail}",
            hint="Play it to see whether it is a video at all.",
        )

    def read_frames_at(self, wanted: Sequence[tuple[int, Fraction]]) -> Iterator[PyavFrame]:
        """The frames with these (index, time) pairs, ascending: seek to a keyframe before, decode up to it.

        A time is met exactly or `DecodeError` is raised, for instance where a scan had to mend timestamps.
        """
        self.close()  # a fresh start: decoders keep state over seeks that some containers cannot undo
        self._video = open_video(self._path, num_threads=1, max_pixels=self._settings.max_pixels)
        frames = self._seek_all(self._video, wanted)
        self._active.append(frames)
        return frames

    def _seek_all(self, video: OpenVideo, wanted: Sequence[tuple[int, Fraction]]) -> Generator[PyavFrame]:
        converter, name = Converter(self.info.sample_aspect_ratio), printable(self._path)
        with closing(Tape(video, self._on_beat)) as tape:
            first_pts = tape.first_pts()
            if first_pts is None:
                raise DecodeError(f"{name}: its first frame has no timestamp to seek by")
            for index, time in wanted:
                ticks = time / video.time_base
                if ticks.denominator != 1:
                    raise DecodeError(f"{name}: {float(time):.6f} s is no timestamp of this file")
                frame = tape.find(first_pts + int(ticks))
                if frame is None:
                    raise DecodeError(f"{name}: no frame at {float(time):.6f} s was found by seeking")
                yield PyavFrame(index, time, frame, converter)

    def close(self) -> None:
        """Close the generators given out, then the file. Safe to call twice."""
        while self._active:
            self._active.pop().close()
        for each in (self._begun, self._pass):
            if each is not None:
                each.close()
        self._begun = self._pass = None
        if self._video is not None:
            self._video.container.close()
            self._video = None
