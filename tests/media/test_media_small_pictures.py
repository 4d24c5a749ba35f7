"""Small pictures from the decoded planes: what full ones would give, and none where only they are right."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from corridor_cli.media.geometry import fitted
from corridor_cli.media.open_reader import open_reader
from corridor_cli.media.shrink import PickPicture
from corridor_cli.records import ScanFrame
from corridor_cli.settings import DecodeSettings
from tests import odd_clips

Clip = Callable[[str], Path]
LONGEST_PX = 40


def first_frame(path: Path, reader: str = "pyav") -> ScanFrame:
    settings = DecodeSettings(reader=reader)  # type: ignore[arg-type]
    chosen = open_reader(path, settings, for_picks=False)
    frame = next(iter(chosen.read_frames()))
    chosen.close()
    return frame


def assert_same_as_from_rgb(frame: ScanFrame) -> None:
    rgb = frame.rgb()
    size = fitted(rgb.shape[1], rgb.shape[0], LONGEST_PX)
    expected = Image.fromarray(rgb).resize(size, Image.Resampling.BOX)
    small = frame.small_rgb(size)
    assert small is not None
    assert small.shape == (size[1], size[0], 3)
    # What a JPEG keeps: luma, and the means of colours over two by two pixels.
    shown, wanted = (picture.convert("YCbCr") for picture in (Image.fromarray(small), expected))
    for name, box, most in (("Y", 1, 2.0), ("Cb", 2, 2.5), ("Cr", 2, 2.5)):
        planes = [np.asarray(each.getchannel(name).reduce(box), np.int16) for each in (shown, wanted)]
        difference = np.abs(planes[0] - planes[1])
        assert difference.mean() < most, name
        assert np.median(difference) <= 2, name


@pytest.mark.parametrize(
    "name",
    [
        "h264.mp4", "h264_444.mp4", "h264_10bit.mp4", "h264_full_range.mp4", "gray.mkv", "rgb.avi",
        "vp9.webm", "odd_161x121.webm", "rotated_90.mp4", "rotated_180.mp4", "rotated_270.mov",
        "mirrored.mp4",
    ],
)  # fmt: skip
def test_a_small_picture_is_that_of_the_full_one(clip: Clip, name: str) -> None:
    assert_same_as_from_rgb(first_frame(clip(name)))


@pytest.mark.parametrize(
    ("ratio", "rotation_degrees"),
    [(Fraction(4, 3), 0), (Fraction(1, 2), 0), (Fraction(4, 3), 90), (Fraction(3, 4), 270)],
)
def test_long_pixels_are_made_square(tmp_path: Path, ratio: Fraction, rotation_degrees: int) -> None:
    path = odd_clips.long_pixels(tmp_path / "v.mp4", ratio, rotation_degrees=rotation_degrees)
    assert_same_as_from_rgb(first_frame(path))


@pytest.mark.parametrize(
    "draw",
    [
        lambda path: odd_clips.interlaced(path, "libx264", {"x264-params": "tff=1", "preset": "veryfast"}),
        odd_clips.transparent,
        lambda path: odd_clips.lossless(
            path, odd_clips.patches(96, 64, 10), "yuv444p10le", colorspace=9, color_trc=16, color_primaries=9
        ),
    ],
    ids=["interlaced", "transparent", "hdr"],
)
def test_what_is_mended_pixel_by_pixel_is_not_made_small_before(
    tmp_path: Path, draw: Callable[[Path], Path]
) -> None:
    assert first_frame(draw(tmp_path / "v.mkv")).small_rgb((8, 6)) is None


def test_a_picture_that_is_hardly_larger_is_resized_with_care(clip: Clip) -> None:
    frame = first_frame(clip("h264.mp4"))
    assert frame.size_px == (160, 120)
    assert frame.small_rgb((80, 60)) is not None
    assert frame.small_rgb((81, 60)) is None
    assert frame.small_rgb((80, 61)) is None


def test_readers_of_rgb_leave_it_to_the_full_picture(clip: Clip) -> None:
    frame = first_frame(clip("h264.mp4"), "decord")
    assert frame.small_rgb((40, 30)) is None
    assert PickPicture.of(frame).rgb.shape == (120, 160, 3)


def test_what_the_model_gets_does_not_hang_on_the_reader(clip: Clip) -> None:
    frames = [first_frame(clip("h264.mp4"), reader) for reader in ("pyav", "decord")]
    shown = [PickPicture.of(frame).shrunk(80 * 60, 80 * 60) for frame in frames]
    assert shown[0].shape == (60, 80, 3)
    assert np.array_equal(*shown)


def test_the_checksum_is_that_of_zlib(clip: Clip) -> None:
    picture = PickPicture.of(first_frame(clip("rotated_90.mp4")))
    assert picture.crc32 == zlib.crc32(picture.rgb.tobytes())


@pytest.mark.parametrize(
    ("name", "bytes_per_pixel"), [("h264.mp4", 1.5), ("h264_444.mp4", 3), ("h264_10bit.mp4", 3)]
)
def test_a_picture_takes_what_its_samples_take(clip: Clip, name: str, bytes_per_pixel: float) -> None:
    frame = first_frame(clip(name))
    width, height = frame.size_px
    assert frame.num_bytes == bytes_per_pixel * width * height


def test_as_many_bytes_are_told_by_a_reader_of_rgb(clip: Clip) -> None:
    path = clip("h264.mp4")
    assert first_frame(path, "decord").num_bytes == first_frame(path).num_bytes
