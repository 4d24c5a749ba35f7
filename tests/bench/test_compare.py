"""What is said of two benchmarks, and when a limit is broken."""

from __future__ import annotations

import json
import math

import pytest

from corridor_cli.bench.compare import Change, Comparison, compare
from corridor_cli.bench.differences import find_differences
from corridor_cli.bench.document import Memory
from corridor_cli.bench.limits import judge, read_limit
from corridor_cli.bench.metrics import METRICS
from corridor_cli.errors import UsageError
from tests.bench.bench_documents import document, failed_point, point


def change_of(comparison: Comparison, metric: str, number: int = 0) -> Change:
    (found,) = [each for each in comparison.points[number].changes if each.metric == metric]
    return found


def broken(comparison: Comparison, *limits: str) -> list[tuple[str, str]]:
    return [(each.limit, each.point) for each in judge(comparison, list(map(read_limit, limits))).broken]


def test_a_gain_is_told_by_every_metric_that_both_know() -> None:
    before = point((10.0, 10.1, 9.9), memory=Memory(peak_host_bytes=2**30), joules_per_frame=2.0)
    after = point((12.0, 12.2, 11.9), memory=Memory(peak_host_bytes=2**31), joules_per_frame=1.5)
    told = compare(document([before]), document([after]))
    assert [each.metric for each in told.points[0].changes] == [metric.name for metric in METRICS]
    throughput = change_of(told, "throughput")
    assert throughput.percent == pytest.approx(20.3, abs=0.1)
    assert throughput.before == pytest.approx(math.prod((10.0, 10.1, 9.9)) ** (1 / 3))
    assert throughput.after == pytest.approx(throughput.before * (1 + throughput.percent / 100))
    assert throughput.interval_percent is not None
    low, high = throughput.interval_percent
    assert 0 < low < throughput.percent < high
    verdicts = {each.metric: each.verdict for each in told.points[0].changes}
    assert verdicts == {
        "throughput": "faster", "latency": "faster", "latency_p95": "faster",
        "ttft": "no difference shown", "tpot": "faster", "memory": "no interval", "joules": "no interval",
    }  # fmt: skip
    assert change_of(told, "memory").percent == pytest.approx(100)
    assert change_of(told, "joules").percent == pytest.approx(-25)


def test_a_loss_is_told_as_slower() -> None:
    told = compare(document([point((10.0, 10.1, 9.9))]), document([point((8.0, 8.1, 7.9))]))
    assert change_of(told, "throughput").verdict == "slower"
    assert change_of(told, "latency").verdict == "slower"
    assert change_of(told, "latency").percent == pytest.approx(25, abs=1)


def test_noise_shows_no_difference() -> None:
    told = compare(document([point((10.0, 11.0, 9.0))]), document([point((9.0, 11.2, 8.9))]))
    assert change_of(told, "throughput").verdict == "no difference shown"
    assert "repeats of the first lie more than 10 % apart" in told.points[0].notes


def test_too_few_repeats_have_an_estimate_and_no_interval() -> None:
    told = compare(document([point((10.0, 10.1))]), document([point((5.0, 5.1, 5.2))]))
    change = change_of(told, "throughput")
    assert change.verdict == "no interval"
    assert change.interval_percent is None
    assert change.percent == pytest.approx(-49.3, abs=0.1)
    assert "repeats: 2 and 3; an interval needs 3 in both" in told.points[0].notes


def test_a_metric_that_one_file_does_not_know_is_left_out() -> None:
    silent = point()
    samples = [each.model_copy(update={"first_token_ms": []}) for each in silent.samples]
    told = compare(document([point()]), document([silent.model_copy(update={"samples": samples})]))
    assert {each.metric for each in told.points[0].changes} == {
        "throughput", "latency", "latency_p95", "tpot",
    }  # fmt: skip


