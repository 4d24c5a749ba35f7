"""The keyframe scan: decode keyframes, and in full only the stretches between two that differ.

What comes out are true frames with exact times and indices, in order, but not all of them. A step over frames
that were not decoded is either between two pictures that are alike, or onto a keyframe which the encoder set
for a new scene: off its regular distance, and showing something else. So whoever splits may take a large
change over a step as a cut at exactly that keyframe (`scenes/sparse.py`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from av.video.frame import VideoFrame

from corridor_cli.errors import DecodeError
from corridor_cli.media.base import Reader
from corridor_cli.media.container import OpenVideo, open_video
from corridor_cli.media.damage import Damage
from corridor_cli.media.glances import Seen, SeenFrame, is_lost, start_shown
from corridor_cli.media.keyframe_decoding import KeyframeDecoder, StretchDecoder
from corridor_cli.media.packet_index import Keyframe, PacketIndex, index_packets
from corridor_cli.media.picture import Converter
from corridor_cli.media.suspects import Suspect
from corridor_cli.printable import printable
from corridor_cli.records import ReaderChoice, ScanFrame
from corridor_cli.settings import DecodeSettings

if TYPE_CHECKING:
    from corridor_cli.media.glances import Judge
    from corridor_cli.records import Planes

# Decoded on behind a keyframe that ends a stretch: a cut is judged by what follows it, a fade goes on.
TAIL_SECONDS = Fraction(1, 2)
# Behind a scene that begins between two keyframes: as long as a detector takes to tell a cut from a flash.
HIDDEN_TAIL_SECONDS = Fraction(3, 10)
# And so many frames before it: B-frames that are shown before a picture and come after it in the file.
LEAD = 8


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
        self._active: list[Generator[SeenFrame]] = []

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

    def _scan(self) -> Generator[SeenFrame]:
        damage = Damage()
        with (
            closing(KeyframeDecoder(self._open())) as keyframes,
            closing(StretchDecoder(self._open(), self._index, damage)) as stretches,
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

    def _chosen(self, keyframes: KeyframeDecoder, stretches: StretchDecoder) -> Generator[SeenFrame]:
        """Each keyframe, and what is before it where a boundary may hide; the very last frame."""
        keys, longest = self._index.keyframes, self._index.longest_gop
        seen = Seen()
        before: SeenFrame | None = None
        for number, key in enumerate(keys):
            glances, seen = seen, self._seen(key, keyframes)
            frame = seen.frames.get(key.index)
            if before is None:
                if frame is None:
                    raise DecodeError(f"{printable(self._path)}: its first keyframe cannot be decoded")
                before = frame
                yield before
                continue
            opened = keys[number - 1]
            before = yield from self._suspected(before, opened, glances, stretches, frame)
            if before.index >= key.index:
                continue
            if frame is None or not self._may_step(before, frame, key.index - opened.index < longest):
                until = self._index.time_of(key.index) + TAIL_SECONDS
                before = yield from self._all_frames(before, opened, until, stretches, frame)
            if frame is not None and before.index < key.index:
                before = frame
                yield before
        assert before is not None, "an index has keyframes"
        before = yield from self._suspected(before, keys[-1], seen, stretches)
        all_from = len(self._index.pts) - LEAD if self.info.video_codec == "h264" else before.index + 1
        yield from self._way(before, keys[-1], all_from, self._index.end, stretches)

    def _seen(self, key: Keyframe, keyframes: KeyframeDecoder) -> Seen:
        """A keyframe, and the glances at what is suspected behind it."""
        seen = Seen()
        exact = {key.pts, *(suspect.pts for suspect in key.suspects if suspect.is_intra)}
        for picture in keyframes.pictures(key):
            index = None if picture.pts is None else self._index.index_of(picture.pts)
            if index is None or picture.is_corrupt:
                continue
            frame = self._frame(index, picture)
            seen.planes[index] = frame.planes
            if picture.pts in exact:
                seen.frames[index] = frame
        # Gaps confuse a decoder's order, and a picture it holds too late is dropped.
        return self._seen(replace(key, suspects=()), keyframes) if is_lost(key, seen) else seen

    def _suspected(
        self,
        before: SeenFrame,
        opened: Keyframe,
        glances: Seen,
        stretches: StretchDecoder,
        ahead: SeenFrame | None = None,
    ) -> Generator[SeenFrame, None, SeenFrame]:
        """What is to be seen of the packets suspected behind a keyframe; returns the last frame of it.

        That is `ahead`, the next keyframe, where it belongs to a scene of which nothing else need be seen.
        """
        for suspect in opened.suspects:
            if suspect.index <= before.index:
                continue
            glance = glances.planes.get(suspect.index)
            kind = "unclear" if glance is None else self._judge(before.planes, glance)
            if kind == "same":
                continue
            exact = glances.frames.get(suspect.index)
            if exact is not None and kind == "new" and self._index.keyint is not None:
                before = exact  # x264 makes such a picture of a new scene, and of no flash
                yield before
                continue
            if kind == "new" and ahead is not None and suspect is opened.suspects[-1]:
                start = start_shown(before.planes, self._around(suspect, glances), ahead.planes, self._judge)
                if start is not None:
                    ahead.scene_start = start, self._index.time_of(start)
                    yield ahead
                    return ahead
            until = self._index.time_of(suspect.index) + HIDDEN_TAIL_SECONDS
            all_from = before.index + 1 if glance is None else suspect.index - LEAD
            before = yield from self._way(before, opened, all_from, until, stretches)
        return before

    def _around(self, suspect: Suspect, glances: Seen) -> dict[int, Planes]:
        places = sorted(bisect_left(self._index.pts, pts) for pts in (*suspect.around, suspect.pts))
        return {place: glances.planes[place] for place in places if place in glances.planes}

    def _way(
        self,
        before: SeenFrame,
        opened: Keyframe,
        all_from: int,
        until: Fraction,
        stretches: StretchDecoder,
    ) -> Generator[SeenFrame, None, SeenFrame]:
        """All frames from `all_from` to the first at or after `until`, and those on the way to it only where
        they do not stay like `before`. Returns the last one.
        """
        for place, each in stretches.frames_after(before.index, opened, all_from):
            frame = self._frame(place, each)
            if before.index < all_from and self._judge(before.planes, frame.planes) != "same":
                return (yield from self._all_frames(before, opened, until, stretches))
            if place >= all_from:
                before = frame
                yield before
                if before.time >= until:
                    break
        return before

    def _all_frames(
        self,
        before: SeenFrame,
        opened: Keyframe,
        until: Fraction,
        stretches: StretchDecoder,
        ahead: SeenFrame | None = None,
    ) -> Generator[SeenFrame, None, SeenFrame]:
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

    def _may_step(self, before: SeenFrame, frame: SeenFrame, is_early: bool) -> bool:
        """Whether nothing between two frames need be seen: they are alike, or the second, a keyframe set
        before its time, opens a scene."""
        kind = self._judge(before.planes, frame.planes)
        return kind == "same" or (kind == "new" and is_early)

    def _frame(self, index: int, picture: VideoFrame) -> SeenFrame:
        frame = SeenFrame(index, self._index.time_of(index), picture, self._converter)
        _ = frame.planes  # made here, in the thread that also compares them: swscale's set-up is shared
        return frame

    def _open(self) -> OpenVideo:
        return open_video(self._path, num_threads=1, max_pixels=self._settings.max_pixels)
