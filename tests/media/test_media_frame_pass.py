"""Several threads give what one gives: of sound files by themselves, of damaged ones by starting again."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from sample_clips import Encoding, write_video
from torture.mutate import mutant_of
from torture.originals import draw_originals

from corridor_cli.errors import LimitError, MediaError
from corridor_cli.media import frame_pass
from corridor_cli.media.container import OpenVideo, open_video
from corridor_cli.media.open_reader import open_reader
from corridor_cli.settings import DecodeSettings
from tests import clips, odd_clips

Clip = Callable[[str], Path]
SETTINGS = DecodeSettings(max_pixels=1_000_000)
NUM_MUTANTS = 90


def told(path: Path, num_threads: int, settings: DecodeSettings = SETTINGS) -> list[object]:
    """All that a scan tells: times, planes and sizes, then warnings, the end, or the error."""
    heard: list[object] = []
    try:
        reader = open_reader(path, settings, for_picks=False, num_threads=num_threads)
    except MediaError as error:
        return [type(error), error.message]
    try:
        for frame in reader.read_frames():
            heard.append(
                (frame.index, frame.time, frame.size_px, b"".join(plane.tobytes() for plane in frame.planes))
            )
    except MediaError as error:
        heard.append((type(error), error.message, error.hint))
    reader.close()
    return [*heard, reader.warnings, reader.end, reader.is_variable_frame_rate, reader.choice]


@pytest.fixture
def openings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """With how many threads files are opened to be scanned."""
    numbers: list[int] = []
    real = frame_pass.open_video

    def noted(path: Path, *, num_threads: int, max_pixels: int | None = None) -> OpenVideo:
        video = real(path, num_threads=num_threads, max_pixels=max_pixels)
        numbers.append(video.num_threads)
        return video

    monkeypatch.setattr(frame_pass, "open_video", noted)
    return numbers


@pytest.mark.parametrize("num_threads", [2, 8])
@pytest.mark.parametrize(
    "name",
    [
        "h264.mp4", "h264_bframes.mp4", "h264.ts", "h264.avi", "h264_10bit.mp4", "hevc.mp4", "vp9.webm",
        "av1.mkv", "vfr.mp4", "late_start.mp4", "single_frame.mp4", "rotated_90.mp4", "fragmented.mp4",
    ],
)  # fmt: skip
def test_sound_files_are_decoded_by_several_threads_to_the_end(
    clip: Clip, name: str, num_threads: int, openings: list[int]
) -> None:
    assert told(clip(name), num_threads) == told(clip(name), 1)
    assert openings == [num_threads, 1], "the second scan's is the only one by one thread"


def test_of_damaged_files_several_threads_tell_what_one_tells(tmp_path: Path, openings: list[int]) -> None:
    originals = draw_originals(tmp_path, ("h264", "hevc", "vp9", "av1"))
    num_started_again = 0
    for number in range(NUM_MUTANTS):
        mutant = mutant_of(number, 20, originals)
        path = tmp_path / mutant.name
        path.write_bytes(mutant.data)
        expected = told(path, 1)
        openings.clear()
        assert told(path, 3) == expected, mutant.name
        num_started_again += openings == [3, 1]
        path.unlink()
    assert num_started_again >= NUM_MUTANTS // 10, "damage was there to be noticed"


def test_damage_late_in_a_file_costs_no_frame_and_gives_none_twice(
    clip: Clip, tmp_path: Path, openings: list[int]
) -> None:
    path = clips.with_bad_packet(clip("h264.mp4"), tmp_path / "v.mp4", 60)
    num_beats = 0

    def beat() -> None:
        nonlocal num_beats
        num_beats += 1

    reader = open_reader(path, SETTINGS, for_picks=False, num_threads=4, on_beat=beat)
    indices = [frame.index for frame in reader.read_frames()]
    reader.close()
    assert openings == [4, 1]
    assert indices == list(range(69))
    assert num_beats > 60 + 70, "a beat for each packet, of both passes"
    assert any("1 packet could not be decoded" in warning for warning in reader.warnings)


def test_a_limit_of_time_that_is_met_while_frames_are_passed_over_keeps_those_that_came(
    clip: Clip, tmp_path: Path, openings: list[int]
) -> None:
    path = clips.with_bad_packet(clip("h264.mp4"), tmp_path / "v.mp4", 60)

    def beat() -> None:
        if openings == [4, 1]:
            raise LimitError("took too long")

    reader = open_reader(path, SETTINGS, for_picks=False, num_threads=4, on_beat=beat)
    indices: list[int] = []
    with pytest.raises(LimitError, match="too long"):
        indices.extend(frame.index for frame in reader.read_frames())
    reader.close()
    assert indices == list(range(len(indices)))
    assert 40 < len(indices) <= 60
    assert reader.end == Fraction(len(indices), 25)


def test_pictures_of_a_large_video_do_not_fill_the_memory_for_threads(tmp_path: Path) -> None:
    how = Encoding(options={"preset": "ultrafast"})
    path = write_video(tmp_path / "v.mp4", clips.solid("red", 1, (7680, 4320)), how)
    video = open_video(path, num_threads=8)
    assert video.num_threads == 3
    video.container.close()


def test_frames_that_an_edit_list_hides_are_no_damage(tmp_path: Path, openings: list[int]) -> None:
    path = odd_clips.edit_list(tmp_path / "v.mp4", 13)
    assert told(path, 3) == told(path, 1)
    assert openings == [3, 1]


def test_a_recording_that_begins_between_keyframes_is_no_slower_for_its_length(
    tmp_path: Path, openings: list[int]
) -> None:
    """What is missing is noticed at once, not at the end. So are the B-frames before the first keyframe of an
    open group, which such recordings and `ffmpeg -ss … -c copy` leave."""
    options = clips.X264 | {"x264-params": "open-gop=1:bframes=3:b-adapt=0", "preset": "veryfast"}
    how = Encoding(options=options, gop_frames=40, max_b_frames=3)
    rng = np.random.default_rng(1)
    pictures = ((Fraction(number, 25), rng.integers(0, 256, (64, 96, 3), np.uint8)) for number in range(200))
    whole = write_video(tmp_path / "whole.ts", pictures, how).read_bytes()
    path = tmp_path / "v.ts"
    path.write_bytes(whole[188 * (len(whole) // 188 // 10) :])
    expected = told(path, 1)
    openings.clear()
    reader = open_reader(path, SETTINGS, for_picks=False, num_threads=3)
    frames = reader.read_frames()
    first = [next(frames).index for _ in range(30)]
    assert first == list(range(30))
    assert openings == [3, 1]
    reader.close()
    assert told(path, 3) == expected


def test_codecs_in_which_damage_goes_unnoticed_are_left_to_one_thread(
    clip: Clip, openings: list[int]
) -> None:
    told(clip("vp8.webm"), 4)
    assert openings == [1]


def test_a_number_that_is_set_wins(clip: Clip, openings: list[int]) -> None:
    told(clip("h264.mp4"), 4, replace(SETTINGS, threads=2))
    told(clip("h264.mp4"), 4, replace(SETTINGS, threads=1))
    told(clip("h264.mp4"), 1, replace(SETTINGS, threads=99))
    assert openings == [2, 1, 8]


def test_scans_that_are_given_up_half_way_leave_nothing_behind(clip: Clip) -> None:
    """FFmpeg's threads end with the reader, wherever it stood: a deadlock would hang here."""
    rng = random.Random(3)
    for _ in range(60):
        reader = open_reader(clip("h264_bframes.mp4"), SETTINGS, for_picks=False, num_threads=8)
        frames = reader.read_frames()
        held = [next(frames) for _ in range(rng.randrange(12))]
        reader.close()
        assert all(frame.planes.y.size for frame in held), "pictures outlive their decoder"