def test_memory_is_compared_by_the_same_figure() -> None:
    of_device = Memory(peak_allocated_bytes=100, peak_device_bytes=300, peak_host_bytes=50)
    of_host = Memory(peak_device_bytes=330, peak_host_bytes=80)
    change = change_of(
        compare(document([point(memory=of_device)]), document([point(memory=of_host)])), "memory"
    )
    assert change.source == "peak_device_bytes"
    assert change.percent == pytest.approx(10)


def test_points_are_matched_by_what_was_asked() -> None:
    before = document([point(batch_size=1), point(batch_size="auto"), point(contestant="loop", batch_size=1)])
    after = document([point(batch_size="auto"), point(batch_size=4)], is_complete=False)
    told = compare(before, after)
    assert [each.name for each in told.points] == ["batch auto, frames 1, tiles 1, tokens 32"]
    assert told.only_before == (
        "batch 1, frames 1, tiles 1, tokens 32",
        "loop, frames 1, tiles 1, tokens 32",
    )
    assert told.only_after == ("batch 4, frames 1, tiles 1, tokens 32",)
    assert told.notes == ("the second file is not complete: its sweep was stopped",)


def test_nothing_in_common_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"no point in common: the first has 'batch 1, .* the second has none"
    ):
        compare(document([point(batch_size=1)]), document([]))
    with pytest.raises(UsageError, match="twice"):
        compare(document([point(), point()]), document([point()]))


def test_a_point_says_what_limits_its_changes() -> None:
    before = point(batch_size="auto", mean_output_tokens=32.0)
    after = point(batch_size="auto", mean_output_tokens=20.0, batch_size_used=4)
    (told,) = compare(document([before]), document([after])).points
    assert told.notes == ("batch size used: 16, then 4", "tokens a caption: 32.0, then 20.0: other work")


def test_a_point_that_no_longer_runs_is_lost() -> None:
    told = compare(document([point()]), document([failed_point()]))
    assert told.points[0].is_lost
    assert told.points[0].changes == ()
    assert told.points[0].notes == ("the second was out of memory: no room for 1.2 GiB",)
    assert broken(told, "throughput<-5%") == [("throughput<-5%", "batch 8, frames 1, tiles 1, tokens 32")]
    back = compare(document([failed_point()]), document([point()]))
    assert not back.points[0].is_lost


def test_the_same_document_differs_in_nothing() -> None:
    told = compare(document([point()]), document([point()]))
    assert told.differences == ()
    assert not told.is_other_machine
    assert {each.verdict for each in told.points[0].changes} == {"no difference shown"}


def test_differences_begin_with_the_machine() -> None:
    environment = {"cpu": "Intel Xeon", "load_average": 9.0, "versions": {"torch": "2.14"}}
    other = document(
        [point()],
        environment=environment,
        workload={"model": "other", "prompt_characters": 41},
        settings={"gpu_pipeline": {"internvl3": {"precision": "int8"}}, "errors": {"fail_fast": True}},
        peaks={"device_name": "Intel Xeon", "flops_per_second": 5e11, "measured_at": "2026-11-27"},
    )
    assert compare(document([point()]), other).is_other_machine
    found = find_differences(document([point()]), other)
    assert [(each.kind, each.name) for each in found] == [
        ("machine", "cpu"),
        ("machine", "usable_cpus"),
        ("machine", "device_name"),
        ("model", "model"),
        ("model", "gpu_pipeline.internvl3.precision"),
        ("workload", "prompt_characters"),
        ("environment", "versions.torch"),
        ("settings", "errors.fail_fast"),
        ("peaks", "flops_per_second"),
    ]
    assert (found[1].before, found[1].after) == (2, None)


def test_a_machine_that_one_file_does_not_tell_of_is_no_other_machine() -> None:
    told = compare(document([point()]), document([point()], environment={}, peaks=None))
    assert {each.kind for each in told.differences} >= {"machine"}
    assert not told.is_other_machine


