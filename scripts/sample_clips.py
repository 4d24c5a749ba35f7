"""Draws videos by code: shapes moving on plain or shaded grounds, with hard cuts and dissolves.

    python scripts/sample_clips.py FOLDER      writes three sample videos (H.264 mp4, VP9 webm, AV1 mkv)

The drawing and encoding below is also what the tests draw their clips with. The pictures depend on nothing
but the code; the bytes of a file also depend on the encoder's version.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image, ImageDraw
from quiet_encoders import QUIET, usual_priority

Colour = tuple[int, int, int]
Pixels = np.ndarray[Any, np.dtype[np.uint8]]

COLOURS: dict[str, Colour] = {
    "red": (220, 30, 30),
    "green": (30, 170, 50),
    "blue": (30, 60, 220),
    "yellow": (240, 220, 30),
    "orange": (245, 140, 20),
    "purple": (130, 40, 170),
    "cyan": (30, 200, 220),
    "pink": (245, 130, 180),
    "brown": (120, 75, 35),
    "white": (245, 245, 245),
    "gray": (128, 128, 128),
    "black": (12, 12, 12),
}


@dataclass(frozen=True)
class SceneRecipe:
    """One drawn scene: a shape that moves in a straight line over a ground shaded from one colour to another.

    Places are the centre's, as shares of width and height; `size` is a share of the height. A scene that
    opens with a `dissolve_seconds` blends with the one before it over that time.
    """

    shape: str | None
    colour: str
    ground: str
    ground_below: str | None = None
    start_place: tuple[float, float] = (0.35, 0.5)
    end_place: tuple[float, float] = (0.65, 0.5)
    size: float = 0.5
    seconds: float = 2.0
    dissolve_seconds: float = 0.0


@dataclass(frozen=True)
class Encoding:
    """How pictures become a file. `rotation_degrees` is the clockwise turn a player is asked to make."""

    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    rate: Fraction = Fraction(25)
    time_base: Fraction | None = None
    options: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)
    rotation_degrees: int = 0
    is_mirrored: bool = False
    max_b_frames: int | None = None
    gop_frames: int = 25
    has_audio: bool = False


def ground(recipe: SceneRecipe, width: int, height: int) -> Image.Image:
    """The background: one colour, or a shade from `ground` at the top to `ground_below`."""
    top = np.array(COLOURS[recipe.ground], dtype=np.float64)
    bottom = np.array(COLOURS[recipe.ground_below or recipe.ground], dtype=np.float64)
    share = np.linspace(0.0, 1.0, height)[:, None, None]
    rows = np.rint(top * (1 - share) + bottom * share).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(np.broadcast_to(rows, (height, width, 3))))


def draw_scene(recipe: SceneRecipe, progress: float, width: int, height: int) -> Pixels:
    """The scene's picture at `progress` in [0, 1]: uint8 (height, width, 3) RGB."""
    image = ground(recipe, width, height)
    if recipe.shape is not None:
        (x0, y0), (x1, y1) = recipe.start_place, recipe.end_place
        x, y = (x0 + (x1 - x0) * progress) * width, (y0 + (y1 - y0) * progress) * height
        r = recipe.size * height / 2
        pen, colour = ImageDraw.Draw(image), COLOURS[recipe.colour]
        if recipe.shape == "circle":
            pen.ellipse((x - r, y - r, x + r, y + r), fill=colour)
        elif recipe.shape == "square":
            pen.rectangle((x - r, y - r, x + r, y + r), fill=colour)
        elif recipe.shape == "triangle":
            pen.polygon([(x, y - r), (x + r, y + r), (x - r, y + r)], fill=colour)
        else:
            raise ValueError(f"unknown shape {recipe.shape!r}; known: circle, square, triangle")
    return np.asarray(image)


def draw_story(
    scenes: Sequence[SceneRecipe], rate: Fraction, width: int, height: int
) -> Iterator[tuple[Fraction, Pixels]]:
    """(time, picture) for every frame of the scenes one after the other, at a constant rate."""
    index, before = 0, None
    for recipe in scenes:
        num_frames = max(1, round(recipe.seconds * rate))
        num_blended = round(recipe.dissolve_seconds * rate)
        for i in range(num_frames):
            picture = draw_scene(recipe, i / max(1, num_frames - 1), width, height)
            if before is not None and i < num_blended:
                share = (i + 1) / (num_blended + 1)
                picture = np.rint(before * (1 - share) + picture * share).astype(np.uint8)
            yield Fraction(index) / rate, picture
            index += 1
        before = picture.astype(np.float64)


def thin(
    pictures: Iterable[tuple[Fraction, Pixels]], keep: Callable[[int], bool]
) -> Iterator[tuple[Fraction, Pixels]]:
    """Leave pictures out, which makes the frame rate vary; times stay what they were."""
    return (pair for i, pair in enumerate(pictures) if keep(i))


