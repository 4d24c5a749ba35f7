"""`bench.json`, as it is written and read: every sample with what was made of it.

Times are seconds but where a name says `_ms`. What is unknown is null. A share is 0 to 1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from corridor_cli.bench.points import BatchSize, Contestant
from corridor_cli.errors import UsageError
from corridor_cli.printable import printable

SCHEMA = "vlmtl.bench/1"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Spread(_Record):
    """Median, least and largest of `n` repeats."""

    n: int
    median: float
    min: float
    max: float

    @property
    def relative(self) -> float:
        """(max - min) / median; 0 for a median of 0."""
        return (self.max - self.min) / self.median if self.median else 0.0


class Percentiles(_Record):
    """Of `n` values in milliseconds; p99 only from 100 values on."""

    n: int
    mean: float
    p50: float
    p90: float
    p95: float
    p99: float | None


class Sample(_Record):
    """One repeat: so many requests from the first `submit` to the last caption.

    The lists have one value a request, in the order of the captions: from entering the batch to the caption,
    waiting before that, to the first token (empty where only whole batches are timed). `pass_seconds` is the
    device's time by pass.
    """

    seconds: float
    num_requests: int
    num_frames: int
    num_tiles: int
    prompt_tokens: int
    output_tokens: int
    latencies_ms: list[float]
    waits_ms: list[float]
    first_token_ms: list[float]
    time_per_token_ms: list[float]
    pass_seconds: dict[str, float]


class Memory(_Record):
    """The most that was held while the point ran."""

    peak_allocated_bytes: int | None = None
    peak_reserved_bytes: int | None = None
    peak_device_bytes: int | None = None
    peak_host_bytes: int | None = None


class HardwareUse(_Record):
    """What the machine did meanwhile; `sampler_cpu_share` is what looking at it cost, of one core."""

    device_busy_percent: float | None = None
    device_watts_mean: float | None = None
    device_watts_max: float | None = None
    device_celsius_max: float | None = None
    device_sm_mhz_mean: float | None = None
    throttle_reasons: list[str] = []
    tree_cpu_percent: float | None = None
    machine_cpu_percent: float | None = None
    joules: float | None = None
    joules_source: str | None = None
    sampler_cpu_share: float | None = None


class RooflineShare(_Record):
    """The best the device could do, by the formula and its measured peaks, and what was reached of it."""

    frames_per_second: float
    share: float
    vision_seconds: float
    prefill_seconds: float
    decode_seconds: float
    is_step_bound_by_memory: bool
    mfu_vision: float | None = None
    mfu_prefill: float | None = None
    mbu_steps: float | None = None


class PointResult(_Record):
    """What came of one point. Everything but `status` and `error` is null or empty where nothing ran.

    `output_tokens` is the limit that was set, `mean_output_tokens` what captions had.
    `batch_size_used` is smaller than asked where memory ran out. `caption_marks` are checksums of the first
    requests' captions, by which `agreement_with_batch_1` is reckoned: over `num_captions_compared` of them.
    `agreement_seconds` went to captions that were made for this alone, after the repeats.
    """

    contestant: Contestant
    batch_size: BatchSize
    frames: int
    tiles: int
    output_tokens: int
    status: Literal["measured", "out_of_memory", "died", "failed"]
    error: str | None = None
    batch_size_used: int | None = None
    reasons: list[str] = []
    start_seconds: float | None = None
    warm_up_seconds: float | None = None
    samples: list[Sample] = []
    is_noisy: bool = False
    num_oom_retries: int = 0
    prompt_tokens: int | None = None
    mean_output_tokens: float | None = None
    frames_per_second: float | None = None
    frames_per_second_spread: Spread | None = None
    requests_per_second: float | None = None
    output_tokens_per_second: float | None = None
    latency_ms: Percentiles | None = None
    wait_ms: Percentiles | None = None
    ttft_ms: Percentiles | None = None
    tpot_ms: Percentiles | None = None
    pass_seconds_per_request: dict[str, float] = {}
    busy_share: float | None = None
    memory: Memory = Memory()
    hardware: HardwareUse = HardwareUse()
    joules_per_frame: float | None = None
    caption_marks: list[int] = []
    agreement_with_batch_1: float | None = None
    num_captions_compared: int | None = None
    agreement_seconds: float | None = None
    speedup_over_loop: float | None = None
    roofline: RooflineShare | None = None
    share_of_roofline: float | None = None

    @property
    def key(self) -> tuple[str, BatchSize, int, int, int]:
        """What was asked."""
        return self.contestant, self.batch_size, self.frames, self.tiles, self.output_tokens


class PipeResult(_Record):
    """A real run over the INPUT with the recommended batch size, from files to timelines.

    `seconds_by_stage` has `decode`, of all media workers without their waiting for room; the device's passes
    as `Sample.pass_seconds`; and `write`, of pictures, captions and timelines to the disk of the results, its
    syncing included. Stages run side by side, so they may come to more than `wall_seconds`.
    """

    batch_size: BatchSize
    num_videos: int
    num_scenes: int
    num_captions: int
    video_seconds: float
    wall_seconds: float
    scenes_per_second: float
    captions_per_second: float
    times_real_time: float
    seconds_by_stage: dict[str, float]
    busy_share: float | None
    starved_share: float | None
    exit_code: int


class Window(_Record):
    """A stretch of a long run."""

    start_seconds: float
    seconds: float
    frames_per_second: float
    hardware: HardwareUse = HardwareUse()


class LongRun(_Record):
    """The centre for a long time: does it keep its speed? `drift` is the last quarter's frames/s over the
    first's."""

    batch_size: BatchSize
    seconds: float
    frames_per_second: float
    windows: list[Window]
    drift: float
    throttle_reasons: list[str] = []


class Choice(_Record):
    """A batch size with the reason it is named."""

    batch_size: int
    reason: str
    frames_per_second: float | None = None
    latency_p95_ms: float | None = None


class Verdict(_Record):
    """What to set: the smallest batch size within 3 % of the best throughput, the best within a limit of
    latency (null where none was set or none keeps it), and the largest that fitted."""

    recommended: Choice | None
    within_latency: Choice | None = None
    max_latency_ms: float | None = None
    largest_fitting: Choice | None = None
    notes: list[str] = []


class BenchDocument(_Record):
    """The whole of `bench.json`. `is_complete` is false while points are missing."""

    schema_: Literal["vlmtl.bench/1"] = Field("vlmtl.bench/1", alias="schema")
    created_at: str
    command: list[str]
    is_complete: bool
    environment: dict[str, Any]
    workload: dict[str, Any]
    settings: dict[str, Any]
    peaks: dict[str, Any] | None
    points: list[PointResult]
    pipe: PipeResult | None = None
    long_run: LongRun | None = None
    verdict: Verdict | None = None

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    def as_json(self) -> dict[str, Any]:
        """Plain tables and lists, ready for `json.dumps`."""
        table: dict[str, Any] = self.model_dump(mode="json", by_alias=True)
        return table


def read_document(path: Path) -> BenchDocument:
    """A file that `vlmtl bench` wrote. Raises `UsageError` for any other, and for one of another schema."""
    try:
        return BenchDocument.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(
            f"{printable(path)} cannot be read: {error.strerror}", hint="Give a bench.json."
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole file"
        raise UsageError(
            f"{printable(path)} is no result of this version's `vlmtl bench` ({SCHEMA}): "
            f"{printable(place)}: {printable(first['msg'])}",
            hint="Measure again with this version, or read it with the version that wrote it.",
        ) from error
