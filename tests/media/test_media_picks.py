"""Frames of an earlier scan are delivered with the very same pixels, or not at all."""

from __future__ import annotations

import dataclasses
import shutil
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from corridor_cli.errors import DecodeError, UnreadableError
from corridor_cli.media.open_reader import open_reader
from corridor_cli.media.picks import KnownPick, read_picks
from corridor_cli.settings import DecodeSettings
from tests import clips

Clip = Callable[[str], Path]
AUTO = DecodeSettings()


def picks_of(path: Path, every: int = 9) -> list[KnownPick]:
    reader = open_reader(path, AUTO, for_picks=False)
    known = [
        KnownPick(f.index, f.time, zlib.crc32(f.rgb().data))
        for f in reader.read_frames()
        if f.index % every == 0
    ]
    reader.close()
    return known


@pytest.mark.parametrize(
    ("name", "reader", "reason"),
    [
        ("h264_bframes.mp4", "decord", "random access"),
        ("vp9.webm", "decord", "random access"),
        ("vfr.mp4", "decord", "random access"),
        ("rotated_90.mp4", "decord", "random access"),
        ("h264.ts", "pyav", "sought"),
        ("av1.mkv", "pyav", "sought"),
        ("late_start.mkv", "decord", "random access"),
        ("raw.h264", "pyav", "from the start"),
        ("changing_size.h264", "pyav", "from the start"),
    ],
)
def test_each_pick_comes_once_ascending_with_its_pixels(
    clip: Clip, name: str, reader: str, reason: str
) -> None:
    known = picks_of(clip(name), every=5)
    asked = [*reversed(known), *known]
    got = list(read_picks(clip(name), asked, AUTO))
    assert [pick for pick, _, _ in got] == known
    assert [zlib.crc32(picture.rgb.data) for _, picture, _ in got] == [pick.rgb_crc32 for pick in known]
    assert {choice.name for _, _, choice in got} == {reader}
    assert all(reason in choice.reason for _, _, choice in got)


def test_decord_can_be_ruled_out(clip: Clip) -> None:
    got = list(
        read_picks(clip("h264.mp4"), picks_of(clip("h264.mp4")), dataclasses.replace(AUTO, reader="pyav"))
    )
    assert {choice.name for _, _, choice in got} == {"pyav"}
    assert got[0][2].fallbacks == ()


def test_what_decord_cannot_do_is_told(clip: Clip, tmp_path: Path) -> None:
    damaged = clips.with_bad_packet(clip("h264.mp4"), tmp_path / "bad.mp4", 40)
    known = picks_of(damaged)
    got = list(read_picks(damaged, known, AUTO))
    assert [pick for pick, _, _ in got] == known
    last = got[-1][2]
    assert last.name == "pyav"
    assert last.fallbacks
    assert last.fallbacks[0].startswith("decord: ")


def assert_no_reader_is_misled(path: Path, reader: str) -> None:
    known = picks_of(path, every=1)
    settings = DecodeSettings(reader=reader)  # type: ignore[arg-type]
    assert [pick for pick, _, _ in read_picks(path, known, settings)] == known
    scan = open_reader(path, settings, for_picks=False)
    assert [frame.time for frame in scan.read_frames()] == [pick.time for pick in known]
    told = [
        f"{reader}: its index cannot be relied on (some of its timestamps are far from those around them)"
    ]
    assert [*scan.choice.fallbacks] == (told if reader == "decord" else [])
    scan.close()


@pytest.mark.parametrize("reader", ["auto", "pyav", "decord"])
@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_a_stray_timestamp_misleads_no_reader(
    clip: Clip, tmp_path: Path, container: str, reader: str
) -> None:
    """Nor does the header, which a muxer writes by the same timestamps: it states 79 s of these 2.8."""
    path = tmp_path / f"stray.{container}"
    assert_no_reader_is_misled(clips.with_stray_timestamp(clip("h264_bframes.mp4"), path, 20, 78), reader)


@pytest.mark.parametrize("reader", ["auto", "pyav", "decord"])
@pytest.mark.parametrize(
    "shifts", [{40: -1.2}, {30: 25, 31: 24}, {30: -1.1, 31: 25, 32: 25}, {68: 25}], ids=str
)
def test_nor_do_several_or_one_that_goes_back_or_stands_near_the_end(
    clip: Clip, tmp_path: Path, shifts: dict[int, float], reader: str
) -> None:
    path = clips.with_stray_block_times(clip("h264.mkv"), tmp_path / "stray.mkv", shifts)
    assert [pick.time for pick in picks_of(path, every=1)] == [Fraction(at, 25) for at in range(70)]
    assert_no_reader_is_misled(path, reader)


@pytest.mark.parametrize(("name", "way"), [("h264.ts", "sought"), ("raw.h264", "from the start")])
def test_signs_of_life_come_while_no_pick_does(clip: Clip, name: str, way: str) -> None:
    """One pick at the end of a long file takes longer than a decoder may keep silent."""
    known = picks_of(clip(name))
    beats_until: list[int] = []
    beats: list[None] = []
    for _, _, choice in read_picks(
        clip(name), [known[0], known[-1]], AUTO, on_beat=lambda: beats.append(None)
    ):
        assert way in choice.reason
        beats_until.append(len(beats))
    assert beats_until[1] - beats_until[0] > len(known) // 4


def test_a_wrong_checksum_tries_every_way_and_then_says_so(clip: Clip) -> None:
    known = picks_of(clip("h264.mp4"))
    known[3] = known[3]._replace(rgb_crc32=known[3].rgb_crc32 ^ 1)
    delivered: list[int] = []
    words = r"5 of the frames known .* the first at 1\.08 s: the file changed"
    with pytest.raises(DecodeError, match=words) as caught:
        delivered.extend(pick.frame_index for pick, _, _ in read_picks(clip("h264.mp4"), known, AUTO))
    assert delivered == [0, 9, 18]
    assert "--force" in caught.value.hint


def test_a_changed_file_is_noticed(clip: Clip, tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    shutil.copy(clip("h264.mp4"), path)
    known = picks_of(path)
    shutil.copy(clip("solid_red.mp4"), path)
    with pytest.raises(DecodeError, match="the file changed"):
        list(read_picks(path, known, AUTO))
    path.unlink()
    with pytest.raises(UnreadableError):
        list(read_picks(path, known, AUTO))


def test_a_frame_that_never_was_is_not_invented(clip: Clip) -> None:
    with pytest.raises(DecodeError):
        list(read_picks(clip("h264.mp4"), [KnownPick(500, Fraction(20), 1)], AUTO))


def test_no_picks_no_work(clip: Clip) -> None:
    assert list(read_picks(clip("h264.mp4"), [], AUTO)) == []
