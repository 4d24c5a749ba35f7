"""How many media workers a run gets, and when they decode ahead."""

from __future__ import annotations

from dataclasses import replace

import pytest

from corridor_cli.runners import workers
from corridor_cli.runners.workers import plan_workers
from corridor_cli.settings import DecodeSettings, ModelSettings, PipelineSettings, Settings

GIB = 2**30


def settings(decode: DecodeSettings | None = None, **model: object) -> Settings:
    internvl3 = ModelSettings(**model)  # type: ignore[arg-type]
    return replace(Settings(), decode=decode or DecodeSettings(), gpu_pipeline=PipelineSettings(internvl3))


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight processors, memory enough, no driver of NVIDIA's."""
    monkeypatch.setattr(workers, "num_usable_cpus", lambda: 8)
    monkeypatch.setattr(workers, "available_memory_bytes", lambda: 64 * GIB)
    monkeypatch.setattr(workers, "_NVIDIA_DRIVER", workers.Path("/nowhere/at/all"))


@pytest.mark.parametrize(
    ("asked", "num_videos", "num_workers", "reads_ahead"),
    [
        (settings(device="cpu"), 100, 7, False),
        (settings(device="auto"), 100, 7, False),
        (settings(device="cuda:0"), 100, 8, False),
        (settings(engine="echo"), 100, 8, False),
        (settings(device="cpu"), 7, 7, True),
        (settings(device="cuda"), 8, 8, False),
        (settings(device="cpu"), 1, 1, True),
        (settings(DecodeSettings(workers=3), device="cpu"), 100, 3, False),
        (settings(DecodeSettings(workers=3), device="cpu"), 2, 2, False),
    ],
)
def test_workers_follow_cores_model_and_videos(
    asked: Settings, num_videos: int, num_workers: int, reads_ahead: bool
) -> None:
    plan = plan_workers(asked, num_videos)
    assert (plan.num_workers, plan.reads_ahead) == (num_workers, reads_ahead)
    assert plan.reason.startswith(f"{num_workers} media worker")
    assert ("ahead" in plan.reason) == reads_ahead


@pytest.mark.parametrize(("num_videos", "num_workers", "reads_ahead"), [(100, 8, False), (1, 1, True)])
def test_without_a_model_all_processors_decode(num_videos: int, num_workers: int, reads_ahead: bool) -> None:
    plan = plan_workers(settings(device="cpu"), num_videos, has_model=False)
    assert (plan.num_workers, plan.reads_ahead) == (num_workers, reads_ahead)


def test_little_memory_means_few_workers_and_one_core_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "available_memory_bytes", lambda: 2 * GIB)
    assert plan_workers(settings(device="cuda"), 100).num_workers == 2
    monkeypatch.setattr(workers, "num_usable_cpus", lambda: 1)
    assert plan_workers(settings(device="cpu"), 1).reads_ahead is False
    assert plan_workers(settings(device="cpu"), 1).num_workers == 1


@pytest.mark.parametrize(
    ("asked", "num_videos", "num_cores", "num_threads"),
    [
        (settings(device="cuda"), 1, 8, 8),
        (settings(device="cpu"), 1, 7, 7),
        (settings(device="cuda"), 3, 8, 2),
        (settings(device="cuda"), 100, 8, 1),
        (settings(DecodeSettings(workers=3), device="cuda"), 1, 1, 1),
        (settings(DecodeSettings(threads=1), device="cuda"), 1, 8, 1),
        (settings(DecodeSettings(threads=99), device="cuda"), 100, 8, 8),
    ],
)
def test_few_videos_are_decoded_by_all_the_processors_there_are(
    asked: Settings, num_videos: int, num_cores: int, num_threads: int
) -> None:
    plan = plan_workers(asked, num_videos)
    assert (plan.num_cores, plan.num_threads) == (num_cores, num_threads)
    assert (f"by {num_threads} threads" in plan.reason) == (num_threads > 1)


def test_more_threads_than_a_file_is_decoded_by_are_not_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "num_usable_cpus", lambda: 64)
    assert plan_workers(settings(device="cuda"), 1).reason.endswith("by 8 threads where the codec allows it")
