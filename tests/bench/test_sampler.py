"""Samples of this machine while real processes work on it, and what they cost."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from nvml_driver import Driver

from corridor_cli.bench import sampler as module
from corridor_cli.bench.nvml import open_in
from corridor_cli.bench.processes import ProcessTree
from corridor_cli.bench.sampler import Sampler, Thrifty
from corridor_cli.bench.samples import HardwareSample, summarise

SLEEP = "import time; print(flush=True); time.sleep(60)"
BUSY = "print(flush=True)\nwhile True: pass"
PARENT = f"import subprocess, sys; print(flush=True); subprocess.run([sys.executable, '-c', {BUSY!r}])"


@contextmanager
def running(*programs: str) -> Iterator[list[int]]:
    """Python programs that have started (each prints a line then), ended with all they started."""
    children = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) for program in programs
    ]
    try:
        for child in children:
            assert child.stdout is not None
            child.stdout.readline()
        yield [child.pid for child in children]
    finally:
        for child in children:
            for grandchild in psutil.Process(child.pid).children(recursive=True):
                grandchild.kill()
            child.kill()
            child.communicate()


def test_a_busy_process_is_seen_and_a_sleeping_one_is_not() -> None:
    with (
        running(BUSY, SLEEP) as (busy, idle),
        Sampler([busy], period_seconds=0.2) as seen,
        Sampler([idle], period_seconds=0.2) as unseen,
    ):
        time.sleep(2.0)
    working, sleeping = seen.summary(), unseen.summary()
    assert working.mean_tree_cpu_percent is not None
    assert sleeping.mean_tree_cpu_percent is not None
    # Other work may leave it little of a processor, but it cannot have had more than one.
    assert 3 < working.mean_tree_cpu_percent < 110
    assert sleeping.mean_tree_cpu_percent < 2
    assert working.peak_tree_resident_bytes is not None
    assert 2 * 2**20 < working.peak_tree_resident_bytes < 2**30
    assert working.mean_machine_cpu_percent is not None
    assert 0 < working.mean_machine_cpu_percent <= 100
    assert working.lowest_available_bytes is not None
    assert working.lowest_available_bytes > 2**20


def test_samples_come_each_period_and_at_marks() -> None:
    with Sampler(period_seconds=0.1) as sampler:
        time.sleep(0.5)
        marked = sampler.mark()
        time.sleep(0.3)
    samples = sampler.samples
    times = [sample.time_seconds for sample in samples]
    assert marked in times
    assert all(earlier < later for earlier, later in pairwise(times))
    assert 4 <= len(times) <= 12
    assert sampler.summary(marked).num_samples == len([each for each in times if each >= marked])
    assert {sample.num_processes for sample in samples} == {1}


def wait_for(tree: ProcessTree, num_processes: int) -> None:
    until = time.monotonic() + 30
    while tree.use().num_processes != num_processes and time.monotonic() < until:
        time.sleep(0.05)
        tree.find()
    assert tree.use().num_processes == num_processes


def test_a_process_that_starts_later_is_found_with_all_it_used() -> None:
    with running(PARENT) as (root,):
        tree = ProcessTree([root])
        wait_for(tree, 2)
        before = tree.use().cpu_seconds
        time.sleep(1.0)
        assert tree.use().cpu_seconds > before
    wait_for(tree, 0)
    assert tree.use().cpu_seconds >= before


def test_a_process_that_is_not_there_uses_nothing() -> None:
    with running(SLEEP) as (gone,):
        pass
    with Sampler([gone]) as sampler:
        pass
    assert sampler.samples[0].num_processes == 0
    assert sampler.samples[0].tree_resident_bytes == 0


@pytest.mark.alone
def test_sampling_five_processes_costs_little(capsys: pytest.CaptureFixture[str]) -> None:
    """Two percent of a processor is the promise; the figure is of the thread's own processor time."""
    with running(*[SLEEP] * 4), Sampler() as sampler:
        time.sleep(6.0)
    assert {sample.num_processes for sample in sampler.samples} == {5}
    share = sampler.summary().sampler_cpu_share
    assert share is not None
    with capsys.disabled():
        print(f"\nsampling 5 processes each {module.PERIOD_SECONDS} s: {100 * share:.2f} % of one processor")
    assert 0 < share < 0.02


def test_what_costs_much_is_read_seldom() -> None:
    def work() -> int:
        until = time.thread_time() + 0.02
        while time.thread_time() < until:
            pass
        return 7

    dear = Thrifty(work, time.perf_counter(), max_share=0.1)
    assert dear.read() == 7
    assert dear.read() is None
    time.sleep(0.5)
    assert dear.read() == 7


