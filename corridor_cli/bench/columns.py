"""The columns of `points.csv`: name, what it is, and where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from corridor_cli.bench.document import Percentiles, PointResult

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `value` is None where the point does not know it."""

    name: str
    meaning: str
    value: Callable[[PointResult], Cell]


def _plain(name: str, meaning: str) -> Column:
    return Column(name, meaning, lambda row: getattr(row, name))


def _of(part: str, name: str, column: str, meaning: str) -> Column:
    """A field of a part of the point, which may be unknown as a whole."""

    def value(row: PointResult) -> Cell:
        found: Cell = getattr(getattr(row, part), name, None)
        return found

    return Column(column, meaning, value)


def _percentiles(part: str, of_what: str) -> list[Column]:
    names = {
        "mean": "mean",
        "p50": "median",
        "p90": "90th percentile",
        "p95": "95th percentile",
        "p99": "99th percentile",
    }
    columns = [
        _of(part, name, f"{part.removesuffix('_ms')}_{name}_ms", f"{word} of {of_what}, ms")
        for name, word in names.items()
        if name in Percentiles.model_fields
    ]
    return [*columns, _of(part, "n", f"{part.removesuffix('_ms')}_n", f"how many values of {of_what}")]


def _pass_seconds(name: str) -> Column:
    return Column(
        f"{name}_seconds_per_request",
        f"the device's time in the pass {name}, a request",
        lambda row: row.pass_seconds_per_request.get(name),
    )


COLUMNS: tuple[Column, ...] = (
    _plain("contestant", "engine, or loop: transformers' own, one request at a time"),
    _plain("batch_size", "requests together, as asked; auto is the engine's own choice"),
    _plain("batch_size_used", "requests together, as it was run"),
    _plain("frames", "frames a request"),
    _plain("tiles", "tiles a frame"),
    _plain("output_tokens", "the most new tokens a request may have"),
    _plain("status", "measured, out_of_memory, died or failed"),
    _plain("error", "why it did not end well"),
    Column("repeats", "how many repeats", lambda row: len(row.samples)),
    Column("is_noisy", "whether the repeats lie more than 10 % apart", lambda row: str(row.is_noisy).lower()),
    _plain("num_oom_retries", "how often memory ran out and the engine went on with less"),
    _plain("frames_per_second", "median over the repeats"),
    _of("frames_per_second_spread", "min", "frames_per_second_min", "the slowest repeat"),
    _of("frames_per_second_spread", "max", "frames_per_second_max", "the fastest repeat"),
    _plain("requests_per_second", "median over the repeats"),
    _plain("output_tokens_per_second", "median over the repeats"),
    _plain("prompt_tokens", "tokens of a prompt, those of its tiles included"),
    _plain("mean_output_tokens", "new tokens a caption had"),
    *_percentiles("latency_ms", "the time from entering the batch to the caption"),
    *_percentiles("wait_ms", "the time before entering the batch"),
    *_percentiles("ttft_ms", "the time to the first token"),
    *_percentiles("tpot_ms", "the time of a token after the first"),
    *(_pass_seconds(name) for name in ("tile", "vision", "prefill", "steps")),
    _plain("busy_share", "the device's time in passes over wall time, 0 to 1"),
    _of("memory", "peak_allocated_bytes", "peak_allocated_bytes", "the most the engine had allocated"),
    _of("memory", "peak_reserved_bytes", "peak_reserved_bytes", "the most its allocator had reserved"),
    _of("memory", "peak_device_bytes", "peak_device_bytes", "the most in use on the device, by its driver"),
    _of("memory", "peak_host_bytes", "peak_host_bytes", "the most main memory of the processes"),
    _of("hardware", "device_busy_percent", "device_busy_percent", "how busy the device was by its driver"),
    _of("hardware", "device_watts_mean", "device_watts_mean", "power of the device, mean"),
    _of("hardware", "device_watts_max", "device_watts_max", "power of the device, most"),
    _of("hardware", "device_celsius_max", "device_celsius_max", "the hottest the device was"),
    _of("hardware", "device_sm_mhz_mean", "device_sm_mhz_mean", "clock of the device, mean"),
    _of("hardware", "tree_cpu_percent", "tree_cpu_percent", "processors used, 100 for one of them"),
    _plain("joules_per_frame", "energy a frame"),
    _of("hardware", "joules_source", "joules_source", "whose energy that is"),
    _plain("speedup_over_loop", "frames/s over the loop's with the same requests"),
    _plain("agreement_with_batch_1", "share of the first captions that are those of batch size 1, 0 to 1"),
    _plain("num_captions_compared", "how many captions that is of; fewer than 16 are too few to tell"),
    _of("roofline", "frames_per_second", "roofline_frames_per_second", "the best the device could do"),
    _plain("share_of_roofline", "frames/s over that, 0 to 1"),
    _of("roofline", "mfu_vision", "mfu_vision", "share of the peak of arithmetic in the vision pass, 0 to 1"),
    _of("roofline", "mfu_prefill", "mfu_prefill", "share of the peak of arithmetic in prefill, 0 to 1"),
    _of("roofline", "mbu_steps", "mbu_steps", "share of the peak of reading in decode steps, 0 to 1"),
    _plain("start_seconds", "starting the engine, in no figure"),
    _plain("warm_up_seconds", "warming up, in no figure"),
    _plain("agreement_seconds", "captioning more after the repeats, to compare them, in no figure"),
)  # fmt: skip
