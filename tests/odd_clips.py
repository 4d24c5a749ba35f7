"""Videos whose pictures need more than decoding: HDR, interlaced, transparent, with long pixels, unmarked.

Colours are set as Y'CbCr values, so that what comes out can be computed from the standards alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray
from quiet_encoders import usual_priority
from sample_clips import Encoding, Pixels, SceneRecipe, add_video, draw_scene, write_video

from tests.clips import X264, solid

Values = NDArray[np.uint16]
NUM_FRAMES = 8


def patches(width: int, height: int, bits: int) -> Values:
    """(3, height, width) Y, Cb, Cr of `bits`: blocks of 16 px, seeded, within what a camera delivers."""
    random, scale = np.random.default_rng(3), 1 << (bits - 8)
    rows, columns = height // 16, width // 16
    luma = random.integers(40 * scale, 200 * scale, (1, rows, columns))
    chroma = random.integers(100 * scale, 156 * scale, (2, rows, columns))
    blocks = np.concatenate([luma, chroma]).repeat(16, axis=1).repeat(16, axis=2)
    return blocks.astype(np.uint16)


def frame_of(values: Values, pixel_format: str) -> av.VideoFrame:
    """A planar 4:4:4 frame of these values; `rgb()` of a decoder can then be told pixel by pixel."""
    _, height, width = values.shape
    frame = av.VideoFrame(width, height, pixel_format)
    for plane, each in zip(frame.planes, values, strict=True):
        is_deep = "le" in pixel_format
        raw = each.astype("<u2" if is_deep else np.uint8).view(np.uint8).reshape(height, -1)
        room = np.zeros((height, plane.line_size), np.uint8)
        room[:, : raw.shape[1]] = raw
        plane.update(room.tobytes())
    return frame


@usual_priority()
def write_frames(path: Path, frames: Iterable[av.VideoFrame], how: Encoding, **tags: int) -> Path:
    """Encode frames as they are; `tags` are attributes of the encoder, such as `color_trc`."""
    with av.open(str(path), "w") as container:
        stream = None
        for i, frame in enumerate(frames):
            if stream is None:
                stream = add_video(container, how, frame.width, frame.height)
                for name, value in tags.items():
                    setattr(stream.codec_context, name, value)
            for name, value in tags.items():
                if name != "sample_aspect_ratio":
                    setattr(frame, name, value)
            frame.pts, frame.time_base = i, Fraction(1, 25)
            container.mux(stream.encode(frame))
        assert stream is not None
        container.mux(stream.encode(None))
    return path


def lossless(path: Path, values: Values, pixel_format: str, **tags: int) -> Path:
    """One picture of these values, some times over, in FFV1, which changes nothing."""
    frames = (frame_of(values, pixel_format) for _ in range(NUM_FRAMES))
    return write_frames(path, frames, Encoding("ffv1", pixel_format), **tags)


def moving_fields(size: tuple[int, int] = (320, 240)) -> list[tuple[Pixels, Pixels]]:
    """Whole pictures at 50 a second, two by two: a disc that moves, beside fine detail that does not."""
    recipe = SceneRecipe("circle", "red", "white", start_place=(0.3, 0.5), end_place=(0.6, 0.5), size=0.4)
    pairs = []
    for i in range(NUM_FRAMES):
        pair = [draw_scene(recipe, (2 * i + k) / (2 * NUM_FRAMES), *size).copy() for k in (0, 1)]
        for picture in pair:
            picture[40:200:8, 280:310] = 40
        pairs.append((pair[0], pair[1]))
    return pairs


def interlaced(path: Path, codec: str, options: dict[str, str]) -> Path:
    """The upper lines of one moment and the lower lines of the next in each frame, colours too."""

    def woven(top: Pixels, bottom: Pixels) -> av.VideoFrame:
        height, width, _ = top.shape
        frame = av.VideoFrame(width, height, "yuv420p")
        rooms = [np.zeros((p.height, p.line_size), np.uint8) for p in frame.planes]
        for parity, picture in enumerate((top, bottom)):
            lines = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[parity::2]), format="rgb24")
            field = lines.reformat(format="yuv420p")
            for room, plane in zip(rooms, field.planes, strict=True):
                source = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)
                room[parity::2, : plane.width] = source[:, : plane.width]
        for room, plane in zip(rooms, frame.planes, strict=True):
            plane.update(room.tobytes())
        return frame

    frames = (woven(top, bottom) for top, bottom in moving_fields())
    return write_frames(path, frames, Encoding(codec, options=options))


def long_pixels(path: Path, ratio: Fraction, *, rotation_degrees: int = 0) -> Path:
    """A square of 60 px, which is to be seen as a rectangle."""
    picture = np.full((120, 160, 3), 240, np.uint8)
    picture[30:90, 50:110] = (200, 30, 30)
    how = Encoding(options=X264, rotation_degrees=rotation_degrees)
    with av.open(str(path), "w") as container:
        stream = add_video(container, how, 160, 120)
        stream.codec_context.sample_aspect_ratio = ratio
        for i in range(NUM_FRAMES):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def transparent(path: Path) -> Path:
    """Left half solid red; right half green nobody is to see, fully transparent; a strip half and half."""
    picture = np.zeros((64, 96, 4), np.uint8)
    picture[:, :48] = (220, 30, 30, 255)
    picture[:, 48:] = (30, 200, 40, 0)
    picture[:, 40:48, 3] = 128
    frame = av.VideoFrame.from_ndarray(picture, format="rgba")
    frames = (frame.reformat(format="yuva420p") for _ in range(NUM_FRAMES))
    return write_frames(path, frames, Encoding("ffv1", "yuva420p"))


def cover_first(path: Path) -> Path:
    """A cover picture, larger than the video that comes after it."""
    with av.open(str(path), "w") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 640, 480, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        stream = container.add_stream("libx264", rate=25, options=X264)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.disposition = Disposition(0)
        picture = av.VideoFrame.from_ndarray(np.full((480, 640, 3), 200, np.uint8), format="rgb24")
        for packet in cover.encode(picture.reformat(format="yuvj420p")) + cover.encode(None):
            container.mux(packet)
        for i, (_, pixels) in enumerate(solid("blue", NUM_FRAMES)):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def edit_list(path: Path, num_hidden: int, num_frames: int = 40) -> Path:
    """An MP4 whose edit list hides the first frames, up to the middle of a GOP."""
    pictures = [(Fraction(i - num_hidden, 25), p) for i, (_, p) in enumerate(counted(num_frames))]
    how = Encoding(
        options={"preset": "veryfast", "crf": "10"},
        container_options={"avoid_negative_ts": "disabled", "use_editlist": "1"},
        max_b_frames=2,
    )
    return write_video(path, pictures, how)


def counted(num_frames: int) -> Iterable[tuple[Fraction, Pixels]]:
    """Pictures that tell their own number by their grey: 4 more each."""
    for i in range(num_frames):
        yield Fraction(i, 25), np.full((96, 128, 3), 40 + 4 * i, np.uint8)
