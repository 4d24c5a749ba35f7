"""The keyframe scan: true frames, fewer of them, and the boundaries of the full scan."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from sample_clips import Encoding, Pixels, SceneRecipe, draw_story, write_video

from corridor_cli import errors
from corridor_cli.media.base import Reader
from corridor_cli.media.keyframe_reader import KeyframeReader, by_keyframes
from corridor_cli.media.limits import BusyClock, within_limits
from corridor_cli.media.open_reader import open_reader
from corridor_cli.media.packet_index import PacketIndex, index_packets
from corridor_cli.media.picks import KnownPick, read_picks
from corridor_cli.records import ScanFrame
from corridor_cli.scenes.find import FoundScene, SceneFinder
from corridor_cli.scenes.sparse import judge_step
from corridor_cli.settings import DecodeSettings, FrameSettings, SceneSettings
from tests import clips

Clip = Callable[[str], Path]
X264 = {"preset": "veryfast", "crf": "26"}
SIZE = (192, 108)


def drawn(path: Path, lengths: list[float], dissolves: tuple[int, ...] = (), **how: object) -> Path:
    """Scenes of these seconds, no two neighbours alike; encoded as x264 does by itself."""
    colours = ("red", "blue", "yellow", "green", "purple", "cyan")
    recipes = [
        SceneRecipe(
            ("circle", "square", "triangle")[i % 3],
            colours[i % 6],
            ("white", "black", "gray", "brown")[i % 4],
            size=0.35,
            start_place=(0.46, 0.5),
            end_place=(0.54, 0.5),
            seconds=seconds,
            dissolve_seconds=1.0 if i in dissolves else 0.0,
        )
        for i, seconds in enumerate(lengths)
    ]
    encoding = Encoding(**{"options": X264, "gop_frames": 250, **how})  # type: ignore[arg-type]
    return write_video(path, draw_story(recipes, Fraction(25), *SIZE), encoding)


def opened(path: Path, settings: DecodeSettings | None = None) -> Reader:
    settings = settings or DecodeSettings()
    return by_keyframes(
        path, settings, open_reader(path, settings, for_picks=False), judge_step, lambda: None
    )


def found(path: Path, scan: str) -> tuple[list[FoundScene], SceneFinder, Reader, list[ScanFrame]]:
    reader = opened(path) if scan == "keyframes" else open_reader(path, DecodeSettings(), for_picks=False)
    finder = SceneFinder(SceneSettings(scan=scan), FrameSettings())  # type: ignore[arg-type]
    frames, scenes = [], []
    for frame in reader.read_frames():
        frames.append(frame)
        scenes += finder.push([frame])
    assert reader.end is not None
    scenes += finder.finish(reader.end)
    return scenes, finder, reader, frames


def spans(scenes: list[FoundScene]) -> list[tuple[Fraction, Fraction, int, int, str]]:
    return [
        (s.scene.start, s.scene.end, s.scene.start_frame, s.scene.end_frame, s.scene.boundary) for s in scenes
    ]


def checksum(frame: ScanFrame) -> int:
    return zlib.crc32(frame.rgb().data)


@pytest.mark.parametrize("name", ["cuts.mp4", "cuts.mkv"])
def test_cuts_are_those_of_the_full_scan_at_a_fraction_of_the_frames(name: str, tmp_path: Path) -> None:
    path = drawn(tmp_path / name, [3, 2, 12, 1.2, 4, 2.5, 2], max_b_frames=3)
    full, _, full_reader, all_frames = found(path, "full")
    scenes, _, reader, frames = found(path, "keyframes")
    assert len(full) == 7
    assert spans(scenes) == spans(full)
    assert (reader.end, reader.is_variable_frame_rate) == (
        full_reader.end,
        full_reader.is_variable_frame_rate,
    )
    assert len(frames) < len(all_frames) / 4
    assert frames[-1].index == len(all_frames) - 1
    for frame in frames:
        whole = all_frames[frame.index]
        assert (frame.time, checksum(frame)) == (whole.time, checksum(whole))


def test_picks_of_a_keyframe_scan_are_found_again(tmp_path: Path) -> None:
    path = drawn(tmp_path / "cuts.mp4", [3, 2, 11, 1.5], max_b_frames=3)
    scenes, _, _, _ = found(path, "keyframes")
    picks = {p.frame.index: p.frame for scene in scenes for p in scene.picks}
    known = [KnownPick(f.index, f.time, checksum(f)) for f in picks.values()]
    for reader in ("pyav", "decord"):
        got = list(read_picks(path, known, DecodeSettings(reader=reader)))  # type: ignore[arg-type]
        assert {pick for pick, _, _ in got} == set(known)


def test_a_scene_too_short_for_a_keyframe_is_found_by_the_size_of_its_packet(tmp_path: Path) -> None:
    noise = np.random.default_rng(3)
    looks = [noise.integers(0, 250, (27, 48, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1) for _ in range(3)]

    def pictures() -> Iterator[tuple[Fraction, Pixels]]:
        # The second scene lasts 12 frames: x264 sets keyframes 25 apart at least.
        for i in range(150):
            look = looks[0 if i < 60 else 1 if i < 72 else 2]
            yield Fraction(i, 25), look + noise.integers(0, 4, look.shape, dtype=np.uint8)

    path = write_video(tmp_path / "short.mp4", pictures(), Encoding(options=X264, gop_frames=250))
    starts = [scene.scene.start_frame for scene in found(path, "full")[0]]
    assert starts == [0, 60, 72]
    assert [scene.scene.start_frame for scene in found(path, "keyframes")[0]] == starts


def textures(path: Path, lengths: list[int], flat: int | None = None, grain_levels: int = 4) -> Path:
    """Scenes of so many frames, each another texture under grain that moves; `flat` is of one colour."""
    noise = np.random.default_rng(3)
    looks = [noise.integers(0, 250, (27, 48, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1) for _ in lengths]

    def pictures() -> Iterator[tuple[Fraction, Pixels]]:
        index = 0
        for scene, length in enumerate(lengths):
            for _ in range(length):
                grain = noise.integers(0, grain_levels, looks[scene].shape, dtype=np.uint8)
                yield Fraction(index, 25), np.full_like(grain, 16) if scene == flat else looks[scene] + grain
                index += 1

    return write_video(path, pictures(), Encoding(options=X264, gop_frames=250, max_b_frames=3))


def test_an_intra_picture_opens_its_scene_without_what_lies_before_it(tmp_path: Path) -> None:
    path = textures(tmp_path / "intra.mp4", [60, 14, 80])
    full, _, _, all_frames = found(path, "full")
    scenes, _, _, frames = found(path, "keyframes")
    starts = [scene.scene.start_frame for scene in full]
    assert starts == [0, 60, 74]
    assert [scene.scene.start_frame for scene in scenes] == starts
    assert {0, 60, 74} <= {frame.index for frame in frames}
    assert not {*range(1, 60), *range(61, 74)} & {frame.index for frame in frames}
    for frame in frames:
        assert checksum(frame) == checksum(all_frames[frame.index])


def test_a_cut_to_one_colour_without_a_keyframe_is_placed_by_glances(tmp_path: Path) -> None:
    path = textures(tmp_path / "black.mkv", [100, 200, 60], flat=1, grain_levels=16)
    keys = [key.index for key in opened_index(path).keyframes]
    assert 100 not in keys
    full, *_ = found(path, "full")
    scenes, _, _, frames = found(path, "keyframes")
    assert spans(scenes) == spans(full)
    assert not {*range(1, 250)} & {frame.index for frame in frames}
    assert [pick.frame.index for pick in scenes[1].picks] == [250] * 3


def opened_index(path: Path) -> PacketIndex:
    index = index_packets(path, open_reader(path, DecodeSettings(), for_picks=False).info, lambda: None)
    assert isinstance(index, PacketIndex)
    return index


def test_a_dissolve_between_regular_keyframes_is_seen_whole(tmp_path: Path) -> None:
    path = drawn(
        tmp_path / "dissolve.mp4", [4.4, 6, 2], (1,), options={**X264, "sc_threshold": "0"}, gop_frames=50
    )
    full, by_full, _, _ = found(path, "full")
    scenes, finder, _, frames = found(path, "keyframes")
    assert [change.kind for change in by_full.transitions] == ["dissolve"]
    assert finder.transitions == by_full.transitions
    assert spans(scenes) == spans(full)
    assert len(frames) < 0.75 * full[-1].scene.end_frame


def test_what_follows_a_dissolve_up_to_the_next_keyframe_is_not_decoded(tmp_path: Path) -> None:
    blind = {**X264, "x264-params": "scenecut=0"}
    path = drawn(tmp_path / "blind.mp4", [5.6, 10.4], (1,), options=blind, gop_frames=100)
    full, *_ = found(path, "full")
    scenes, _, _, frames = found(path, "keyframes")
    assert spans(scenes) == spans(full)
    assert scenes[1].scene.boundary == "transition"
    seen = {frame.index for frame in frames}
    assert {*range(101, scenes[1].scene.start_frame + 20), 200, 300} <= seen
    assert not {*range(1, 100), *range(180, 200), *range(201, 300)} & seen


def test_a_stray_timestamp_costs_the_shortcut_and_no_frame(tmp_path: Path) -> None:
    sound = drawn(tmp_path / "sound.mp4", [3, 3, 2])
    path = clips.with_stray_timestamp(sound, tmp_path / "stray.mp4", 60, 78)
    _, _, reader, frames = found(path, "keyframes")
    assert "keyframes: some of its timestamps are far" in reader.choice.fallbacks[0]
    assert [frame.time for frame in frames] == [Fraction(at, 25) for at in range(200)]
    assert reader.end == 8
    assert any("far from those around" in warning for warning in reader.warnings)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("h264.ts", "mpegts files"),
        ("h264.flv", "flv files"),
        ("raw.h264", "h264 files"),
        ("vp9.webm", "a packet of vp9"),
        ("odd_121x81.mkv", "a packet of ffv1"),
        ("single_frame.mp4", "1 of its 1 frames"),
    ],
)
def test_files_it_does_not_suit_are_scanned_in_full_and_say_why(clip: Clip, name: str, reason: str) -> None:
    reader = opened(clip(name))
    assert not isinstance(reader, KeyframeReader)
    assert [fallback for fallback in reader.choice.fallbacks if fallback.startswith(f"keyframes: {reason}")]
    num_full = len(list(open_reader(clip(name), DecodeSettings(), for_picks=False).read_frames()))
    assert len(list(reader.read_frames())) == num_full
    reader.close()


def test_keyframes_everywhere_save_nothing(tmp_path: Path) -> None:
    reader = opened(drawn(tmp_path / "intra.mp4", [1, 1], gop_frames=4))
    assert "so little would be saved" in reader.choice.fallbacks[0]
    reader.close()


def test_a_cut_file_is_scanned_in_full(tmp_path: Path) -> None:
    path = drawn(tmp_path / "whole.mp4", [3, 3, 3], container_options={"movflags": "faststart"})
    reader = opened(clips.truncated(path, tmp_path / "cut.mp4", 0.6))
    assert not isinstance(reader, KeyframeReader)
    with pytest.raises(errors.DecodeError):
        list(reader.read_frames())
    reader.close()


def test_limits_hold_for_what_is_left_out_too(tmp_path: Path) -> None:
    path = drawn(tmp_path / "cuts.mp4", [3, 2, 11])
    limits = DecodeSettings(max_frames=100)
    reader = opened(path, limits)
    frames = []
    with pytest.raises(errors.LimitError, match="100 frames"):  # noqa: PT012 - frames come before it
        for frame in within_limits(reader.read_frames(), path, limits, BusyClock()):
            frames.append(frame.index)
    assert frames == [0, 75]
    reader.close()
    reader.close()


def test_the_first_and_last_frame_are_always_there(tmp_path: Path) -> None:
    path = drawn(tmp_path / "one.mp4", [11.0])
    reader = opened(path)
    frames = [frame.index for frame in reader.read_frames()]
    assert frames[0] == 0
    assert frames[-1] == 274
    assert len(frames) < 30
    assert reader.end == 11
    reader.close()
