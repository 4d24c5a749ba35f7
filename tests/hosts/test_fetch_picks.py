"""Which reader fetches known picks: the one that shows the model the same as the scan did."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from corridor_cli.hosts.fetch_picks import are_planes_needed
from corridor_cli.hosts.messages import WorkerSetup
from corridor_cli.media import nvdec
from corridor_cli.media.nvdec import Speed, keep_speed
from corridor_cli.media.probe import probe
from corridor_cli.records import ScanJob
from corridor_cli.settings import DecodeSettings, FrameSettings, SceneSettings
from tests import clips

NUM_PIXELS = 160 * 120


@pytest.fixture
def job(tmp_path: Path) -> ScanJob:
    path = clips.draw("h264.mp4", tmp_path)
    return ScanJob(0, str(path), wanted=(), info=probe(path, max_pixels=NUM_PIXELS))


def needed(job: ScanJob, max_pixels: int, enough_pixels: int | None = 1, reader: str = "auto") -> bool:
    decode = DecodeSettings(reader=reader)  # type: ignore[arg-type]
    setup = WorkerSetup(
        decode, SceneSettings(), FrameSettings(), 3, max_pixels, (), enough_pixels=enough_pixels
    )
    return are_planes_needed(job, decode, setup)


def test_planes_are_needed_of_pictures_that_are_made_small(job: ScanJob) -> None:
    assert needed(job, NUM_PIXELS - 1)
    assert not needed(job, NUM_PIXELS)
    assert not needed(job, NUM_PIXELS - 1, reader="decord"), "asked for, and so was the scan"


@pytest.mark.parametrize("ratio", [Fraction(4, 3), Fraction(3, 4)])
def test_long_pixels_make_a_picture_larger(job: ScanJob, ratio: Fraction) -> None:
    assert job.info is not None
    job = replace(job, info=replace(job.info, sample_aspect_ratio=ratio))
    assert needed(job, NUM_PIXELS)
    assert not needed(job, NUM_PIXELS * 4 // 3)


def test_a_model_that_is_given_resized_pictures_needs_no_planes(job: ScanJob) -> None:
    assert not needed(job, NUM_PIXELS - 1, enough_pixels=None)


def test_a_card_is_asked_again_for_what_it_scanned(
    job: ScanJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pixels differ by rounding: PyAV's would not be those of the record."""
    driver = tmp_path / "version"
    driver.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.1\n")
    monkeypatch.setattr(nvdec, "DRIVER_VERSION", driver)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert needed(job, NUM_PIXELS - 1), "not measured: the scan was by PyAV"
    keep_speed("h264", 120, Speed(1, 1.0, 1e6))
    assert not needed(job, NUM_PIXELS - 1)
