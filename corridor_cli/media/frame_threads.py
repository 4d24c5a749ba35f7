"""Decoding by several threads of FFmpeg, for as long as they give what one thread gives.

Of sound files they give the same frames, bit for bit. Of damaged ones they need not: what a decoder patches
up hangs on how far its neighbours have come, and errors of the last packets get lost. So at the first sign
that something is wrong the file is decoded once more by one thread, and the frames that are out already are
passed over: those came before the damage.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from itertools import islice

from av.video.frame import VideoFrame

from corridor_cli.media.container import OpenVideo
from corridor_cli.media.damage import Damage
from corridor_cli.media.decoding import decode_frames

CODECS = frozenset({"h264", "hevc", "vp9", "av1"})
"""In 1,250 damaged files of each several threads told what one tells. VP8's came out otherwise in 6 of some
200, MPEG-2's and MPEG-4's in 4 and 1 of 1,250.
"""

MAX_THREADS = 8
# H.264 holds back at most so many pictures to put them in order. Where more packets went in, pictures are
# lost, or need two each, and what is lost could not be told.
_MAX_HELD_BACK = 16


def decode_by_threads(
    video: OpenVideo,
    damage: Damage,
    num_threads: int,
    open_for_one: Callable[[], OpenVideo],
    on_beat: Callable[[], None],
) -> Generator[VideoFrame]:
    """What `decode_frames` gives of a file that is open for one thread, sooner, and the same `damage`.

    `video` is open for `num_threads`; `open_for_one` closes it and opens it for one. `on_beat` is called
    while frames are passed over.
    """
    num_frames = 0
    with closing(decode_frames(video, damage)) as frames:
        for frame in frames:
            if frame.is_corrupt or _is_doubtful(damage, num_frames, _MAX_HELD_BACK + num_threads):
                break
            yield frame
            num_frames += 1
        else:
            if not _is_doubtful(damage, num_frames, 0):
                return
    damage.reset()
    with closing(decode_frames(open_for_one(), damage)) as frames:
        for _ in islice(frames, num_frames):
            on_beat()
        yield from frames


def _is_doubtful(damage: Damage, num_frames: int, max_held_back: int) -> bool:
    num_inside = damage.num_packets - damage.num_hidden - num_frames
    return bool(damage.num_bad_packets or damage.read_error) or not 0 <= num_inside <= max_held_back
