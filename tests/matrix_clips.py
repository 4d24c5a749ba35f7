"""Every codec in every container it is found in: constant and variable rate, B-frames, turned, some formats.

One second of a shape that moves over a plain ground, good enough to know each frame by its picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from sample_clips import Encoding, Pixels, SceneRecipe, draw_scene, write_video

NUM_FRAMES = 26
SIZE = (160, 96)
RATE = Fraction(25)
_RECIPE = SceneRecipe("square", "red", "white", start_place=(0.2, 0.4), end_place=(0.8, 0.6), size=0.4)

ENCODINGS = {
    "h264": Encoding(options={"preset": "veryfast", "crf": "14"}, max_b_frames=0),
    "hevc": Encoding("libx265", options={"preset": "ultrafast", "crf": "14"}, max_b_frames=0),
    "vp8": Encoding("libvpx", options={"deadline": "realtime", "cpu-used": "8", "crf": "8", "b": "3M"}),
    "vp9": Encoding("libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8", "crf": "14", "b": "0"}),
    "av1": Encoding("libsvtav1", options={"preset": "10", "crf": "18", "svtav1-params": "lp=1"}),
    "mpeg2": Encoding("mpeg2video", options={"b": "4M"}, max_b_frames=0),
    "mpeg4": Encoding("mpeg4", options={"b": "4M"}, max_b_frames=0),
}
CONTAINERS = {
    "h264": ("mp4", "mov", "mkv", "avi", "ts", "flv"),
    "hevc": ("mp4", "mov", "mkv", "ts"),
    "vp8": ("webm", "mkv"),
    "vp9": ("webm", "mkv", "mp4"),
    "av1": ("mp4", "mkv", "webm"),
    "mpeg2": ("ts", "mkv", "mp4"),
    "mpeg4": ("mp4", "mov", "mkv", "avi"),
}
# AVI has no times of its own, FLV and WebM count in milliseconds.
VARIABLE = ("h264.mp4", "h264.mkv", "h264.ts", "h264.flv", "hevc.mp4", "vp8.webm", "vp9.webm", "av1.mkv")
B_FRAMES = ("h264.mp4", "h264.mkv", "h264.ts", "h264.flv", "hevc.mp4", "hevc.ts", "mpeg2.ts", "mpeg4.mp4")
TURNED = ("h264.mp4", "h264.mov", "hevc.mp4", "mpeg4.mov", "av1.mp4")


@dataclass(frozen=True, slots=True)
class MatrixClip:
    """One file of the matrix; its name is `codec.variant.container`."""

    codec: str
    container: str
    variant: str = "plain"

    def __str__(self) -> str:
        return f"{self.codec}.{self.variant}.{self.container}"

    @property
    def kept(self) -> list[int]:
        """Which of the drawn frames are in it."""
        return [i for i in range(NUM_FRAMES) if self.variant != "vfr" or i < 8 or i % 3 == 0]

    def draw(self, folder: Path) -> Path:
        """Write it, unless it is there."""
        path = folder / str(self)
        if not path.exists():
            how = ENCODINGS[self.codec]
            if self.variant == "bframes":
                how = replace(how, max_b_frames=2)
            if self.variant == "turned":
                how = replace(how, rotation_degrees=90)
            if self.variant == "vfr" and self.container in ("flv", "webm", "mkv"):
                how = replace(how, time_base=Fraction(1, 1000))
            if self.variant in ("yuv422p", "yuv444p", "yuvj420p"):
                how = replace(how, pixel_format=self.variant)
            pictures = ((i / RATE, picture_of(i)) for i in self.kept)
            write_video(path, pictures, replace(how, gop_frames=10))
        return path


def picture_of(index: int) -> Pixels:
    """What was drawn as frame `index`, as coded."""
    return draw_scene(_RECIPE, index / (NUM_FRAMES - 1), *SIZE)


def matrix() -> Iterator[MatrixClip]:
    """All of it."""
    for codec, containers in CONTAINERS.items():
        yield from (MatrixClip(codec, container) for container in containers)
    yield from (MatrixClip("h264", "mp4", variant) for variant in ("yuv422p", "yuv444p", "yuvj420p"))
    for variant, names in (("vfr", VARIABLE), ("bframes", B_FRAMES), ("turned", TURNED)):
        yield from (MatrixClip(*name.split("."), variant) for name in names)
