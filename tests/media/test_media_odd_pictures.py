"""Pictures come out as they are to be seen, held against formulas written down here from the standards."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from av.video.reformatter import ColorPrimaries, ColorRange, ColorTrc
from numpy.typing import NDArray
from sample_clips import COLOURS, Encoding, write_video

from corridor_cli.media.geometry import square
from corridor_cli.media.open_reader import open_reader
from corridor_cli.media.picks import KnownPick, read_picks
from corridor_cli.media.probe import probe
from corridor_cli.records import ScanFrame, VideoInfo
from corridor_cli.settings import DecodeSettings
from tests import clips, odd_clips

Floats = NDArray[np.float64]
NEEDS_TORCHCODEC = pytest.param("torchcodec", marks=pytest.mark.needs_torchcodec)
# ITU-R BT.601, BT.709, BT.2020: shares of red and blue in luma, under the numbers of ITU-T H.273.
LUMA = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}


def scanned(path: Path) -> tuple[list[ScanFrame], VideoInfo]:
    reader = open_reader(path, DecodeSettings(), for_picks=False)
    frames = list(reader.read_frames())
    reader.close()
    return frames, reader.info


def rgb_of(values: odd_clips.Values, bits: int, matrix: int, *, is_full: bool = False) -> Floats:
    """R'G'B' from 0 to 1, (H, W, 3): the equations of the standards, solved for red, green and blue."""
    red_share, blue_share = LUMA[matrix]
    scale = 1 << (bits - 8)
    y, cb, cr = values.astype(np.float64)
    if is_full:
        top = 2**bits - 1
        y, cb, cr = y / top, (cb - 128 * scale) / top, (cr - 128 * scale) / top
    else:
        y, cb, cr = (y / scale - 16) / 219, (cb / scale - 128) / 224, (cr / scale - 128) / 224
    red, blue = y + 2 * (1 - red_share) * cr, y + 2 * (1 - blue_share) * cb
    green = (y - red_share * red - blue_share * blue) / (1 - red_share - blue_share)
    return np.clip(np.stack([red, green, blue], axis=-1), 0, 1)


def pq_light(signal: Floats) -> Floats:
    """SMPTE ST 2084: cd/m²."""
    root = signal ** (1 / 78.84375)
    return 10_000 * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)


