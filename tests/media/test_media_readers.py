"""One conformance suite over both readers, then what only one of them has to stand."""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import sample_clips

from corridor_cli import errors
from corridor_cli.media import decord_reader
from corridor_cli.media.base import Reader
from corridor_cli.media.clock import Clock
from corridor_cli.media.damage import Damage
from corridor_cli.media.open_reader import open_reader
from corridor_cli.media.picture import MAX_PLANE_WIDTH_PX
from corridor_cli.media.pyav_reader import _late_end
from corridor_cli.records import ScanFrame
from corridor_cli.settings import DecodeSettings
from tests import clips
from tests.clips import COLOURS, RECIPES

Clip = Callable[[str], Path]

SILENT = ("audio_only.mp4", "cover_art.mp4")
EVERY = tuple(name for name in RECIPES if name not in SILENT)
# Timestamps are missing in raw streams: what a seek is asked for cannot be found there.
SEEKABLE = tuple(name for name in EVERY if not name.endswith(".h264"))
NUM_FRAMES = {
    "rgb.avi": 6, "vfr.webm": 37, "vfr.mp4": 37, "1x1.mkv": 5, "tall_20x700.mkv": 3, "single_frame.mp4": 1,
    "single_frame.webm": 1, "rotated_90.mp4": 6, "rotated_180.mp4": 6, "rotated_270.mov": 6,
    "mirrored.mp4": 6, "two_videos.mp4": 10, "changing_size.h264": 20, "solid_red.mp4": 25,
}  # fmt: skip
READERS = ("pyav", "decord")
# What decord is asked to take over, and what it must leave to PyAV, with a word of the reason.
DECORD_SCANS = (
    "h264.mp4", "h264_bframes.mp4", "h264_audio.mp4", "h264.mkv", "h264.mov", "h264_444.mp4", "hevc.mp4",
    "h264_full_range.mp4", "vfr.mp4", "late_start.mp4", "late_start.mkv", "single_frame.mp4",
    "rotated_90.mp4", "rotated_180.mp4", "rotated_270.mov", "solid_red.mp4", "faststart.mp4",
    "fragmented.mp4",
)  # fmt: skip
DECORD_PICKS = (*DECORD_SCANS, "vp8.webm", "vp9.webm", "vp9_altref.webm", "vfr.webm", "single_frame.webm")
LEFT_TO_PYAV = {
    "h264.ts": "mpegts", "mpeg4.avi": "avi", "h264.flv": "flv", "mpeg2.mpg": "mpeg", "raw.h264": "h264",
    "av1.mkv": "av1", "h264_10bit.mp4": "yuv420p10le", "odd_161x121.webm": "161×121",
    "two_videos.mp4": "another", "mirrored.mp4": "mirror",
}  # fmt: skip


def opened(path: Path, name: str = "auto", *, for_picks: bool = False) -> Reader:
    assert name in ("auto", "pyav", "decord")
    reader = open_reader(path, DecodeSettings(reader=name), for_picks=for_picks)
    assert name in ("auto", reader.name), reader.choice
    return reader


def scanned(path: Path, name: str = "auto") -> list[ScanFrame]:
    reader = opened(path, name)
    frames = list(reader.read_frames())
    reader.close()
    return frames


def checksum(frame: ScanFrame) -> int:
    return zlib.crc32(frame.rgb().data)


def cases(names: tuple[str, ...], decord_names: tuple[str, ...]) -> list[tuple[str, str]]:
    return [("pyav", n) for n in names] + [("decord", n) for n in decord_names]