def test_peaks_may_differ_a_little_and_be_unknown() -> None:
    near = {"device_name": "AMD EPYC", "flops_per_second": 4.1e11, "measured_at": "2026-11-27"}
    assert find_differences(document([point()]), document([point()], peaks=near)) == []
    unknown = find_differences(document([point()]), document([point()], peaks=None))
    assert {each.after for each in unknown} == {None}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("throughput<-5%", "throughput<-5%"),
        (" latency_p95 > 10 ", "latency_p95>10%"),
        ("memory>+2.5%", "memory>2.5%"),
        ("throughput<0", "throughput<0%"),
        ("joules>0%", "joules>0%"),
    ],
)
def test_limits_are_read(text: str, read: str) -> None:
    assert str(read_limit(text)) == read


@pytest.mark.parametrize(
    "text",
    ["", "throughput", "speed<-5%", "throughput<5%", "throughput>-5%", "throughput<=-5%", "throughput<-100%",
     "throughput<-5%%", "throughput<-٥%", "latency>1e3", "throughput<-5% latency>5%", "\x1b[31m"],
)  # fmt: skip
def test_what_is_no_limit_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_limit(text)
    assert "throughput, latency, latency_p95, ttft, tpot, memory, joules" in refused.value.message
    assert "\x1b" not in refused.value.message


def test_a_limit_is_broken_where_the_loss_is_large_and_sure() -> None:
    before = document([point((10.0, 10.1, 9.9), batch_size=size) for size in (1, 2, 4, 8)])
    after = document(
        [
            point((8.0, 8.1, 7.9), batch_size=1),  # large and sure
            point((9.7, 9.8, 9.6), batch_size=2),  # sure and small
            point((10.5, 6.0, 9.0), batch_size=4),  # large and unsure
            point((12.0, 12.1, 11.9), batch_size=8),  # a gain
        ]
    )
    told = compare(before, after)
    small = change_of(told, "throughput", 1)
    assert small.verdict == "slower"
    assert change_of(told, "throughput", 2).percent < -5
    assert broken(told, "throughput<-5%") == [("throughput<-5%", "batch 1, frames 1, tiles 1, tokens 32")]
    assert [name for _, name in broken(told, "throughput<0")] == [
        "batch 1, frames 1, tiles 1, tokens 32",
        "batch 2, frames 1, tiles 1, tokens 32",
    ]
    assert [name for _, name in broken(told, "throughput>5%", "latency>20%")] == [
        "batch 8, frames 1, tiles 1, tokens 32",
        "batch 1, frames 1, tiles 1, tokens 32",
    ]
    judged = judge(told, [read_limit("throughput<-5%")])
    assert judged.num_looked_at == {"throughput<-5%": 4}
    assert judged.broken[0].what.startswith("-20.0 % (95 % interval -2")


def test_without_an_interval_the_estimate_decides_and_says_so() -> None:
    before = point((10.0,), memory=Memory(peak_host_bytes=100))
    after = point((9.0,), memory=Memory(peak_host_bytes=120))
    told = compare(document([before]), document([after]))
    judged = judge(told, [read_limit("throughput<-5"), read_limit("memory>10"), read_limit("memory>30")])
    assert [each.limit for each in judged.broken] == ["throughput<-5%", "memory>10%"]
    assert "the estimate alone" in judged.broken[0].what


def test_a_limit_that_nothing_can_be_held_against_is_refused() -> None:
    told = compare(document([point()]), document([point()]))
    with pytest.raises(UsageError, match="joules>5%: no point has this metric in both files"):
        judge(told, [read_limit("joules>5%")])


def test_a_comparison_is_plain_json() -> None:
    told = compare(document([point()]), document([point((12.0, 12.1, 11.9))]))
    table = json.loads(json.dumps(told.as_json(), allow_nan=False))
    assert table["schema"] == "vlmtl.bench-comparison/1"
    change = table["points"][0]["changes"][0]
    assert change["metric"] == "throughput"
    assert change["low_percent"] < change["percent"] < change["high_percent"]
    assert "ratio" not in change
