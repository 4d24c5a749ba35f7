"""The keyframe scan: decode keyframes, and in full only the stretches between two that differ.

What comes out are true frames with exact times and indices, in order, but not all of them. A step over frames
that were not decoded is either between two pictures that are alike, or onto a keyframe which the encoder set
for a new scene: off its regular distance, and showing something else. So whoever splits may take a large
change over a step as a cut at exactly that keyframe (`scenes/sparse.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from av.video.frame import VideoFrame

from corridor_cli.errors import DecodeError
from corridor_cli.media.base import Reader
from corridor_cli.media.container import AV_ERRORS, OpenVideo, open_video
from corridor_cli.media.damage import Damage
from corridor_cli.media.decoding import decode_frames
from corridor_cli.media.packet_index import Keyframe, PacketIndex, index_packets
from corridor_cli.media.picture import Converter, PyavFrame
from corridor_cli.printable import printable
from corridor_cli.records import ReaderChoice, ScanFrame
from corridor_cli.settings import DecodeSettings

if TYPE_CHECKING:
    from corridor_cli.records import Pixels, StepKind

    Judge = Callable[[Pixels, Pixels], StepKind]

# Decoded on behind a keyframe that ends a stretch: a cut is judged by what follows it, a fade goes on.
TAIL_SECONDS = Fraction(1, 2)
# Behind a scene that begins between two keyframes: as long as a detector takes to tell a cut from a flash.
HIDDEN_TAIL_SECONDS = Fraction(3, 10)


def by_keyframes(
    path: Path, settings: DecodeSettings, full: Reader, judge: Judge, on_beat: Callable[[], None]
) -> Reader:
    """A reader that scans by keyframes, or `full` with the reason why not among its fallbacks.

    `judge` compares the planes of two frames; whoever splits must go by the same. `on_beat` is called while
    packets are read. Raises `MediaError` kinds.
    """
    index = index_packets(path, full.info, on_beat)
    if isinstance(index, str):
        full.choice = replace(full.choice, fallbacks=(*full.choice.fallbacks, f"keyframes: {index}"))
        return full
    full.close()
    return KeyframeReader(path, settings, full, index, judge)


class KeyframeReader:
    """A `Reader` whose scan leaves frames out; known frames are read as by the reader it stands for."""

    def __init__(
        self, path: Path, settings: DecodeSettings, full: Reader, index: PacketIndex, judge: Judge
    ) -> None:
        self.name = "pyav"
        self.info = full.info
        reason = "keyframes first, all frames where neighbouring keyframes differ"
        self.choice = ReaderChoice("pyav", reason, full.choice.fallbacks)
        self.warnings: list[str] = list(full.info.warnings)
        self.end: Fraction | None = None
        self.is_variable_frame_rate: bool | None = None
        self._path = path
        self._settings = settings
        self._full = full
        self._index = index
        self._judge = judge
        self._converter = Converter(full.info.sample_aspect_ratio)
        self._active: list[Generator[PyavFrame]] = []

    def read_frames(self) -> Iterator[ScanFrame]:
        """Some frames in presentation order, the first and the last among them. See `Reader`."""
        frames = self._scan()
        self._active.append(frames)
        return frames

    def end_of(self, index: int) -> Fraction:
        """The end of a frame, by the packets: also where the next one is never decoded, as where a scan that
        leaves frames out breaks off."""
        is_last = index + 1 == len(self._index.pts)
        return self._index.end if is_last else self._index.time_of(index + 1)

    def read_frames_at(self, wanted: Sequence[tuple[int, Fraction]]) -> Iterator[ScanFrame]:
        """See `Reader`."""
        return self._full.read_frames_at(wanted)

    def close(self) -> None:
        """Close the generators given out, and their files. Safe to call twice."""
        while self._active:
            self._active.pop().close()
        self._full.close()

    def _scan(self) -> Generator[PyavFrame]:
        damage = Damage()
        with (
            closing(_Keyframes(self._open())) as keyframes,
            closing(_Stretches(self._open(), self._index, damage)) as stretches,
        ):
            last = -1
            try:
                for frame in self._chosen(keyframes, stretches):
                    last = frame.index
                    yield frame
            finally:
                self.warnings += damage.summaries()
        if last != len(self._index.pts) - 1:
            end = float(self._index.time_of(max(last, 0)))
            reason = damage.last_reason or "frames are missing"
            raise DecodeError(
                f"{printable(self._path)}: the pictures end at {end:.2f} s, before the end of the file: "
                f"{reason}",
                hint="The file is cut short or damaged; copy or record it again.",
            )
        self.end, self.is_variable_frame_rate = self._index.end, self._index.is_variable_frame_rate

    def _chosen(self, keyframes: _Keyframes, stretches: _Stretches) -> Generator[PyavFrame]:
        """Each keyframe, and everything before it where a boundary may hide; all of the last stretch."""
        keys, longest = self._index.keyframes, self._index.longest_gop
        before: PyavFrame | None = None
        for number, key in enumerate(keys):
            picture = keyframes.picture(key)
            if before is not None and key.index <= before.index:
                continue
            frame = None if picture is None else self._frame(key.index, picture)
            if before is None:
                if frame is None:
                    raise DecodeError(f"{printable(self._path)}: its first keyframe cannot be decoded")
                before = frame
                yield before
                continue
            opened = keys[number - 1]
            if opened.hidden_index is not None:
                before = yield from self._all_frames(
                    before, opened, self._index.time_of(opened.hidden_index) + HIDDEN_TAIL_SECONDS, stretches
                )
            if before.index >= key.index:
                continue
            if frame is not None and self._may_step(before, frame, key.index - opened.index < longest):
                before = frame
                yield before
            else:
                until = self._index.time_of(key.index) + TAIL_SECONDS
                before = yield from self._all_frames(before, opened, until, stretches, frame)
                if frame is not None and before.index < key.index:
                    before = frame
                    yield before
        assert before is not None, "an index has keyframes"
        for index, each in stretches.frames_after(before.index, keys[-1]):
            yield self._frame(index, each)

    def _all_frames(
        self,
        before: PyavFrame,
        opened: Keyframe,
        until: Fraction,
        stretches: _Stretches,
        ahead: PyavFrame | None = None,
    ) -> Generator[PyavFrame, None, PyavFrame]:
        """All frames behind `before` up to the first at or after `until`; returns the last one.

        Fewer where they have become like `ahead`, the keyframe after them, and stay so for `TAIL_SECONDS`:
        what lies between two that are alike need not be seen.
        """
        alike_since: Fraction | None = None
        for place, each in stretches.frames_after(before.index, opened):
            before = self._frame(place, each)
            yield before
            if before.time >= until:
                break
            if ahead is None or place >= ahead.index or self._judge(before.planes, ahead.planes) != "same":
                alike_since = None
            elif alike_since is None:
                alike_since = before.time
            elif before.time - alike_since >= TAIL_SECONDS:
                break
        return before

    def _may_step(self, before: PyavFrame, frame: PyavFrame, is_early: bool) -> bool:
        """Whether nothing between two frames need be seen: they are alike, or the second, a keyframe set
        before its time, opens a scene."""
        kind = self._judge(before.planes, frame.planes)
        return kind == "same" or (kind == "new" and is_early)

    def _frame(self, index: int, picture: VideoFrame) -> PyavFrame:
        frame = PyavFrame(index, self._index.time_of(index), picture, self._converter)
        _ = frame.planes  # made here, in the thread that also compares them: swscale's set-up is shared
        return frame

    def _open(self) -> OpenVideo:
        return open_video(self._path, num_threads=1, max_pixels=self._settings.max_pixels)


class _Keyframes:
    """Decodes single keyframes, each as after a seek: what lies between is not even read."""

    def __init__(self, video: OpenVideo) -> None:
        self._video = video

    def picture(self, key: Keyframe) -> VideoFrame | None:
        """The keyframe's picture; None when it cannot be had."""
        context, stream = self._video.stream.codec_context, self._video.stream
        try:
            self._video.container.seek(key.pts, stream=stream)
            packets: Any = self._video.container.demux(stream)
            try:
                packet = next(packet for packet in packets if packet.size and packet.is_keyframe)
            finally:
                packets.close()
            if packet.pts != key.pts:
                return None
            frames = context.decode(packet) or context.decode(None)
            context.flush_buffers()
        except (StopIteration, *AV_ERRORS):
            return None
        frame = next((frame for frame in frames if frame.pts == key.pts), None)
        return None if frame is None or frame.is_corrupt else frame

    def close(self) -> None:
        self._video.container.close()