# --- conformance -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reader_name", "name"), cases(EVERY, DECORD_SCANS))
def test_a_scan_gives_every_frame_once_in_order(clip: Clip, reader_name: str, name: str) -> None:
    reader = opened(clip(name), reader_name)
    frames = list(reader.read_frames())
    assert [f.index for f in frames] == list(range(NUM_FRAMES.get(name, 70)))
    times = [f.time for f in frames]
    assert times[0] == 0
    assert all(a < b for a, b in itertools.pairwise(times))
    drawn = [i for i in range(70) if "vfr" not in name or i < 20 or i % 3 == 0][: len(frames)]
    assert all(abs(t - Fraction(i, 25)) < Fraction(1, 50) for i, t in zip(drawn, times, strict=True))
    assert reader.end is not None
    assert 0 < reader.end - times[-1] <= Fraction(3, 25)
    assert reader.is_variable_frame_rate in ((True,) if "vfr" in name else (False, None))
    reader.close()
    reader.close()


@pytest.mark.parametrize(("reader_name", "name"), cases(EVERY, DECORD_SCANS))
def test_pixels_have_the_promised_shapes_and_the_drawn_content(
    clip: Clip, reader_name: str, name: str
) -> None:
    reader = opened(clip(name), reader_name)
    frames = list(reader.read_frames())
    info = reader.info
    for frame in (frames[0], frames[len(frames) // 2], frames[-1]):
        rgb, planes = frame.rgb(), frame.planes
        assert {rgb.dtype, *(plane.dtype for plane in planes)} == {np.dtype(np.uint8)}
        assert rgb.flags.c_contiguous
        if name != "changing_size.h264":
            assert rgb.shape == (info.height_px, info.width_px, 3)
        assert [plane.shape for plane in planes] == [plane.shape for plane in frames[0].planes]
        height, width = planes.y.shape
        assert planes.u.shape == planes.v.shape == ((height + 1) // 2, (width + 1) // 2)
        assert width <= MAX_PLANE_WIDTH_PX
        assert frame.planes is planes
        # BT.601 luma of the upright picture and of the planes is the same, range aside.
        luma = float((rgb @ np.array([0.299, 0.587, 0.114])).mean())
        assert abs(16 + luma * 219 / 255 - float(planes.y.mean())) < 6
    reader.close()


@pytest.mark.parametrize(("reader_name", "name"), cases(SEEKABLE, DECORD_PICKS))
def test_known_frames_are_met_exactly(clip: Clip, reader_name: str, name: str) -> None:
    frames = scanned(clip(name), "pyav")
    wanted = sorted({0, 1, len(frames) // 3, len(frames) // 2, len(frames) - 1} & set(range(len(frames))))
    reader = opened(clip(name), reader_name, for_picks=True)
    got = list(reader.read_frames_at([(i, frames[i].time) for i in wanted]))
    assert [(f.index, f.time, checksum(f)) for f in got] == [
        (i, frames[i].time, checksum(frames[i])) for i in wanted
    ]
    again = list(reader.read_frames_at([(wanted[-1], frames[-1].time)]))
    assert checksum(again[0]) == checksum(frames[-1])
    reader.close()


@pytest.mark.parametrize(("reader_name", "name"), cases(("h264.mp4",), ("h264.mp4",)))
def test_a_frame_that_is_not_there_is_an_error(clip: Clip, reader_name: str, name: str) -> None:
    for index, time in ((5, Fraction(51, 250)), (70, Fraction(70, 25)), (5, Fraction(1, 7))):
        reader = opened(clip(name), reader_name, for_picks=True)
        with pytest.raises(errors.DecodeError):
            list(reader.read_frames_at([(index, time)]))
        reader.close()


@pytest.mark.parametrize("name", DECORD_SCANS)
def test_both_readers_see_the_same_video(clip: Clip, name: str) -> None:
    ours, theirs = scanned(clip(name), "pyav"), scanned(clip(name), "decord")
    assert [(f.index, f.time) for f in ours] == [(f.index, f.time) for f in theirs]
    for a, b in zip(ours, theirs, strict=True):
        assert checksum(a) == checksum(b)
        assert all(np.abs(p.astype(int) - q).mean() < 2 for p, q in zip(a.planes, b.planes, strict=True))


@pytest.mark.parametrize(("reader_name", "name"), cases(("h264_bframes.mp4",), ("h264_bframes.mp4",)))
def test_a_scan_may_be_dropped_half_way_and_begun_again(clip: Clip, reader_name: str, name: str) -> None:
    reader = opened(clip(name), reader_name)
    half = list(itertools.islice(reader.read_frames(), 30))
    pixels = half[3].rgb().copy()
    reader.close()
    assert np.array_equal(half[3].rgb(), pixels)
    reader = opened(clip(name), reader_name)
    frames = reader.read_frames()
    assert next(frames).index == 0
    reader.close()
    assert list(frames) == []


@pytest.mark.parametrize("reader_name", READERS)
def test_one_reader_can_do_one_thing_after_the_other(clip: Clip, reader_name: str) -> None:
    reader = opened(clip("h264_bframes.mp4"), reader_name, for_picks=True)
    first = [(f.time, checksum(f)) for f in reader.read_frames()]
    known = next(iter(reader.read_frames_at([(33, first[33][0])])))
    assert (known.time, checksum(known)) == first[33]
    assert [(f.time, checksum(f)) for f in reader.read_frames()] == first
    reader.close()


# --- pictures ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "corners"),
    [
        ("rotated_90.mp4", ("blue", "red", "white", "green")),
        ("rotated_180.mp4", ("white", "blue", "green", "red")),
        ("rotated_270.mov", ("green", "white", "red", "blue")),
        ("mirrored.mp4", ("green", "red", "white", "blue")),
    ],
)
def test_pictures_are_turned_upright_and_planes_are_not(
    clip: Clip, name: str, corners: tuple[str, ...]
) -> None:
    frame = scanned(clip(name), "pyav")[2]
    rgb = frame.rgb()
    height, width, _ = rgb.shape
    places = [
        (height // 4, width // 4),
        (height // 4, -width // 4),
        (-height // 4, width // 4),
        (-height // 4, -width // 4),
    ]
    for place, colour in zip(places, corners, strict=True):
        assert np.abs(rgb[place].astype(int) - COLOURS[colour]).max() < 30, (name, place, rgb[place])
    assert frame.planes.y.shape == (96, 128)


def test_a_solid_red_video_is_red(clip: Clip) -> None:
    rgb = scanned(clip("solid_red.mp4"))[12].rgb()
    assert np.abs(rgb.astype(int) - COLOURS["red"]).max() < 12


def test_wide_and_tall_pictures_are_shrunk_in_proportion(clip: Clip, tmp_path: Path) -> None:
    wide = sample_clips.write_video(
        tmp_path / "w.mp4", clips.solid("blue", 2, (1280, 720)), sample_clips.Encoding(options=clips.X264)
    )
    assert scanned(wide)[0].planes.y.shape == (72, 128)
    assert scanned(clip("tall_20x700.mkv"))[0].planes.y.shape == (256, 7)
    assert scanned(clip("1x1.mkv"))[0].planes.u.shape == (1, 1)


def test_full_range_planes_are_brought_to_limited_range(clip: Clip) -> None:
    limited, full = scanned(clip("h264.mp4"))[10].planes, scanned(clip("h264_full_range.mp4"))[10].planes
    assert all(np.abs(p.astype(int) - q).mean() < 2 for p, q in zip(limited, full, strict=True))
    assert scanned(clip("rgb.avi"))[0].planes.y.max() <= 235


def test_a_change_of_size_keeps_the_planes_size(clip: Clip) -> None:
    frames = scanned(clip("changing_size.h264"))
    assert frames[0].rgb().shape == (64, 96, 3)
    assert frames[-1].rgb().shape == (120, 160, 3)
    assert {f.planes.y.shape for f in frames} == {(64, 96)}


# --- the choice --------------------------------------------------------------------------------------------


def test_scans_go_to_pyav_and_known_frames_to_decord_with_a_reason(clip: Clip) -> None:
    scan = opened(clip("h264.mp4"))
    picks = opened(clip("h264.mp4"), for_picks=True)
    assert (scan.name, picks.name) == ("pyav", "decord")
    assert "scans every format" in scan.choice.reason
    assert "random access" in picks.choice.reason
    assert scan.choice.fallbacks == picks.choice.fallbacks == ()


@pytest.mark.parametrize("name", LEFT_TO_PYAV)
@pytest.mark.parametrize("setting", ["auto", "decord"])
def test_what_decord_gets_wrong_goes_to_pyav_and_says_so(clip: Clip, name: str, setting: str) -> None:
    settings = DecodeSettings(reader=setting)  # type: ignore[arg-type]
    reader = open_reader(clip(name), settings, for_picks=True)
    assert reader.name == "pyav"
    assert LEFT_TO_PYAV[name] in reader.choice.fallbacks[0]
    assert reader.choice.fallbacks[0].startswith("decord: ")


def test_decord_still_seeks_to_wrong_frames_in_mpeg_ts(clip: Clip) -> None:
    """Why MPEG-TS is routed to PyAV; when this fails, a newer decord may be trusted with it."""
    video = decord_reader.decord.VideoReader(str(clip("h264.ts")), num_threads=1)
    truth = [f.rgb().astype(int) for f in scanned(clip("h264.ts"), "pyav")]
    wrong = [i for i in range(len(truth)) if np.abs(video[i].asnumpy() - truth[i]).mean() > 2]
    assert wrong


def test_a_damaged_file_that_decord_refuses_goes_to_pyav(clip: Clip, tmp_path: Path) -> None:
    cut = clips.truncated(clip("faststart.mp4"), tmp_path / "cut.mp4", 0.6)
    reader = open_reader(cut, DecodeSettings(reader="decord"), for_picks=False)
    assert reader.name == "pyav"
    assert re.match(r"decord: decord cannot decode it \([^/]*\)$", reader.choice.fallbacks[0])


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:7"])
def test_a_device_decord_lacks_falls_back_to_the_cpu_with_the_reason(clip: Clip, device: str) -> None:
    settings = DecodeSettings(reader="decord", device=device)
    reader = open_reader(clip("h264.mp4"), settings, for_picks=True)
    assert reader.name == "decord"
    assert re.search(r"on the CPU \(.*CUDA.*\)|on cuda:\d", reader.choice.reason)
    assert len(list(reader.read_frames_at([(0, Fraction(0))]))) == 1
    reader.close()


def test_without_decord_everything_still_works(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decord_reader, "decord", None)
    reader = open_reader(clip("h264.mp4"), DecodeSettings(reader="decord"), for_picks=True)
    assert reader.choice.fallbacks == ("decord: decord is not installed",)
    assert len(list(reader.read_frames())) == 70
    reader.close()


# --- damage ------------------------------------------------------------------------------------------------


def scan_damaged(path: Path) -> tuple[list[ScanFrame], Reader, errors.MediaError | None]:
    reader = opened(path)
    frames: list[ScanFrame] = []
    try:
        frames.extend(reader.read_frames())
    except errors.MediaError as error:
        return frames, reader, error
    return frames, reader, None


def scan_one_by_one(path: Path) -> tuple[int, Reader, errors.MediaError | None]:
    reader, num_frames = opened(path), 0
    try:
        for frame in reader.read_frames():
            assert frame.rgb().size
            num_frames += 1
    except errors.MediaError as error:
        return num_frames, reader, error
    return num_frames, reader, None


@pytest.mark.parametrize(
    "name", ["faststart.mp4", "h264.mkv", "vp8.webm", "h264.flv", "h264.avi", "fragmented.mp4"]
)
@pytest.mark.parametrize("share", [0.4, 0.7])
def test_a_file_cut_short_gives_its_frames_and_then_an_error(
    clip: Clip, tmp_path: Path, name: str, share: float
) -> None:
    cut = clips.truncated(clip(name), tmp_path / name, share)
    num_frames, reader, error = scan_one_by_one(cut)
    if name == "fragmented.mp4":  # each fragment is whole in itself and no header states the length
        assert 0 < num_frames < 70
        return
    assert isinstance(error, errors.DecodeError)
    assert 5 < num_frames < 70
    assert f"after {num_frames} frames" in error.message
    assert reader.end is not None
    assert abs(reader.end - Fraction(num_frames, 25)) < Fraction(1, 10)
    assert error.hint
    assert "\n" not in str(error)


@pytest.mark.parametrize("name", EVERY)
def test_whole_files_raise_no_false_alarm(clip: Clip, name: str) -> None:
    _, reader, error = scan_damaged(clip(name))
    assert error is None
    expected = {
        "raw.h264": ["timestamp"],
        "changing_size.h264": ["timestamp", "change size: 96×64, 160×120 from 0.40 s on"],
        "two_videos.mp4": ["2 video streams"],
    }.get(name, [])
    assert all(part in said for part, said in zip(expected, reader.warnings, strict=True))


def test_a_lost_tail_behind_a_pause_is_told(clip: Clip, tmp_path: Path) -> None:
    """The frames behind the pause are held while the decoder goes on, and refuses what follows."""
    later = dict.fromkeys(range(61, 70), 5.0)
    path = clips.with_stray_block_times(clip("h264.mkv"), tmp_path / "0.mkv", later)
    for number in reversed(range(64, 70)):
        path = clips.with_bad_packet(path, tmp_path / f"{number}.mkv", number)
    frames, _, error = scan_damaged(path)
    assert frames[-1].time == Fraction(63, 25) + 5
    assert "the last 6 packets could not be decoded" in str(error)


def test_a_stray_timestamp_hides_no_lost_tail(clip: Clip, tmp_path: Path) -> None:
    path = clips.with_stray_block_times(clip("h264.mkv"), tmp_path / "stray.mkv", {20: 26})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    _, reader, error = scan_damaged(path)
    assert any("far from those around" in said for said in reader.warnings)
    assert "the header states 2.80 s" in str(error)


def test_pictures_that_change_size_and_back_are_told(tmp_path: Path) -> None:
    how = sample_clips.Encoding(options=clips.X264)
    parts = [
        clips.write_video(tmp_path / f"{number}.h264", clips.solid("green", 5, (side, 64)), how).read_bytes()
        for number, side in enumerate((64, 80, 64))
    ]
    path = tmp_path / "back.h264"
    path.write_bytes(b"".join(parts))
    assert scan_damaged(path)[1].warnings[-1] == (
        "its pictures change size: 64×64, 80×64 from 0.20 s on, 64×64 from 0.40 s on"
    )


@pytest.mark.parametrize(("seconds", "is_told"), [(30, False), (78, True)])
def test_a_last_picture_long_after_the_others_is_told_of(
    clip: Clip, tmp_path: Path, seconds: int, is_told: bool
) -> None:
    path = clips.with_stray_timestamp(clip("h264.mp4"), tmp_path / "late.mp4", 69, seconds)
    frames, reader, error = scan_damaged(path)
    assert (frames[-1].time, error) == (Fraction(69, 25) + seconds, None)
    assert ["the last frame comes 78.04 s after" in said for said in reader.warnings] == [True] * is_told


@pytest.mark.parametrize(("sound_until", "is_told"), [(3, True), (80, False)])
def test_not_where_there_is_sound_to_it(sound_until: int, is_told: bool) -> None:
    clock, damage = Clock(Fraction(1, 25), Fraction(25)), Damage()
    for pts in [*range(50), 2_000]:
        clock.place(pts, 1)
    damage.last_other_end = Fraction(sound_until)
    assert bool(_late_end(clock, damage, clock.end(None))) is is_told


def test_of_many_sizes_the_first_are_told(tmp_path: Path) -> None:
    parts = []
    for side in (64, 80, 96, 112, 128):
        part = tmp_path / f"{side}.h264"
        clips.write_video(
            part, clips.solid("green", 5, (side, 64)), sample_clips.Encoding(options=clips.X264)
        )
        parts.append(part.read_bytes())
    path = tmp_path / "many.h264"
    path.write_bytes(b"".join(parts))
    frames, reader, error = scan_damaged(path)
    assert (len(frames), error) == (25, None)
    assert reader.warnings[-1] == (
        "its pictures change size: 64×64, 80×64 from 0.20 s on, 96×64 from 0.40 s on, …"
    )


def test_pictures_shorter_than_the_sound_are_whole(tmp_path: Path) -> None:
    """Matroska states the length of the whole file, which is the sound's here."""
    path = tmp_path / "long_sound.mkv"
    with av.open(str(path), "w") as container:
        video = sample_clips.add_video(container, sample_clips.Encoding(options=clips.X264), *clips.SIZE)
        sound = container.add_stream("aac", rate=48000, layout="mono")
        for time, picture in clips.solid("red", 25):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(time * 25), Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        sample_clips.write_tone(container, sound, 4.0)
    frames, reader, error = scan_damaged(path)
    assert error is None
    assert len(frames) == 25
    assert reader.end == 1
    assert reader.warnings == []


def test_joined_recordings_follow_each_other(clip: Clip, tmp_path: Path) -> None:
    joined = tmp_path / "joined.ts"
    joined.write_bytes(clip("h264.ts").read_bytes() * 2)
    frames, reader, error = scan_damaged(joined)
    assert error is None
    assert len(frames) == 140
    assert reader.end == Fraction(140, 25)
    assert ["start again" in w for w in reader.warnings] == [True]


def test_a_bad_packet_in_the_middle_is_skipped_counted_and_told(clip: Clip, tmp_path: Path) -> None:
    damaged = clips.with_bad_packet(clip("h264.mp4"), tmp_path / "bad.mp4", 40)
    frames, reader, error = scan_damaged(damaged)
    assert error is None
    assert 60 < len(frames) < 70
    assert frames[-1].time == Fraction(69, 25)
    assert reader.is_variable_frame_rate is False
    assert any(
        re.match(r"1 packet could not be decoded, the first near 1\.[56] s", w) for w in reader.warnings
    )


def test_a_stream_without_a_single_good_packet_has_no_frames(clip: Clip, tmp_path: Path) -> None:
    dead = clips.with_all_packets_bad(clip("h264.mp4"), tmp_path / "dead.mp4")
    frames, _, error = scan_damaged(dead)
    assert frames == []
    assert isinstance(error, errors.NoFramesError)
    assert "none of 70 packets could be decoded" in error.message


def test_a_video_stream_without_packets_has_no_frames(clip: Clip, tmp_path: Path) -> None:
    hollow = clips.without_samples(clip("h264.mp4"), tmp_path / "hollow.mp4")
    frames, _, error = scan_damaged(hollow)
    assert frames == []
    assert isinstance(error, errors.NoFramesError)
    assert "the video stream is empty" in error.message


def test_random_damage_ends_in_frames_or_a_media_error(clip: Clip, tmp_path: Path) -> None:
    """A small seeded sample of what the long torture run does."""
    random = np.random.default_rng(7)
    names = ("h264.mp4", "vp9.webm", "h264.ts", "mpeg4.avi", "h264.flv", "hevc.mp4", "av1.mkv")
    for number in range(42):
        name = names[number % len(names)]
        data = bytearray(clip(name).read_bytes())
        for _ in range(random.integers(1, 30)):
            data[random.integers(0, len(data))] = random.integers(0, 256)
        path = tmp_path / f"{number}.{name}"
        path.write_bytes(data[: random.integers(len(data) // 2, len(data) + 1)])
        error = endured(path)
        assert error is None or (error.message and "\n" not in str(error))


def endured(path: Path) -> errors.MediaError | None:
    """Scan whatever it is; frames must keep their promises up to the error."""
    settings = DecodeSettings(max_pixels=10**7)
    try:
        reader = open_reader(path, settings, for_picks=False)
        last = Fraction(-1)
        for frame in reader.read_frames():
            assert frame.time > last
            assert frame.planes.y.ndim == 2
            assert frame.rgb().shape[2] == 3
            last = frame.time
        reader.close()
    except errors.MediaError as error:
        return error
    return None
