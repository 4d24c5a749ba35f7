"""What is said of a file before it is scanned, and how each kind of bad input is refused."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from corridor_cli import errors
from corridor_cli.media.probe import plausible_rate, probe
from tests import clips

Clip = Callable[[str], Path]
MAX = 8192 * 8192


@pytest.mark.parametrize(
    ("name", "container", "codec", "size"),
    [
        ("h264.mp4", "mov,mp4,m4a,3gp,3g2,mj2", "h264", (160, 120)),
        ("h264.ts", "mpegts", "h264", (160, 120)),
        ("hevc.mp4", "mov,mp4,m4a,3gp,3g2,mj2", "hevc", (160, 120)),
        ("vp9.webm", "matroska,webm", "vp9", (160, 120)),
        ("av1.mkv", "matroska,webm", "av1", (160, 120)),
        ("mpeg2.mpg", "mpeg", "mpeg2video", (160, 120)),
        ("mpeg4.avi", "avi", "mpeg4", (160, 120)),
        ("h264.flv", "flv", "h264", (160, 120)),
        ("odd_161x121.webm", "matroska,webm", "vp9", (161, 121)),
        ("1x1.mkv", "matroska,webm", "ffv1", (1, 1)),
    ],
)
def test_facts(clip: Clip, name: str, container: str, codec: str, size: tuple[int, int]) -> None:
    info = probe(clip(name), max_pixels=MAX)
    assert (info.container, info.video_codec) == (container, codec)
    assert (info.width_px, info.height_px, info.rotation_degrees) == (*size, 0)
    assert info.frame_rate == 25
    assert info.warnings == ()


def test_mp4_states_length_count_and_sound(clip: Clip) -> None:
    info = probe(clip("h264_audio.mp4"), max_pixels=MAX)
    assert info.duration_seconds_from_header == Fraction(14, 5)
    assert info.num_frames_from_header == 70
    assert info.audio_codec == "aac"
    assert probe(clip("h264.mp4"), max_pixels=MAX).audio_codec is None


def test_what_is_not_stated_is_none(clip: Clip) -> None:
    info = probe(clip("raw.h264"), max_pixels=MAX)
    assert info.duration_seconds_from_header is None
    assert info.num_frames_from_header is None
    assert info.sample_aspect_ratio is None


@pytest.mark.parametrize(
    ("name", "degrees", "size", "is_mirrored"),
    [
        ("rotated_90.mp4", 90, (120, 160), False),
        ("rotated_180.mp4", 180, (160, 120), False),
        ("rotated_270.mov", 270, (120, 160), False),
        ("mirrored.mp4", 0, (160, 120), True),
    ],
)
def test_rotation_is_clockwise_and_sizes_are_for_display(
    clip: Clip, name: str, degrees: int, size: tuple[int, int], is_mirrored: bool
) -> None:
    info = probe(clip(name), max_pixels=MAX)
    assert (info.rotation_degrees, info.width_px, info.height_px) == (degrees, *size)
    assert info.is_mirrored is is_mirrored


def test_the_best_of_several_video_streams_is_taken_and_told(clip: Clip) -> None:
    info = probe(clip("two_videos.mp4"), max_pixels=MAX)
    assert (info.num_video_streams, info.stream_index, info.width_px) == (2, 1, 160)
    assert "2 video streams" in info.warnings[0]


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (None, None),
        (Fraction(0), None),
        (Fraction(1000), None),
        (Fraction(90000), None),
        (Fraction(24000, 1001), Fraction(24000, 1001)),
        (Fraction(240), Fraction(240)),
    ],
)
def test_time_bases_are_not_taken_for_frame_rates(rate: Fraction | None, expected: Fraction | None) -> None:
    assert plausible_rate(rate) == expected


def test_a_picture_over_the_limit_is_refused(clip: Clip) -> None:
    assert probe(clip("h264.mp4"), max_pixels=160 * 120).width_px == 160
    with pytest.raises(errors.LimitError, match="have 160×120, more than the 19,199 pixels"):
        probe(clip("h264.mp4"), max_pixels=160 * 120 - 1)


def damaged_inputs(folder: Path, clip: Clip) -> dict[str, tuple[Path, type[errors.MediaError], str]]:
    """Files whose beginning says what they are and whose header is of no use."""
    headers = {"mkv": clip("h264.mkv"), "flv": clip("h264.flv")}
    named = {"mkv": "Matroska or WebM", "flv": "FLV"}
    found: dict[str, tuple[Path, type[errors.MediaError], str]] = {}
    for kind, source in headers.items():
        path = folder / f"header-lost.{kind}"
        path.write_bytes(source.read_bytes()[:12] + b"\xff" * 2000)
        found[kind] = (path, errors.DamagedError, f"begins as {named[kind]}, but its header or index is")
    codec = folder / "codec.mp4"
    codec.write_bytes(clip("h264.mp4").read_bytes().replace(b"avc1", b"zzzz"))
    found["codec"] = (codec, errors.UnknownCodecError, "there is no decoder for its video stream")
    return found


def bad_inputs(folder: Path, clip: Clip) -> dict[str, tuple[Path, type[errors.MediaError], str]]:
    """Each kind of bad input: the file, the error it must give, words its message must hold."""
    good = clip("h264.mp4")
    text = folder / "text.mp4"
    text.write_text("This is not a video.\n" * 100)
    noise = folder / "noise.mkv"
    noise.write_bytes(bytes(range(256)) * 64)
    empty = folder / "empty.mp4"
    empty.touch()
    return {
        "empty": (empty, errors.UnreadableError, "is empty (0 bytes)"),
        "missing": (folder / "missing.mp4", errors.UnreadableError, "does not exist"),
        "folder": (folder, errors.UnreadableError, "is a folder"),
        "text": (text, errors.NotVideoError, "is not a video file"),
        "noise": (noise, errors.NotVideoError, "is not a video file"),
        "cut": (clips.truncated(good, folder / "cut.mp4", 0.6), errors.DamagedError, "begins as MP4 or MOV"),
        **damaged_inputs(folder, clip),
        "playlist": (
            clips.write_playlist(folder / "list.mp4", good),
            errors.NotVideoError,
            "an HLS playlist",
        ),
        "script": (
            clips.write_concat_script(folder / "c.mp4", good),
            errors.NotVideoError,
            "a concat script",
        ),
        "sound": (clip("audio_only.mp4"), errors.NoVideoStreamError, "it holds audio"),
        "cover": (clip("cover_art.mp4"), errors.NoVideoStreamError, "a cover picture"),
    }


KINDS = (
    *("empty", "missing", "folder", "text", "noise", "cut", "playlist", "script", "sound", "cover"),
    *("mkv", "flv", "codec"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_bad_input_gets_one_clear_line(tmp_path: Path, clip: Clip, kind: str) -> None:
    path, error, words = bad_inputs(tmp_path, clip)[kind]
    with pytest.raises(error) as caught:
        probe(path, max_pixels=MAX)
    assert type(caught.value) is error
    assert words in caught.value.message
    assert path.name in caught.value.message
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def test_scripts_are_refused_by_the_demuxer_list_too(tmp_path: Path, clip: Clip) -> None:
    """A byte before the opening hides a script from the sniffing; FFmpeg's allow-list still refuses it."""
    script = tmp_path / "c.mp4"
    script.write_text(f"# a comment\nffconcat version 1.0\nfile '{clip('h264.mp4')}'\n")
    with pytest.raises(errors.NotVideoError):
        probe(script, max_pixels=MAX)


def test_a_fifo_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(errors.UnreadableError, match="is a FIFO"):
        probe(tmp_path / "pipe.mp4", max_pixels=MAX)


@pytest.mark.parametrize(
    "name",
    [
        "concat:a|b",
        "data:x.mp4",
        "http:x.mp4",
        "-i.mp4",
        "a b.mp4",
        "new\nline.mp4",
        "%03d.mp4",
        "\udcff\udcfe.mp4",
    ],
)
def test_names_that_look_like_something_else_are_just_names(
    tmp_path: Path, clip: Clip, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    shutil.copy(clip("h264.mp4"), tmp_path / name)
    assert probe(tmp_path / name, max_pixels=MAX).video_codec == "h264"
    monkeypatch.chdir(tmp_path)
    assert probe(Path(name), max_pixels=MAX).video_codec == "h264"
