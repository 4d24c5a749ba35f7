"""A recording that begins between two keyframes: what of it is lost is told."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.packet import Packet
from sample_clips import Encoding, write_video

from corridor_cli.media.damage import MAX_FIRST, Damage
from corridor_cli.media.open_reader import open_reader
from corridor_cli.settings import DecodeSettings
from tests.clips import story

TS_PACKET = 188
GOP = 20


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    how = Encoding(gop_frames=GOP, options={"preset": "veryfast", "x264-params": "scenecut=0"})
    return write_video(tmp_path / "whole.ts", story(), how)


def cut_off(source: Path, target: Path) -> int:
    """Without the first tenth of the bytes; how many whole pictures come before the first keyframe then."""
    data = source.read_bytes()
    target.write_bytes(data[len(data) // 10 // TS_PACKET * TS_PACKET :])
    count = 0
    with av.open(str(target)) as container:
        for packet in container.demux(video=0):
            if packet.is_keyframe:
                return count
            count += packet.size > 0
    raise AssertionError("there is no keyframe left")


def scan(path: Path, num_threads: int) -> tuple[int, list[str]]:
    reader = open_reader(path, DecodeSettings(), for_picks=False, num_threads=num_threads)
    num_frames = sum(1 for _ in reader.read_frames())
    reader.close()
    return num_frames, reader.warnings


@pytest.mark.parametrize("num_threads", [1, 3])
def test_pictures_without_their_keyframe_are_told_of(
    recording: Path, tmp_path: Path, num_threads: int
) -> None:
    num_lost = cut_off(recording, tmp_path / "cut.ts")
    assert 1 < num_lost < GOP
    num_whole, nothing = scan(recording, num_threads)
    assert nothing == []
    num_frames, warnings = scan(tmp_path / "cut.ts", num_threads)
    assert (num_whole - num_frames) % GOP == 0
    (warning,) = warnings
    assert warning.startswith(f"the first {num_lost} pictures ({num_lost / 25:.1f} s) cannot be decoded")


def test_frames_that_come_out_before_a_keyframe_are_not_lost(recording: Path, tmp_path: Path) -> None:
    """As of streams that are refreshed bit by bit, and have no keyframe for a long while or at all."""
    num_lost = cut_off(recording, tmp_path / "cut.ts")
    damage = Damage()
    with av.open(str(tmp_path / "cut.ts")) as container:
        stream = container.streams.video[0]
        for packet in container.demux(stream):
            if packet.is_keyframe:
                break
            damage.note_packet(packet)
        assert damage.num_before_key == num_lost
        assert damage.lost_beginning(packet.pts, stream.time_base) == ""  # no keyframe as yet
        damage.note_packet(packet)
        assert damage.lost_beginning(min(damage.first_pts), stream.time_base) == ""
        assert damage.lost_beginning(packet.pts - 1, stream.time_base)
        assert damage.lost_beginning(packet.pts, stream.time_base)
    for _ in range(num_lost):  # refused by the decoder, which is told for itself
        damage.note_bad_packet(Fraction(0), "refused")
    assert damage.lost_beginning(packet.pts, stream.time_base) == ""


def test_how_long_what_is_lost_lasted_is_not_told_where_another_recording_begins(
    recording: Path, tmp_path: Path
) -> None:
    cut_off(recording, tmp_path / "cut.ts")
    damage = Damage()
    with av.open(str(tmp_path / "cut.ts")) as container:
        for packet in container.demux(video=0):
            damage.note_packet(packet)
            if packet.is_keyframe:
                break
    shown = packet.pts + 10_000 * 90_000
    assert " s)" not in damage.lost_beginning(shown, packet.time_base)
    assert " s)" in damage.lost_beginning(packet.pts, packet.time_base)


@pytest.mark.parametrize(("num_before", "is_told"), [(3, False), (16, False), (17, True)])
def test_pictures_lost_behind_a_keyframe_that_opens_the_file(num_before: int, is_told: bool) -> None:
    """A few belong to what was cut off; a stream that is refreshed bit by bit shows none for a while."""
    damage = Damage()
    for number in range(num_before + 1):
        packet = Packet(1)
        packet.pts, packet.is_keyframe = 40 * number, number == 0
        damage.note_packet(packet)
    assert bool(damage.lost_beginning(40 * num_before, Fraction(1, 1000))) is is_told


def test_of_a_file_that_never_shows_a_frame_not_all_packets_are_noted() -> None:
    damage = Damage()
    for number in range(MAX_FIRST + 10):
        packet = Packet(1)
        packet.pts = number
        damage.note_packet(packet)
    assert len(damage.first_pts) == MAX_FIRST
