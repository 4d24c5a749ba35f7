"""Clips for `bench_media.py`, with x264's keyframes: drawn by code, textured scenes that pan under grain, or
spliced of real ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image
from sample_clips import Encoding, Pixels, write_video

SIZES = {
    "480p": (854, 480, 24.0, 6),
    "720p": (1280, 720, 24.0, 6),
    "720p-grain": (1280, 720, 24.0, 17),
    "1080p": (1920, 1080, 16.0, 6),
    "1080p-grain": (1920, 1080, 16.0, 15),
    "4k": (3840, 2160, 8.0, 6),
}
"""Width, height, seconds, and levels of grain. x264 takes grain of 6 levels away almost wholly, which leaves
a tenth of what a camera's files have (0.35 Mb/s at 720p); that of the other clips stays (some Mb/s)."""

RATE = Fraction(25)
SPLICED = (
    "bbb_30s_480p_h264_aac.mp4",
    "bottle_40s_h264.mp4",
    "car_detection_30s_h264_12fps.mp4",
    "crystal_12s_vp8.webm",
    "flower_5s_h264_aac.mp4",
    "friday_6s_h264_aac.mp4",
    "long_6min_1080p_lowbitrate_h264.mp4",
)
NUM_PIECES = 46
PIECE_SECONDS = (2.6, 6.2, 4.1, 9.0, 3.3, 5.0, 7.4, 2.5)
SCENE_SECONDS = (1.6, 4.0, 2.4, 6.0, 3.2)


def draw_clip(folder: Path, size: str, seconds: float | None = None) -> Path:
    """An H.264 clip of one of `SIZES` with x264's default keyframes: 250 apart, and at cuts."""
    width, height, usual, grain = SIZES[size]
    pictures = _pictures(width, height, grain, round((seconds or usual) * RATE))
    how = Encoding(options={"preset": "veryfast", "crf": "23"}, gop_frames=250)
    return write_video(folder / f"drawn-{size}.mp4", pictures, how)


def splice_clip(folder: Path, videos: Path) -> Path:
    """Pieces of real clips, one after the other and each resized to 720p, with x264's default keyframes. What
    a source has of cuts is in it, too; a source that is over begins again."""
    how = Encoding(options={"preset": "veryfast", "crf": "23"}, gop_frames=250)
    return write_video(folder / "spliced-720p.mp4", _pieces([videos / name for name in SPLICED]), how)


def _pieces(sources: Sequence[Path]) -> Iterator[tuple[Fraction, Pixels]]:
    width, height, *_ = SIZES["720p"]
    running = [_frames_of(path) for path in sources]
    index = 0
    for number in range(NUM_PIECES):
        which = number % len(sources)
        for _ in range(round(PIECE_SECONDS[number % len(PIECE_SECONDS)] * RATE)):
            frame = next(running[which], None)
            if frame is None:
                running[which] = _frames_of(sources[which])
                frame = next(running[which])
            small = frame.reformat(width, height, "rgb24", interpolation="BICUBIC")
            yield Fraction(index) / RATE, small.to_ndarray()
            index += 1


def _frames_of(path: Path) -> Iterator[av.VideoFrame]:
    with av.open(str(path)) as container:
        yield from container.decode(container.streams.best("video"))


def _pictures(width: int, height: int, levels: int, num_frames: int) -> Iterator[tuple[Fraction, Pixels]]:
    noise = np.random.default_rng(5)
    grain = noise.integers(0, levels, (height + 64, width + 64, 1), dtype=np.uint8)
    index = scene = 0
    while index < num_frames:
        ground = _texture(noise, width * 5 // 4, height * 5 // 4)
        for step in range(min(round(SCENE_SECONDS[scene % len(SCENE_SECONDS)] * RATE), num_frames - index)):
            x, y = step * width // 1600, step * height // 2400
            top, left = noise.integers(0, 64, 2)
            picture = ground[y : y + height, x : x + width] + grain[top : top + height, left : left + width]
            yield Fraction(index) / RATE, picture
            index += 1
        scene += 1


def _texture(noise: np.random.Generator, width: int, height: int) -> Pixels:
    """Blobs of four sizes over each other: detail at every scale, as in a photograph."""
    total = np.zeros((height, width, 3), np.float32)
    for cells, weight in ((4, 0.45), (12, 0.25), (48, 0.2), (192, 0.1)):
        small = noise.integers(0, 256, (cells * 9 // 16 + 1, cells, 3), dtype=np.uint8)
        large = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
        total += weight * np.asarray(large, np.float32)
    return (total * 0.9 + 8).clip(0, 240).astype(np.uint8)
