"""Peaks: measured on this machine by the real process, kept, and never taken for what they are not."""

from __future__ import annotations

import time
from dataclasses import asdict, replace

import pytest
import torch

from corridor_cli import hardware
from corridor_cli.bench import measure_peaks
from corridor_cli.bench.peaks import DevicePeaks, find_peaks, is_record
from corridor_cli.bench.roofline import Ceilings


def seconds_of(call: measure_peaks.Product) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def test_peaks_are_measured_in_a_process_of_its_own() -> None:
    peaks = find_peaks("cpu", "float32")
    assert peaks.problem == ""
    assert not peaks.is_kept
    assert (peaks.device, peaks.precision) == ("cpu", "float32")
    assert peaks.threads == hardware.choose_threads(is_small_model=False).value
    assert peaks.flops_per_second == max(peaks.products.values())
    assert {name.split()[0] for name in peaks.products} == {"product", "layer"}
    assert peaks.ceilings == Ceilings(peaks.flops_per_second, peaks.read_bytes_per_second)
    assert peaks.measured_at is not None
    assert peaks.measured_at.endswith("+00:00")
    assert peaks.read_how.startswith(("sum over", "matrix-vector product over"))
    # Between one number a microsecond and more than any processor has: units are what they are said to be.
    for rate in (peaks.flops_per_second, peaks.read_bytes_per_second, peaks.copy_bytes_per_second):
        assert rate is not None
        assert 1e7 < rate < 1e14


def test_a_peak_is_not_below_what_plain_calls_reach() -> None:
    numbers = torch.rand(1024, 1024)
    products = measure_peaks.measure_products("cpu", "float32")
    reading, _, num_bytes = measure_peaks.measure_bandwidths("cpu")
    numbers @ numbers
    plain = 2 * 1024**3 / max(seconds_of(lambda: numbers @ numbers) for _ in range(5))
    assert max(products.values()) > 0.3 * plain
    large = torch.ones(num_bytes // 8, dtype=torch.float64)
    assert max(reading.values()) > 0.3 * num_bytes / max(seconds_of(large.sum) for _ in range(3))


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_other_precisions_are_measured_or_say_why_not(precision: str) -> None:
    products = measure_peaks.measure_products("cpu", precision)
    assert all(rate > 0 for rate in products.values())
    assert products


def test_a_kept_peak_is_not_measured_again() -> None:
    threads = hardware.choose_threads(is_small_model=False).value
    made = DevicePeaks(
        "cpu", "bfloat16", "a processor", flops_per_second=12.0, products={"product 1x1x1": 12}
    )
    name = measure_peaks.measurement_key("cpu", "bfloat16", threads)
    hardware.keep_measurement("peaks", name, asdict(made))
    assert find_peaks("cpu", "bfloat16") == replace(made, is_kept=True)


def test_other_threads_and_precisions_are_kept_apart() -> None:
    key = measure_peaks.measurement_key
    keys = {key("cpu", precision, threads) for precision in ("float32", "int8") for threads in (1, 2)}
    assert len(keys) == 4


@pytest.mark.parametrize(
    "kept", [None, 3, [], {}, {"device": "cpu"}, {**asdict(DevicePeaks("cpu", "x")), "z": 1}]
)
def test_what_another_version_kept_does_not_count(kept: object) -> None:
    assert not is_record(kept)
    assert is_record(asdict(DevicePeaks("cpu", "float32")))


@pytest.mark.parametrize(("share", "is_kept"), [(0.0, True), (0.9, False)])
def test_what_was_measured_beside_other_work_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, share: float, is_kept: bool
) -> None:
    monkeypatch.setattr(measure_peaks.OtherWork, "share", lambda self: share)
    monkeypatch.setattr(measure_peaks, "SIZES", ((64, 64, 64),))
    monkeypatch.setattr(measure_peaks, "_READ_BYTES", {"cpu": 2**20})
    threads = torch.get_num_threads()
    try:
        peaks = measure_peaks.find("cpu", "float32", is_fresh=False)
    finally:
        torch.set_num_threads(threads)
    assert peaks.is_disturbed is not is_kept
    key = measure_peaks.measurement_key("cpu", "float32", hardware.choose_threads(False).value)
    assert (hardware.kept_measurement("peaks", key) is not None) is is_kept


def test_other_work_is_what_this_process_did_not_do() -> None:
    others = measure_peaks.OtherWork()
    until = time.perf_counter() + 0.4
    while time.perf_counter() < until:
        pass
    assert others.share() < 0.99


def test_a_device_that_is_not_there_has_no_peaks_and_a_reason() -> None:
    peaks = find_peaks("cuda:7", "bfloat16")
    assert peaks.ceilings == Ceilings(None, None)
    assert "cuda:7" in peaks.problem
    assert "does not exist" in peaks.problem


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="precision: got 'fp8', allowed: float32, bfloat16"):
        find_peaks("cpu", "fp8")


def test_a_call_is_repeated_for_its_time_and_at_least_twice() -> None:
    calls: list[int] = []
    assert measure_peaks.best_seconds(lambda: calls.append(1), "cpu", 0.0) < 0.1
    assert len(calls) == 3
    started = time.perf_counter()
    assert measure_peaks.best_seconds(lambda: time.sleep(0.01), "cpu", 0.1) >= 0.01
    assert 0.1 < time.perf_counter() - started < 10


def test_sizes_grow_only_while_calls_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure_peaks, "_MAX_CALL_SECONDS", 1e-12)
    assert list(measure_peaks.measure_products("cpu", "float32")) == [
        "product 512x512x512",
        "layer 512x512x512",
    ]
