"""One pass over the frames of a file, by several threads of FFmpeg for as long as they give what one gives.

Of sound files they give the same frames, bit for bit. Of damaged ones they need not: what a decoder patches
up hangs on how far its neighbours have come, and errors of the last packets get lost. So at the first sign
that something is wrong the file is decoded once more by one thread, and the frames that are out already are
passed over: those came before the damage.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from heapq import heappop, heappush
from itertools import islice
from pathlib import Path
from typing import Any

from av.packet import Packet
from av.video.frame import VideoFrame

from corridor_cli.errors import LimitError
from corridor_cli.media.container import open_video
from corridor_cli.media.damage import Damage
from corridor_cli.media.decoding import decode_frames
from corridor_cli.media.limits import require_pixels

# H.264 holds back at most so many pictures to put them in order. Where more packets went in, pictures are
# lost, or need two each, and what is lost could not be told.
_MAX_HELD_BACK = 16


class FramePass:
    """The frames of a file once through; the first one can be looked at beforehand.

    `video` is the open file, `damage` what one thread meets in it. `on_beat` is called for each packet, for
    frames may be long in coming. Raises what `open_video` does, and `LimitError` for a picture size that the
    header states.
    """

    def __init__(
        self, path: Path, max_pixels: int, num_threads: int = 1, on_beat: Callable[[], None] = lambda: None
    ) -> None:
        self.damage = Damage()
        self.video = open_video(path, num_threads=num_threads, max_pixels=max_pixels)
        self._path = path
        self._max_pixels = max_pixels
        self._on_beat = on_beat
        self._inside: list[int] = []  # a heap: timestamps of packets whose frames have not come out
        self._frames = self._by_threads() if self.video.num_threads > 1 else self._by_one()
        self._first: VideoFrame | None = None
        context = self.video.stream.codec_context
        try:
            require_pixels(path, context.width, context.height, max_pixels)
        except LimitError:
            self.close()
            raise

    def peek(self) -> VideoFrame | None:
        """The first frame, which is still to come; None where there is none."""
        if self._first is None:
            self._first = next(self._frames, None)
        return self._first

    def frames(self) -> Generator[VideoFrame]:
        """All frames in presentation order."""
        if self._first is not None:
            yield self._first
            self._first = None
        yield from self._frames

    def close(self) -> None:
        """Free the decoder. Safe to call twice."""
        self._frames.close()
        self.video.container.close()

    def _by_one(self) -> Generator[VideoFrame]:
        return decode_frames(self.video, self.damage, lambda _: self._on_beat())

    def _by_threads(self) -> Generator[VideoFrame]:
        num_frames = 0
        with closing(decode_frames(self.video, self.damage, self._note)) as frames:
            for frame in frames:
                max_held_back = _MAX_HELD_BACK + self.video.num_threads
                if frame.is_corrupt or self._is_behind(frame) or self._is_doubtful(num_frames, max_held_back):
                    break
                yield frame
                num_frames += 1
            else:
                if not self._is_doubtful(num_frames, 0):
                    return
        self.damage.reset()
        self.video.container.close()
        self.video = open_video(self._path, num_threads=1, max_pixels=self._max_pixels)
        with closing(self._by_one()) as frames:
            yield from islice(frames, num_frames, None)

    def _note(self, packet: Packet[Any]) -> None:
        self._on_beat()
        if packet.pts is not None and not packet.is_discard:
            heappush(self._inside, packet.pts)

    def _is_behind(self, frame: VideoFrame) -> bool:
        """Whether a frame that should have come before this one did not: as at the start of a file that was
        cut out of another, where some refer to what is gone."""
        inside = self._inside
        if frame.pts is None or not inside or inside[0] > frame.pts:
            return False
        return heappop(inside) < frame.pts

    def _is_doubtful(self, num_frames: int, max_held_back: int) -> bool:
        damage = self.damage
        num_inside = damage.num_packets - damage.num_hidden - num_frames
        return bool(damage.num_bad_packets or damage.read_error) or not 0 <= num_inside <= max_held_back