def test_unknown_facts_have_a_reason(tmp_path: Path) -> None:
    with Sampler(device="cuda:99", powercap=tmp_path) as sampler:
        pass
    summary = sampler.summary()
    assert summary.device_joules is None
    assert summary.mean_device_busy_percent is None
    assert summary.throttle_reasons is None
    assert summary.cpu_joules is None
    assert [problem.partition(":")[0] for problem in summary.problems] == [
        "the card",
        "energy of the processors",
    ]


def test_on_a_processor_no_card_is_asked_for(tmp_path: Path) -> None:
    with Sampler(powercap=tmp_path) as sampler:
        pass
    assert len(sampler.problems) == 1


def test_energy_of_the_processors_is_sampled(tmp_path: Path) -> None:
    zone = tmp_path / "intel-rapl:0"
    zone.mkdir()
    for name, value in {"name": "package-0", "max_energy_range_uj": "100", "energy_uj": "0"}.items():
        (zone / name).write_text(value)
    with Sampler(period_seconds=10, powercap=tmp_path) as sampler:
        (zone / "energy_uj").write_text("3000000")
        begun = sampler.mark()
        (zone / "energy_uj").write_text("7000000")
        ended = sampler.mark()
    assert sampler.summary(begun, ended).cpu_joules == pytest.approx(4)
    assert sampler.summary().cpu_joules == pytest.approx(7)
    assert sampler.problems == ()


def test_an_error_of_the_thread_reaches_who_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> None:
        with Sampler(period_seconds=0.05):
            monkeypatch.setattr(module, "available_memory_bytes", lambda: 1 // 0)
            time.sleep(0.3)

    with pytest.raises(ZeroDivisionError):
        work()


def test_an_error_of_the_work_is_not_covered_by_the_samplers(monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> None:
        with Sampler(period_seconds=0.05):
            monkeypatch.setattr(module, "available_memory_bytes", lambda: 1 // 0)
            time.sleep(0.3)
            raise KeyError("work")

    with pytest.raises(KeyError):
        work()


def test_a_card_is_sampled_and_its_energy_counts_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver()
    monkeypatch.setattr(module, "open_device", lambda device: open_in(driver, device, {}))
    with Sampler(device="cuda:0", period_seconds=10) as sampler:
        begun = sampler.mark()
        driver.millijoules += 90_000
        ended = sampler.mark()
        driver.millijoules += 10_000
    assert driver.num_open == 0
    assert sampler.samples[0].device_joules == 0
    assert sampler.samples[0].device_busy_percent == 87
    assert sampler.summary(begun, ended).device_joules == pytest.approx(90)
    assert sampler.summary().device_joules == pytest.approx(100)
    assert sampler.summary().throttle_reasons == ("power cap", "thermal slowdown by the driver")


def test_a_period_is_a_time() -> None:
    with pytest.raises(ValueError, match="period_seconds: got 0, allowed: more than 0"):
        Sampler(period_seconds=0)


SAMPLES = [
    HardwareSample(
        time_seconds=2.0 * number,
        tree_cpu_seconds=3.0 * number,
        cpu_joules=10.0 * number,
        device_joules=100.0 * number,
        device_watts=40.0 + number,
        device_sm_mhz=1000 - number,
        device_memory_bytes=number,
        throttle_reasons=("power cap",) if number == 2 else (),
    )
    for number in range(4)
]


def test_a_stretch_counts_from_its_start_to_its_end() -> None:
    found = summarise(SAMPLES, 1.0, 4.0)
    assert found.num_samples == 2
    assert found.device_joules == pytest.approx(150)
    assert found.cpu_joules == pytest.approx(15)
    assert found.mean_tree_cpu_percent == pytest.approx(150)
    assert found.mean_device_watts == pytest.approx(41.5)
    assert (found.peak_device_watts, found.lowest_device_sm_mhz, found.peak_device_memory_bytes) == (
        42,
        998,
        2,
    )
    assert found.throttle_reasons == ("power cap",)
    assert summarise(SAMPLES, 0.0, 2.0).throttle_reasons == ()


def test_a_stretch_of_unknown_facts_is_unknown() -> None:
    found = summarise([replace(each, device_joules=None, throttle_reasons=None) for each in SAMPLES], 0, 6)
    assert (found.device_joules, found.throttle_reasons) == (None, None)
    assert found.cpu_joules == pytest.approx(30)
    beyond = summarise(SAMPLES, 0, 60)
    assert (beyond.cpu_joules, beyond.mean_tree_cpu_percent) == (None, None)


def test_a_stretch_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match="end_seconds: got 1, allowed: at least start_seconds, 2"):
        summarise(SAMPLES, 2, 1)