def add_video(container: av.container.OutputContainer, how: Encoding, width: int, height: int) -> Any:
    """A video stream of the container, set up as `how` says; one thread: a file is always the same."""
    options = {**QUIET.get(how.codec, {}), **how.options}
    stream = container.add_stream(how.codec, rate=how.rate, options=options)
    stream.width, stream.height, stream.pix_fmt = width, height, how.pixel_format
    context = stream.codec_context
    context.time_base = how.time_base or 1 / how.rate
    context.thread_count = 1
    context.gop_size = how.gop_frames
    if how.max_b_frames is not None:
        context.max_b_frames = how.max_b_frames
    if how.rotation_degrees or how.is_mirrored:
        stream.set_display_rotation(-how.rotation_degrees, hflip=how.is_mirrored)
    return stream


def write_tone(container: av.container.OutputContainer, stream: Any, seconds: float) -> None:
    """Fill an AAC stream of 48 kHz with a quiet 440 Hz tone."""
    size = 1024
    for start in range(0, int(seconds * 48000), size):
        wave = 0.1 * np.sin(2 * np.pi * 440 * np.arange(start, start + size) / 48000)
        frame = av.AudioFrame.from_ndarray(wave.astype(np.float32)[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


@usual_priority()
def write_video(path: Path, pictures: Iterable[tuple[Fraction, Pixels]], how: Encoding | None = None) -> Path:
    """Encode (time, RGB picture) pairs into `path`; the container follows from its extension."""
    how = how or Encoding()
    with av.open(str(path), "w", container_options=how.container_options) as container:
        stream, sound, last = None, None, Fraction(0)
        for time, picture in pictures:
            if stream is None:
                stream = add_video(container, how, picture.shape[1], picture.shape[0])
                sound = container.add_stream("aac", rate=48000, layout="mono") if how.has_audio else None
            time_base = stream.codec_context.time_base
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = round(time / time_base), time_base
            container.mux(stream.encode(frame))
            last = time
        if stream is None:
            raise ValueError("no picture to encode")
        container.mux(stream.encode(None))
        if sound is not None:
            write_tone(container, sound, float(last + 1 / how.rate))
    return path


FIRST_STORY = (
    SceneRecipe("circle", "red", "white", start_place=(0.25, 0.5), end_place=(0.75, 0.5), seconds=2.4),
    SceneRecipe("square", "blue", "yellow", start_place=(0.7, 0.4), end_place=(0.3, 0.6), seconds=2.0),
    SceneRecipe("triangle", "yellow", "purple", start_place=(0.5, 0.7), end_place=(0.5, 0.35), seconds=2.2),
    SceneRecipe("circle", "white", "green", "black", seconds=3.0, dissolve_seconds=0.8, size=0.45),
)
SECOND_STORY = (
    SceneRecipe("triangle", "green", "black", start_place=(0.3, 0.5), end_place=(0.6, 0.5), seconds=2.5),
    SceneRecipe(
        "circle", "orange", "blue", start_place=(0.7, 0.6), end_place=(0.3, 0.4), seconds=2.5, size=0.55
    ),
    SceneRecipe("square", "red", "gray", start_place=(0.35, 0.4), end_place=(0.65, 0.6), seconds=3.0),
)
THIRD_STORY = (
    SceneRecipe(
        "square", "white", "blue", "cyan", start_place=(0.3, 0.55), end_place=(0.7, 0.55), seconds=2.4
    ),
    SceneRecipe("triangle", "red", "yellow", start_place=(0.6, 0.45), end_place=(0.4, 0.55), seconds=2.4),
    SceneRecipe("circle", "purple", "pink", start_place=(0.5, 0.35), end_place=(0.5, 0.65), seconds=2.4),
    SceneRecipe("square", "green", "black", start_place=(0.65, 0.5), end_place=(0.35, 0.5), seconds=2.0),
)


def write_samples(folder: Path) -> list[Path]:
    """The three sample videos, 640×360."""
    folder.mkdir(parents=True, exist_ok=True)
    size, rate = (640, 360), Fraction(25)
    x264 = Encoding(options={"preset": "veryfast", "crf": "20"}, gop_frames=50, has_audio=True)
    vp9 = Encoding(
        "libvpx-vp9",
        rate=Fraction(30),
        time_base=Fraction(1, 1000),
        options={"deadline": "realtime", "cpu-used": "8", "crf": "24", "b": "0"},
        gop_frames=60,
    )
    av1 = Encoding("libsvtav1", options={"preset": "8", "crf": "28", "svtav1-params": "lp=1"}, gop_frames=50)
    # Of every twelve frames all, then every second, then every third is kept: 30, 15 and 10 frames a second.
    uneven = thin(draw_story(SECOND_STORY, Fraction(30), *size), lambda i: i % (1 + (i // 12) % 3) == 0)
    return [
        write_video(folder / "cuts-and-dissolve.mp4", draw_story(FIRST_STORY, rate, *size), x264),
        write_video(folder / "variable-rate.webm", uneven, vp9),
        write_video(folder / "colours.mkv", draw_story(THIRD_STORY, rate, *size), av1),
    ]


def main(arguments: Sequence[str]) -> int:
    """Draw the samples into the folder given."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python scripts/sample_clips.py FOLDER", file=sys.stderr)
        return 2
    for path in write_samples(Path(arguments[0])):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