def pq_signal(light: Floats) -> Floats:
    power = (light / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg_light(signal: Floats) -> Floats:
    """ARIB STD-B67 on a screen of 1,000 cd/m²."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    luma = 0.2627 * scene[..., 0] + 0.6780 * scene[..., 1] + 0.0593 * scene[..., 2]
    return 1000 * scene * luma[..., None] ** 0.2


def sdr_of(light: Floats) -> Floats:
    """ITU-R BT.2390, 5.4.1, from 1,000 down to 203 cd/m² by the largest component; BT.2087; BT.1886."""
    largest = light.max(axis=-1, keepdims=True)
    e1 = pq_signal(np.minimum(largest, 1000)) / pq_signal(np.array(1000.0))
    max_lum = pq_signal(np.array(203.0)) / pq_signal(np.array(1000.0))
    ks = 1.5 * max_lum - 0.5
    t = (e1 - ks) / (1 - ks)
    p = (2 * t**3 - 3 * t**2 + 1) * ks + (t**3 - 2 * t**2 + t) * (1 - ks) + (-2 * t**3 + 3 * t**2) * max_lum
    mapped = pq_light(np.where(e1 < ks, e1, p) * pq_signal(np.array(1000.0)))
    return narrow(light * mapped / largest / 203)


def narrow(light: Floats) -> Floats:
    red, green, blue = np.moveaxis(light, -1, 0)
    rows = [
        1.6605 * red - 0.5876 * green - 0.0728 * blue,
        -0.1246 * red + 1.1329 * green - 0.0083 * blue,
        -0.0182 * red - 0.1006 * green + 1.1187 * blue,
    ]
    return np.clip(np.stack(rows, axis=-1), 0, 1) ** (1 / 2.4)


def assert_alike(picture: NDArray[np.uint8], expected: Floats, mean: float = 1.5, worst: float = 6) -> None:
    """swscale rounds down, so it lies half a level low on average."""
    distance = np.abs(picture.astype(np.float64) - 255 * expected)
    assert distance.mean() < mean, distance.mean()
    assert distance.max() < worst, distance.max()


# --- matrices and ranges -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("bits", "pixel_format"), [(8, "yuv444p"), (10, "yuv444p10le"), (12, "yuv444p12le")])
@pytest.mark.parametrize("matrix", [1, 6, 9])
def test_a_stated_matrix_is_followed(tmp_path: Path, matrix: int, bits: int, pixel_format: str) -> None:
    values = odd_clips.patches(96, 64, bits)
    clip = odd_clips.lossless(tmp_path / "v.mkv", values, pixel_format, colorspace=matrix)
    frames, info = scanned(clip)
    assert info.matrix == matrix
    assert_alike(frames[3].rgb(), rgb_of(values, bits, matrix))


@pytest.mark.parametrize(
    ("size", "matrix"),
    [((96, 64), 6), ((720, 576), 6), ((1024, 576), 6), ((1280, 720), 1), ((720, 1280), 1), ((960, 592), 1)],
)
def test_an_unmarked_matrix_goes_by_the_size(tmp_path: Path, size: tuple[int, int], matrix: int) -> None:
    values = odd_clips.patches(*size, 8)
    frames, info = scanned(odd_clips.lossless(tmp_path / "v.mkv", values, "yuv444p"))
    assert info.matrix == 2
    assert bool(info.picture_needs) is (matrix == 1)
    assert_alike(frames[0].rgb(), rgb_of(values, 8, matrix))
    assert np.abs(frames[0].rgb() / 255 - rgb_of(values, 8, 7 - matrix)).mean() > 0.01


@pytest.mark.parametrize("matrix", [1, 6])
def test_full_range_is_full_range(tmp_path: Path, matrix: int) -> None:
    values = odd_clips.patches(96, 64, 8)
    tags = {"colorspace": matrix, "color_range": int(ColorRange.JPEG)}
    frames, info = scanned(odd_clips.lossless(tmp_path / "v.mkv", values, "yuv444p", **tags))
    assert_alike(frames[3].rgb(), rgb_of(values, 8, matrix, is_full=True))
    assert info.picture_needs == ("full range",)


def test_a_matrix_nobody_knows_is_guessed_and_not_an_error(tmp_path: Path) -> None:
    values = odd_clips.patches(96, 64, 8)
    frames, _ = scanned(odd_clips.lossless(tmp_path / "v.mkv", values, "yuv444p", colorspace=8))
    assert_alike(frames[3].rgb(), rgb_of(values, 8, 6))


# --- HDR ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transfer", [ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67])
@pytest.mark.parametrize("primaries", [ColorPrimaries.BT2020, ColorPrimaries.UNSPECIFIED])
def test_hdr_is_tone_mapped(tmp_path: Path, transfer: ColorTrc, primaries: ColorPrimaries) -> None:
    values = odd_clips.patches(192, 128, 10)
    tags = {"colorspace": 9, "color_trc": int(transfer), "color_primaries": int(primaries)}
    clip = odd_clips.lossless(tmp_path / "v.mkv", values, "yuv444p10le", **tags)
    frames, info = scanned(clip)
    light_of = pq_light if transfer == ColorTrc.SMPTE2084 else hlg_light
    assert_alike(frames[3].rgb(), sdr_of(np.maximum(light_of(rgb_of(values, 10, 9)), 1e-6)), worst=20)
    name = "PQ" if transfer == ColorTrc.SMPTE2084 else "HLG"
    assert info.picture_needs == (f"tone mapping of HDR ({name})",)


def test_hdr_white_is_bright_and_grey_stays_grey(tmp_path: Path) -> None:
    """203 cd/m² is where SDR's white is meant (BT.2408), 1,000 is the most: PQ signals 0.58 and 0.75."""
    levels = np.round(64 + 876 * pq_signal(np.array([0.01, 26, 203, 1000, 4000])))
    values = np.stack([levels.repeat(32), np.full(160, 512), np.full(160, 512)])[:, None].repeat(32, axis=1)
    tags = {"colorspace": 9, "color_trc": int(ColorTrc.SMPTE2084), "color_primaries": 9}
    clip = odd_clips.lossless(tmp_path / "v.mkv", values.astype(np.uint16), "yuv444p10le", **tags)
    row = scanned(clip)[0][0].rgb()[16, 16::32].astype(int)
    assert np.ptp(row, axis=1).max() <= 1
    assert row[0, 0] < 6
    assert 104 < row[1, 0] < 112
    assert 226 < row[2, 0] < 235
    assert row[3, 0] > 252


def test_a_wide_gamut_in_sdr_is_narrowed(tmp_path: Path) -> None:
    values = odd_clips.patches(192, 128, 10)
    tags = {"colorspace": 9, "color_trc": int(ColorTrc.BT2020_10), "color_primaries": 9}
    frames, info = scanned(odd_clips.lossless(tmp_path / "v.mkv", values, "yuv444p10le", **tags))
    assert_alike(frames[3].rgb(), narrow(rgb_of(values, 10, 9) ** 2.4), worst=20)
    assert info.picture_needs == ("BT.2020 to BT.709",)


# --- shape, fields, transparency ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "rotation_degrees", "size", "square_px"),
    [
        (Fraction(4, 3), 0, (213, 120), (80, 60)),
        (Fraction(1, 2), 0, (160, 240), (60, 120)),
        (Fraction(4, 3), 90, (120, 213), (60, 80)),
        (Fraction(9, 1), 0, (160, 120), (60, 60)),
    ],
)
@pytest.mark.parametrize("reader", ["pyav", "decord", NEEDS_TORCHCODEC])
def test_pictures_have_the_aspect_they_are_seen_with(
    tmp_path: Path,
    reader: str,
    ratio: Fraction,
    rotation_degrees: int,
    size: tuple[int, int],
    square_px: tuple[int, int],
) -> None:
    clip = odd_clips.long_pixels(tmp_path / "v.mp4", ratio, rotation_degrees=rotation_degrees)
    chosen = open_reader(clip, DecodeSettings(reader=reader), for_picks=False)  # type: ignore[arg-type]
    assert chosen.name == reader
    frame = next(iter(chosen.read_frames()))
    rgb = frame.rgb()
    assert (rgb.shape[1], rgb.shape[0]) == size
    is_red = rgb[..., 1] < 130
    assert abs(int(is_red[rgb.shape[0] // 2].sum()) - square_px[0]) <= 2
    assert abs(int(is_red[:, rgb.shape[1] // 2].sum()) - square_px[1]) <= 2
    assert frame.planes.y.shape == (96, 128)
    assert bool(chosen.info.warnings) is (ratio == 9)
    chosen.close()


def test_square_pixels_are_left_alone() -> None:
    picture = np.zeros((4, 6, 3), np.uint8)
    for ratio in (None, Fraction(1), Fraction(1, 99)):
        assert square(picture, ratio) is picture


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("v.mpg", "mpeg2video", {"flags": "+ildct+ilme", "b": "6M"}),
        ("v.mp4", "libx264", {"x264-params": "tff=1", "preset": "veryfast", "crf": "10"}),
    ],
)
def test_combs_are_mended_and_fine_detail_is_kept(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    frames, info = scanned(odd_clips.interlaced(tmp_path / name, codec, options))
    assert info.picture_needs == ("deinterlacing",)
    for frame, (top, bottom) in list(zip(frames, odd_clips.moving_fields(), strict=True))[2:6]:
        rgb, moment = frame.rgb().astype(int), top.astype(int)
        woven = moment.copy()
        woven[1::2] = bottom[1::2]
        moving = np.abs(moment - woven).max(axis=-1) > 60
        assert moving.sum() > 100
        assert np.abs(rgb - moment)[moving].mean() < 0.35 * np.abs(woven - moment)[moving].mean()
        still = np.s_[36:204, 276:314]
        assert np.abs(rgb - moment)[still].mean() < 8


def test_what_is_transparent_is_black(tmp_path: Path) -> None:
    frames, info = scanned(odd_clips.transparent(tmp_path / "v.mkv"))
    rgb = frames[0].rgb().astype(int)
    assert info.picture_needs == ("a ground under what is transparent",)
    assert np.abs(rgb[10:50, 4:36] - (220, 30, 30)).max() < 8
    assert rgb[10:50, 52:].max() < 4
    assert np.abs(rgb[10:50, 41:46] - (110, 15, 15)).max() < 10


# --- streams and time --------------------------------------------------------------------------------------


def test_a_cover_picture_is_not_taken_for_the_video(tmp_path: Path) -> None:
    frames, info = scanned(odd_clips.cover_first(tmp_path / "v.mp4"))
    assert (info.width_px, info.video_codec) == (160, "h264")
    assert len(frames) == odd_clips.NUM_FRAMES
    assert np.abs(frames[0].rgb()[60, 80].astype(int) - COLOURS["blue"]).max() < 12


@pytest.mark.parametrize("num_hidden", [7, 13])
@pytest.mark.parametrize("reader", ["auto", NEEDS_TORCHCODEC, "decord"])
def test_an_edit_list_hides_what_it_says(tmp_path: Path, reader: str, num_hidden: int) -> None:
    """decord counts the hidden frames and must leave the file to PyAV."""
    clip = odd_clips.edit_list(tmp_path / "v.mp4", num_hidden)
    chosen = open_reader(clip, DecodeSettings(reader=reader), for_picks=False)  # type: ignore[arg-type]
    frames = list(chosen.read_frames())
    assert [f.time for f in frames] == [Fraction(i, 25) for i in range(40 - num_hidden)]
    greys = [int(f.rgb().mean()) for f in frames]
    assert np.abs(np.array(greys) - [40 + 4 * (num_hidden + i) for i in range(len(frames))]).max() <= 2
    assert chosen.name == "pyav" or reader == "torchcodec"
    chosen.close()


@pytest.mark.parametrize("name", ["v.mkv", "v.ts"])
@pytest.mark.parametrize("start", [Fraction(-2, 5), Fraction(7, 5)])
def test_wherever_a_file_begins_its_first_frame_is_at_0(tmp_path: Path, name: str, start: Fraction) -> None:
    pictures = clips.later(iter(odd_clips.counted(20)), start)
    how = Encoding(options=clips.X264, container_options={"avoid_negative_ts": "disabled"})
    frames, _ = scanned(write_video(tmp_path / name, pictures, how))
    assert [f.time for f in frames] == [Fraction(i, 25) for i in range(20)]
    known = [KnownPick(f.index, f.time, zlib.crc32(f.rgb().data)) for f in frames[3::6]]
    assert [pick for pick, _, _ in read_picks(tmp_path / name, known, DecodeSettings())] == known


@pytest.mark.parametrize(
    "draw",
    [
        lambda path: odd_clips.interlaced(path, "libx264", {"x264-params": "tff=1", "preset": "veryfast"}),
        lambda path: odd_clips.long_pixels(path, Fraction(64, 45)),
        odd_clips.transparent,
        lambda path: odd_clips.lossless(
            path, odd_clips.patches(96, 64, 10), "yuv444p10le", colorspace=9, color_trc=16, color_primaries=9
        ),
    ],
    ids=["interlaced", "long pixels", "transparent", "hdr"],
)
def test_a_picture_sought_is_the_picture_of_the_scan(tmp_path: Path, draw: Callable[[Path], Path]) -> None:
    frames, _ = scanned(draw(tmp_path / "v.mkv"))
    known = [KnownPick(f.index, f.time, zlib.crc32(f.rgb().data)) for f in frames[1::3]]
    got = list(read_picks(tmp_path / "v.mkv", known, DecodeSettings()))
    assert [pick for pick, _, _ in got] == known


def test_probe_tells_what_pictures_need(tmp_path: Path) -> None:
    plain = clips.draw("h264.mp4", tmp_path)
    assert probe(plain, max_pixels=10**9).picture_needs == ()
