"""`vlmtl probe` with real workers: what is told of good files, bad ones, and one that never answers."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from runs import marked_processes, start, wait_until_gone

from corridor_cli.cli.main import call
from corridor_cli.errors import ExitCode
from tests import clips


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("videos")
    for name in ("h264_audio.mp4", "rotated_90.mp4", "two_videos.mp4", "vp9.webm", "audio_only.mp4"):
        clips.draw(name, made)
    (made / "a\n[b]\udcff.mp4").write_bytes((made / "rotated_90.mp4").read_bytes())
    return made


def test_facts_streams_and_readers_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["probe", str(folder), "--json"]) == ExitCode.PARTIAL
    videos = {Path(video["path"]).name: video for video in json.loads(capsys.readouterr().out)["videos"]}
    assert list(videos) == sorted(videos, key=lambda name: (name[0], name))
    good = videos["h264_audio.mp4"]
    assert (good["status"], good["errors"], good["variable_frame_rate"]) == ("good", [], None)
    info = good["info"]
    assert (info["video_codec"], info["pixel_format"], info["audio_codec"]) == ("h264", "yuv420p", "aac")
    assert (info["width_px"], info["height_px"], info["frame_rate"]) == (*clips.SIZE, "25/1")
    assert (info["duration_seconds_from_header"], info["num_frames_from_header"]) == ("14/5", 70)
    assert [stream["kind"] for stream in good["streams"]] == ["video", "audio"]
    assert good["readers"]["scan"] == {
        "name": "pyav",
        "reason": "scans every format with exact times",
        "fallbacks": [],
    }
    assert good["size_bytes"] == (folder / "h264_audio.mp4").stat().st_size
    assert videos["rotated_90.mp4"]["info"]["rotation_degrees"] == 90
    assert videos["two_videos.mp4"]["info"]["stream_index"] == 1
    (obstacle,) = videos["two_videos.mp4"]["readers"]["picks"]["fallbacks"]
    assert obstacle == "decord: decord may choose another of the video streams"
    assert videos["audio_only.mp4"]["errors"][0]["type"] == "NoVideoStreamError"
    assert videos["audio_only.mp4"]["info"] is None


def test_the_lines_are_for_people(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["a\n[b]\udcff.mp4", "two_videos.mp4", "audio_only.mp4"]
    limits = ["--set", "decode.max_frames=3"]
    assert call(["probe", *(str(folder / name) for name in names), *limits]) == ExitCode.PARTIAL
    told = capsys.readouterr()
    hostile, two, audio = told.out.removesuffix("\n").split("\n\n")
    assert hostile.splitlines()[0] == "a\\n[b]\\xff.mp4"
    facts = dict(line.strip().split("  ", 1) for line in hostile.splitlines()[1:] if line[2] != " ")
    assert facts["video"].strip() == "h264, yuv420p, 120×160, turned by 90°"
    assert facts["frame rate"].strip() == "25 fps; whether it varies is known after a scan"
    assert "1 video: h264, 160×120, 25 fps, default" in two
    assert "2 video streams; stream 1, the best one, is read" in two
    assert "decode.max_frames 3: 10, EXCEEDED, a run would stop here" in two
    assert audio.startswith("audio_only.mp4: failed: has no video stream (it holds audio).")
    assert "audio_only.mp4: failed" in told.err


def test_decord_is_named_with_what_only_its_packets_tell(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["probe", str(folder / "h264_audio.mp4"), str(folder / "two_videos.mp4")]) == ExitCode.OK
    by_decord, by_pyav = capsys.readouterr().out.split("\n\n", 1)
    doubt = "by pyav where its packets' times are out of order"
    assert (doubt in by_decord, doubt in by_pyav) == ("decord:" in by_decord, False)


def test_a_limit_that_stops_the_probe_itself(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["probe", str(folder / "vp9.webm"), "--set", "decode.max_pixels=100"]
    assert call(arguments) == ExitCode.NO_INPUTS
    assert "have 160×120, more than the 100 pixels allowed by decode.max_pixels" in capsys.readouterr().out


@pytest.mark.alone
def test_a_file_that_hangs_the_decoder_is_reported(folder: Path) -> None:
    mark = f"hang-{os.getpid()}"
    limits = ["--set", "decode.stall_seconds=1", "--set", "decode.workers=1"]
    process = start(["probe", folder / "vp9.webm", "--json", *limits], mark=mark)
    while process.poll() is None:
        for pid, line in marked_processes(mark):
            if "media_worker" in line:
                os.kill(pid, signal.SIGSTOP)
        time.sleep(0.02)
    out, err = process.communicate(timeout=30)
    assert process.returncode == ExitCode.NO_INPUTS, err
    (video,) = json.loads(out)["videos"]
    assert video["errors"][0]["type"] == "StalledError"
    assert "Trying again" in err
    wait_until_gone(mark)
