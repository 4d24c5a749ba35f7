"""The good files that mutants are made from: eight codecs in their usual containers, drawn by code.

Tiny on purpose: 72×56, eight frames with a cut and, in some, sound. Long enough in seconds, where the codec
has a rate that low, for a missing tail to be told from a rounded duration. Encoders run on one thread and
muxers write no random ids, so one machine draws the same bytes each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from sample_clips import Encoding, Pixels, SceneRecipe, draw_story, write_video

WIDTH_PX, HEIGHT_PX = 72, 56  # numbers that are rare in a file, so that header fields holding them are found

FRAMES_PER_SCENE = 4
SLOW = Fraction(5)  # frames a second
PAL = Fraction(25)  # MPEG-2 knows no slow rates
EXACT = {"fflags": "+bitexact"}
X264 = {"preset": "ultrafast", "crf": "30", "threads": "1"}
X265 = {"preset": "ultrafast", "crf": "32"}
VPX = {"deadline": "realtime", "cpu-used": "8", "crf": "40", "b": "100k", "threads": "1"}
AV1 = {"preset": "10", "crf": "50", "svtav1-params": "lp=1"}


@dataclass(frozen=True)
class Original:
    """A good file: its codec, its name (the container is its extension), its bytes."""

    codec: str
    name: str
    data: bytes

    @property
    def extension(self) -> str:
        return self.name.rpartition(".")[2]


def _how(codec: str, *, movflags: str = "", **how: object) -> Encoding:
    container = EXACT | ({"movflags": movflags} if movflags else {})
    rate = PAL if codec == "mpeg2video" else SLOW
    return Encoding(codec, rate=rate, container_options=container, gop_frames=4, **how)  # type: ignore[arg-type]


RECIPES: dict[str, dict[str, Encoding]] = {
    "h264": {
        "h264.mp4": _how("libx264", options=X264 | {"preset": "veryfast"}, max_b_frames=2, has_audio=True),
        "h264-fragmented.mp4": _how("libx264", options=X264, movflags="frag_keyframe+empty_moov"),
        "h264-faststart.mov": _how("libx264", options=X264, movflags="faststart"),
        "h264.mkv": _how("libx264", options=X264, has_audio=True),
        "h264.ts": _how("libx264", options=X264 | {"preset": "veryfast"}, max_b_frames=2),
        "h264.flv": _how("libx264", options=X264),
    },
    "hevc": {
        "hevc.mp4": _how("libx265", options=X265, has_audio=True),
        "hevc.mkv": _how("libx265", options=X265, pixel_format="yuv420p10le"),
        "hevc.ts": _how("libx265", options=X265),
    },
    "vp8": {"vp8.webm": _how("libvpx", options=VPX)},
    "vp9": {
        "vp9.webm": _how("libvpx-vp9", options=VPX),
        "vp9.mp4": _how("libvpx-vp9", options=VPX),
    },
    "av1": {"av1.mp4": _how("libsvtav1", options=AV1), "av1.mkv": _how("libsvtav1", options=AV1)},
    "mpeg2": {
        "mpeg2.mpg": _how("mpeg2video", max_b_frames=2),
        "mpeg2.ts": _how("mpeg2video"),
    },
    "mpeg4": {
        "mpeg4.avi": _how("mpeg4", max_b_frames=2),
        "mpeg4.mp4": _how("mpeg4"),
    },
    "mjpeg": {
        "mjpeg.mov": _how("mjpeg", pixel_format="yuvj420p"),
        "mjpeg.avi": _how("mjpeg", pixel_format="yuvj420p"),
    },
}
CODECS = tuple(RECIPES)


def _pictures(rate: Fraction) -> Iterator[tuple[Fraction, Pixels]]:
    seconds = float(FRAMES_PER_SCENE / rate)
    scenes = (
        SceneRecipe("circle", "red", "white", seconds=seconds),
        SceneRecipe("square", "yellow", "blue", seconds=seconds),
    )
    return draw_story(scenes, rate, WIDTH_PX, HEIGHT_PX)


def draw_originals(folder: Path, codecs: tuple[str, ...]) -> list[Original]:
    """Write the good files of these codecs into `folder` and return them, in the order of `RECIPES`."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for codec in codecs:
        for name, how in RECIPES[codec].items():
            path = write_video(folder / name, _pictures(how.rate), how)
            drawn.append(Original(codec, name, path.read_bytes()))
    return drawn
