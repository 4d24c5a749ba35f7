"""Whether a video goes to a card follows from what was measured on this machine, and from nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from corridor_cli.media import nvdec
from corridor_cli.media.nvdec import Speed, keep_speed, known_speed, prefers_nvdec
from corridor_cli.media.open_reader import open_reader
from corridor_cli.media.probe import probe
from corridor_cli.records import VideoInfo
from corridor_cli.settings import DecodeSettings

Clip = Callable[[str], Path]


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a driver and an empty table."""
    driver = tmp_path / "version"
    driver.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.1\n")
    monkeypatch.setattr(nvdec, "DRIVER_VERSION", driver)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(nvdec, "num_usable_cpus", lambda: 8)
    return driver


@pytest.fixture
def info(clip: Clip) -> VideoInfo:
    return replace(probe(clip("h264.mp4"), max_pixels=10**9), width_px=1920, height_px=1080)


def test_without_a_card_nothing_is_said(
    info: VideoInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvdec, "DRIVER_VERSION", tmp_path / "missing")
    assert prefers_nvdec(info, "auto") == prefers_nvdec(info, "cuda:0") == (False, "")


@pytest.mark.usefixtures("card")
def test_what_was_not_measured_is_not_assumed(info: VideoInfo) -> None:
    assert prefers_nvdec(info, "cpu") == (False, "")
    assert prefers_nvdec(info, "cuda:0") == (True, "asked for by decode.device")
    is_preferred, why = prefers_nvdec(info, "auto")
    assert not is_preferred
    assert "was not measured here" in why
    keep_speed("hevc", 1080, Speed(8, 100.0, 900.0))
    assert prefers_nvdec(info, "auto") == (is_preferred, why)


@pytest.mark.usefixtures("card")
def test_the_cores_at_hand_decide(info: VideoInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_speed("h264", 1080, Speed(num_cpus=16, cpu_fps=3200.0, nvdec_fps=2000.0))
    assert prefers_nvdec(info, "auto") == (True, "NVDEC is 1.2 times as fast as 8 processors here")
    monkeypatch.setattr(nvdec, "num_usable_cpus", lambda: 16)
    assert prefers_nvdec(info, "auto")[0] is False
    monkeypatch.setattr(nvdec, "num_usable_cpus", lambda: 2)
    assert prefers_nvdec(info, "auto") == (True, "NVDEC is 5.0 times as fast as 2 processors here")


@pytest.mark.usefixtures("card")
def test_the_nearest_height_counts(info: VideoInfo) -> None:
    keep_speed("h264", 480, Speed(8, 4000.0, 1000.0))
    keep_speed("h264", 2160, Speed(8, 200.0, 1000.0))
    assert known_speed("h264", 360) == known_speed("h264", 720) == Speed(8, 4000.0, 1000.0)
    assert known_speed("h264", 1600) == Speed(8, 200.0, 1000.0)
    assert known_speed("vp9", 480) is None
    assert prefers_nvdec(replace(info, width_px=2160, height_px=3840), "auto")[0] is True


def test_another_driver_is_another_machine(info: VideoInfo, card: Path) -> None:
    keep_speed("h264", 1080, Speed(8, 100.0, 900.0))
    assert prefers_nvdec(info, "auto")[0] is True
    card.write_text("NVRM version: 580.0\n")
    assert prefers_nvdec(info, "auto")[0] is False


@pytest.mark.parametrize("text", ["", "[]", "{", '{"x": 1}'])
@pytest.mark.usefixtures("card")
def test_a_damaged_table_is_no_table(info: VideoInfo, tmp_path: Path, text: str) -> None:
    keep_speed("h264", 1080, Speed(8, 100.0, 900.0))
    (tmp_path / "cache" / "vlmtl" / "nvdec.json").write_text(text)
    assert prefers_nvdec(info, "auto")[0] is False


@pytest.mark.usefixtures("card")
def test_a_card_not_used_is_told_and_one_chosen_is_tried_first(clip: Clip) -> None:
    reader = open_reader(clip("h264.mp4"), DecodeSettings(), for_picks=False)
    assert reader.name == "pyav"
    assert "NVDEC was not measured here" in reader.choice.reason
    keep_speed("h264", 120, Speed(8, 100.0, 900.0))
    chosen = open_reader(clip("h264.ts"), DecodeSettings(), for_picks=False)
    assert chosen.name == "pyav"
    assert chosen.choice.fallbacks == ("torchcodec: torchcodec is not relied on for mpegts",)


@pytest.mark.needs_torchcodec
@pytest.mark.usefixtures("card")
def test_a_card_that_was_measured_but_is_gone_falls_back(clip: Clip) -> None:
    """The table says NVDEC; torch sees no card, so nothing would be gained by torchcodec."""
    keep_speed("h264", 120, Speed(8, 100.0, 900.0))
    reader = open_reader(clip("h264.mp4"), DecodeSettings(), for_picks=False)
    assert reader.name == "pyav"
    assert "torch sees no CUDA device" in reader.choice.fallbacks[0]
    assert len(list(reader.read_frames())) == 70
    reader.close()
