"""Stretches of real clips, each known to be one scene, from a folder that may be there."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np

from scenes_set.shots import ClipShot, Size

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

# (file, first frame, end), each inside one scene by the labels of the folder's GROUND_TRUTH.json. Two lists,
# so that what is tuned on and what is held out share no picture.
STRETCHES: dict[str, tuple[tuple[str, int, int], ...]] = {
    "tuning": (
        ("bbb_30s_480p_h264_aac.mp4", 60, 285),
        ("bbb_30s_480p_h264_aac.mp4", 285, 378),
        ("bbb_30s_480p_h264_aac.mp4", 378, 553),
        ("flower_5s_h264_aac.mp4", 0, 150),
        ("car_detection_30s_h264_12fps.mp4", 0, 150),
        ("asl_bird_2s_h264.mkv", 0, 63),
    ),
    "held-out": (
        ("nasa_13s_h264_2video_2audio.mp4", 0, 127),
        ("nasa_13s_h264_2video_2audio.mp4", 151, 202),
        ("nasa_13s_h264_2video_2audio.mp4", 202, 325),
        ("bikes_6shots_h264_640x272.mp4", 30, 76),
        ("bikes_6shots_h264_640x272.mp4", 76, 137),
        ("bikes_6shots_h264_640x272.mp4", 137, 187),
        ("bikes_6shots_h264_640x272.mp4", 187, 242),
        ("friday_6s_h264_aac.mp4", 0, 185),
        ("crystal_12s_vp8.webm", 0, 150),
        ("bottle_40s_h264.mp4", 0, 150),
    ),
}


class ClipShelf:
    """Gives stretches of real clips, resized to one size; none when there is no folder."""

    def __init__(self, folder: Path | None, half: str, size: Size) -> None:
        self._folder, self._size = folder, size
        self._stretches = STRETCHES[half] if folder is not None else ()
        self._last: str | None = None

    def take(self, rng: np.random.Generator, num_frames: int) -> ClipShot | None:
        """`num_frames` of some clip, never twice in a row from the same file."""
        long_enough = [
            each for each in self._stretches if each[2] - each[1] >= num_frames and each[0] != self._last
        ]
        if not long_enough:
            return None
        stretch = long_enough[int(rng.integers(len(long_enough)))]
        self._last = stretch[0]
        start = int(rng.integers(0, stretch[2] - stretch[1] - num_frames + 1))
        return ClipShot(self._pictures(stretch)[start : start + num_frames], stretch[0])

    def _pictures(self, stretch: tuple[str, int, int]) -> list[Pixels]:
        assert self._folder is not None, "no folder of clips"
        return _decoded(self._folder / stretch[0], stretch[1], stretch[2], self._size)


@cache
def _decoded(path: Path, first: int, end: int, size: Size) -> list[Pixels]:
    """Some hundred pictures a process, of which many videos are made."""
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        numbered = zip(range(end), frames, strict=False)
        pictures = [
            frame.to_ndarray(format="rgb24", width=size[0], height=size[1])
            for index, frame in numbered
            if index >= first
        ]
        frames.close()
    return pictures