class _Stretches:
    """Decodes on from a keyframe, all frames; one stretch goes on where the one before it ended."""

    def __init__(self, video: OpenVideo, index: PacketIndex, damage: Damage) -> None:
        self._video = video
        self._index = index
        self._damage = damage
        self._frames = decode_frames(video, damage)
        self._at = -1  # the index of the frame given last
        self._is_wound = False

    def frames_after(self, index: int, key: Keyframe) -> Generator[tuple[int, VideoFrame]]:
        """(index, frame) of all frames behind `index`; `key` is the keyframe to begin at."""
        if not self._is_wound or self._at != index:
            self._wind(key)
        for frame in self._frames:
            place = None if frame.pts is None else self._index.index_of(frame.pts)
            if place is None:
                # Leading pictures of an open GOP may come out after a seek; nothing else is unannounced.
                if frame.pts is not None and frame.pts < key.pts:
                    continue
                raise DecodeError(
                    "its frames are not those its packets announce",
                    hint="Scan it in full: --set scenes.scan=full.",
                )
            if place > index:
                index = self._at = place
                self._damage.note_frame(self._index.time_of(place), is_corrupt=frame.is_corrupt)
                yield place, frame

    def _wind(self, key: Keyframe) -> None:
        self._frames.close()
        self._video.container.seek(key.pts, stream=self._video.stream)
        self._video.stream.codec_context.flush_buffers()
        self._frames = decode_frames(self._video, self._damage)
        self._is_wound = True

    def close(self) -> None:
        self._frames.close()
        self._video.container.close()
