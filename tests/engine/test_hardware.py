"""Facts about this machine and the choices made from them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from corridor_cli import hardware
from corridor_cli.errors import ModelError


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here nothing was measured before."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_usable_processors_are_those_this_process_may_run_on() -> None:
    assert 1 <= hardware.num_usable_cpus() <= len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("quota", "expected"), [("max 100000", 8), ("150000 100000", 1), ("300000 100000", 3)]
)
def test_a_containers_quota_caps_the_processors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, expected: int
) -> None:
    (tmp_path / "cpu.max").write_text(quota + "\n")
    monkeypatch.setattr(hardware, "_CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    assert hardware.num_usable_cpus() == expected


def test_a_containers_limit_caps_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "_CGROUP", tmp_path)
    free = hardware.available_memory_bytes()
    assert 0 < free <= hardware.total_device_bytes("cpu")
    (tmp_path / "memory.max").write_text("5000000\n")
    (tmp_path / "memory.current").write_text("2000000\n")
    (tmp_path / "memory.stat").write_text("anon 1500000\ninactive_file 400000\nfile 500000\n")
    assert hardware.available_memory_bytes() == 3_400_000
    (tmp_path / "memory.max").write_text("max\n")
    assert hardware.available_memory_bytes() > 3_000_000


def test_the_processor_can_be_asked_for() -> None:
    assert hardware.choose_device("cpu").value == "cpu"


@pytest.mark.parametrize("requested", ["cuda:99", "cuda:-1", "mps", "", "CPU"])
def test_an_impossible_device_is_refused(requested: str) -> None:
    with pytest.raises(ModelError, match=r"allowed: auto, cpu|there is: cpu"):
        hardware.choose_device(requested)


def test_auto_takes_what_there_is() -> None:
    import torch

    choice = hardware.choose_device("auto")
    assert choice.value == ("cuda:0" if torch.cuda.is_available() else "cpu")
    assert "because" in choice.reason or "first of" in choice.reason


@pytest.mark.parametrize(
    ("precision", "is_small", "name"),
    [
        ("auto", True, "float32"),
        ("fp32", False, "float32"),
        ("fp32", True, "float32"),
        ("bf16", True, "bfloat16"),
        ("fp16", False, "float16"),
    ],
)
def test_what_is_set_or_plain_needs_no_measurement(
    monkeypatch: pytest.MonkeyPatch, precision: str, is_small: bool, name: str
) -> None:
    def refuse(device: str) -> float:
        raise AssertionError("measured")

    monkeypatch.setattr(hardware, "measure_bfloat16_speedup", refuse)
    assert hardware.choose_dtype("cpu", precision, is_small).value == name


@pytest.mark.parametrize("precision", ["auto", "int8"])
@pytest.mark.parametrize(("speedup", "name"), [(0.01, "float32"), (1.1, "float32"), (2.3, "bfloat16")])
def test_auto_precision_is_measured_once_and_kept(
    monkeypatch: pytest.MonkeyPatch, precision: str, speedup: float, name: str
) -> None:
    measured = iter([speedup])
    monkeypatch.setattr(hardware, "measure_bfloat16_speedup", lambda device: next(measured))
    first, second = (hardware.choose_dtype("cpu", precision, False) for _ in range(2))
    assert first.value == second.value == name
    assert ("int8" in first.reason) == (precision == "int8")
    assert first.reason.endswith("(measured)")
    assert second.reason.endswith("(measured before)")


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"a": 1}'])
def test_a_spoiled_record_of_measurements_is_measured_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str
) -> None:
    record = Path(os.environ["XDG_CACHE_HOME"]) / "vlmtl" / "precision.json"
    record.parent.mkdir(parents=True)
    record.write_text(content)
    monkeypatch.setattr(hardware, "measure_bfloat16_speedup", lambda device: 3.0)
    assert hardware.choose_dtype("cpu", "auto", False).value == "bfloat16"


def test_the_measurement_takes_its_time_and_no_more() -> None:
    import time

    started = time.perf_counter()
    assert hardware.measure_bfloat16_speedup("cpu") > 0
    assert time.perf_counter() - started < 20


def test_threads_can_be_set_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert hardware.choose_threads(is_small_model=True).value == 3
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert hardware.choose_threads(is_small_model=True).value == 1
    assert hardware.choose_threads(is_small_model=False).value == hardware.num_usable_cpus()
