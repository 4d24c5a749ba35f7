"""Sweeps with real engines in processes of their own: what they find, keep, and say when it goes wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from corridor_cli.bench import long_run as long_run_module
from corridor_cli.bench import measure
from corridor_cli.bench.axes import read_axes
from corridor_cli.bench.command import BenchOptions, plan_sweep
from corridor_cli.bench.document import BenchDocument, PointResult, read_document
from corridor_cli.bench.measure import Effort, kind_of
from corridor_cli.bench.points import Point
from corridor_cli.bench.prepare import frames_source
from corridor_cli.bench.sweep import Sweep, SweepPlan
from corridor_cli.bench.tables import points_markdown, terminal_table
from corridor_cli.bench.verdict import keep_profile
from corridor_cli.config import LoadedSettings, load_settings
from corridor_cli.config.sources import Override
from corridor_cli.errors import UsageError
from corridor_cli.hardware import BEST_BATCH, kept_measurement
from corridor_cli.telemetry import Counters

QUICK = Effort(repeats=3, warm_up=1, seconds=0.05)


class Notes:
    """A reporter that remembers what it was told."""

    def __init__(self, stop_at: str = "") -> None:
        self.lines: list[str] = []
        self._stop_at = stop_at

    def note(self, message: str) -> None:
        self.lines.append(message)
        if self._stop_at and message.startswith(self._stop_at):
            raise KeyboardInterrupt

    warn = note

    def tick(self, counters: Counters) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def loaded(engine: str, **echo: float) -> LoadedSettings:
    key = "gpu_pipeline.internvl3."
    overrides = [Override(f"{key}engine", engine, "test")]
    if engine == "echo":
        overrides += [Override(f"{key}echo.{name}", value, "test") for name, value in echo.items()]
    else:
        overrides.append(Override(f"{key}model", "tiny", "test"))
    return load_settings(None, overrides, {})


def plan(settings: LoadedSettings, sizes: str, *, frames: str = "1", effort: Effort = QUICK) -> SweepPlan:
    axes = read_axes(sizes, frames, "1", "8")
    return plan_sweep([], settings, axes, BenchOptions(effort, with_loop=False), ("vlmtl", "bench"))


def run(
    settings: LoadedSettings,
    wanted: SweepPlan,
    folder: Path,
    notes: Notes | None = None,
    *,
    again: bool = False,
) -> BenchDocument:
    sweep = Sweep(wanted, settings.settings, frames_source([], settings.settings), notes or Notes())
    return sweep.run(folder, is_resumed=again)


def row(document: BenchDocument, **asked: object) -> PointResult:
    (found,) = [each for each in document.points if all(getattr(each, k) == v for k, v in asked.items())]
    return found


def test_batches_of_an_engine_with_a_known_pace(tmp_path: Path) -> None:
    settings = loaded("echo", delay_seconds=0.2)
    document = run(settings, plan(settings, "1,4"), tmp_path / "out")
    alone, four = row(document, batch_size=1), row(document, batch_size=4)
    # Each batch takes 200 ms, whatever is in it, and longer on a machine that has other things to do.
    for each, ideal in ((alone, 5.0), (four, 20.0)):
        assert each.frames_per_second is not None
        assert ideal / 2 < each.frames_per_second <= ideal
        assert each.latency_ms is not None
        assert 200 <= each.latency_ms.p50 < 400
        assert each.frames_per_second_spread is not None
        assert each.frames_per_second_spread.n == len(each.samples) == 3
        assert each.ttft_ms is None, "an engine of whole batches knows no first token"
    assert document.verdict is not None
    assert document.verdict.recommended is not None
    assert document.verdict.recommended.batch_size == 4
    assert document.is_complete


def test_a_lack_of_memory_a_death_and_an_error_are_rows(tmp_path: Path) -> None:
    settings = loaded("echo", oom_above=2)
    document = run(settings, plan(settings, "1,2,4"), tmp_path / "oom")
    assert [each.status for each in document.points] == ["measured", "measured", "out_of_memory"]
    short = row(document, batch_size=4)
    assert short.batch_size_used == 2
    assert short.num_oom_retries > 0
    assert "2 were run" in (short.error or "")
    assert document.verdict is not None
    assert document.verdict.largest_fitting is not None
    assert document.verdict.largest_fitting.batch_size == 2

    settings = loaded("echo", die_after=3)
    document = run(settings, plan(settings, "1,4"), tmp_path / "died")
    assert [each.status for each in document.points] == ["died", "died"]
    assert "SIGKILL" in (document.points[0].error or "")
    assert document.points[0].frames_per_second is None
    assert document.verdict is not None
    assert document.verdict.recommended is None
    assert len(document.verdict.notes) == 2

    settings = loaded("echo", fail_every=2)
    document = run(settings, plan(settings, "4"), tmp_path / "failed")
    assert document.points[0].status == "failed"
    assert "echo was told to fail" in (document.points[0].error or "")


@dataclass(frozen=True)
class Compared:
    """A sweep of the bundled model over two batch sizes and two numbers of frames, and what it kept."""

    settings: LoadedSettings
    wanted: SweepPlan
    document: BenchDocument
    measurement_key: str
    kept: object


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    """Loads torch five times, so it is made once."""
    folder = tmp_path_factory.mktemp("compared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        settings = loaded("local")
        wanted = plan(settings, "1,3", frames="1,2")
        document = run(settings, wanted, folder / "out")
        key = measurement_key(folder / "out")
        return Compared(settings, wanted, document, key, kept_measurement(BEST_BATCH, key))


def test_the_bundled_model_is_measured_by_pass_and_against_its_ceiling(compared: Compared) -> None:
    document = compared.document
    assert len(document.points) == 3
    three, pairs = row(document, batch_size=3, frames=1), row(document, frames=2)
    assert three.agreement_with_batch_1 == 1.0, "fp32: batches change no caption"
    assert set(three.pass_seconds_per_request) == {"tile", "vision", "prefill", "steps"}
    assert three.busy_share is not None
    assert 0.3 < three.busy_share <= 1.0
    assert three.ttft_ms is not None
    assert three.latency_ms is not None
    assert three.tpot_ms is not None
    assert three.ttft_ms.p50 < three.latency_ms.p50
    assert three.memory.peak_host_bytes is not None
    assert three.memory.peak_host_bytes > 100 * 2**20
    assert three.memory.peak_allocated_bytes is None, "nobody counts allocations on a CPU"
    assert three.roofline is not None
    assert three.share_of_roofline is not None
    assert 0 < three.share_of_roofline < 1
    assert pairs.samples[0].num_tiles == 2 * pairs.samples[0].num_requests
    assert pairs.prompt_tokens is not None
    assert three.prompt_tokens is not None
    assert pairs.prompt_tokens > three.prompt_tokens
    assert document.peaks is not None
    assert document.environment["model"] == "tiny"


def test_captions_enough_to_compare_are_made_apart_from_what_is_timed(tmp_path: Path) -> None:
    settings = loaded("echo", delay_seconds=0.02)
    short = replace(QUICK, seconds=0.0)  # a batch a repeat, as on a machine that takes seconds for each
    document = run(settings, plan(settings, "1,3,16", effort=short), tmp_path / "out")
    for size in (1, 3, 16):
        each = row(document, batch_size=size)
        assert [sample.num_requests for sample in each.samples] == [size] * 3
        assert (each.num_captions_compared, each.agreement_with_batch_1) == (16, 1.0)
    alone, sixteen = row(document, batch_size=1), row(document, batch_size=16)
    assert alone.agreement_seconds is not None
    assert alone.agreement_seconds >= 15 * 0.02, "a batch each"
    assert sixteen.agreement_seconds is None, "a repeat had enough"
    assert "16 of 16" in points_markdown(document)
    assert "too few" not in points_markdown(document)
    # Nothing at batch size 1 to compare with: nothing is captioned for it.
    document = run(settings, plan(settings, "3,5", effort=short), tmp_path / "without")
    assert [each.agreement_seconds for each in document.points] == [None, None]
    assert [each.num_captions_compared for each in document.points] == [None, None]


def test_too_few_captions_to_compare_are_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "_AGREEMENT_SECONDS", 0.5)
    settings = loaded("echo", delay_seconds=0.15)
    document = run(settings, plan(settings, "1,2", effort=replace(QUICK, seconds=0.0)), tmp_path / "out")
    two, alone = row(document, batch_size=2), row(document, batch_size=1)
    assert alone.agreement_seconds is not None
    assert alone.agreement_seconds < 0.7
    assert two.num_captions_compared == len(alone.caption_marks) < 16
    number = two.num_captions_compared
    assert f"{number} of {number}, too few" in points_markdown(document)
    for text in (points_markdown(document), terminal_table(document, 100)):
        words = " ".join(text.split())
        assert f"compared with those of batch size 1 at 1 point, {number} at batch 2" in words


def test_auto_begins_with_what_was_kept(compared: Compared, tmp_path: Path) -> None:
    verdict, key, centre = compared.document.verdict, compared.measurement_key, compared.wanted.centre
    assert verdict is not None
    one_frame = [each for each in compared.document.points if each.frames == 1]
    assert (compared.kept is None) == any(each.is_noisy for each in one_frame)
    calm = [each.model_copy(update={"is_noisy": False}) for each in compared.document.points]
    keep_profile(verdict, [each for each in calm if each.batch_size == 3], centre, key)
    assert kept_measurement(BEST_BATCH, key) is None, "one batch size was compared with nothing"
    keep_profile(verdict, calm, centre, key)
    kept = kept_measurement(BEST_BATCH, key)
    assert isinstance(kept, dict)
    assert kept["batch_size"] == 3
    auto = run(compared.settings, plan(compared.settings, "auto"), tmp_path / "auto").points[0]
    assert auto.batch_size_used == 3
    assert any("vlmtl bench" in reason for reason in auto.reasons)


def test_what_was_noisy_is_not_kept(compared: Compared) -> None:
    document = compared.document
    assert document.verdict is not None
    rows = [each.model_copy(update={"is_noisy": True}) for each in document.points]
    keep_profile(document.verdict, rows, compared.wanted.centre, "elsewhere")
    assert kept_measurement(BEST_BATCH, "elsewhere") is None


def measurement_key(folder: Path) -> str:
    """The name under which the sweep's engine keeps what is measured."""
    lines = map(json.loads, (folder / "points.jsonl").read_text().splitlines())
    key: str = next(line["engine"]["measurement_key"] for line in lines if "engine" in line)
    return key


def test_a_sweep_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    settings = loaded("echo", delay_seconds=0.01)
    wanted, folder = plan(settings, "1,2,4"), tmp_path / "out"
    stopping = Notes(stop_at="3/3")
    with pytest.raises(KeyboardInterrupt):
        run(settings, wanted, folder, stopping)
    assert any("2 of 3 points are kept" in line and "--resume" in line for line in stopping.lines)
    kept = (folder / "points.jsonl").read_text().splitlines()
    with (folder / "points.jsonl").open("a") as file:
        file.write('{"contestant": "engine", "batch')  # the machine stopped while this was written
    with pytest.raises(UsageError, match=r"allowed: a new folder, or --resume"):
        run(settings, wanted, folder)
    notes = Notes()
    document = run(settings, wanted, folder, notes, again=True)
    assert document.is_complete
    assert notes.lines[0].startswith("2 points were measured before; 1 are left")
    assert (folder / "points.jsonl").read_text().splitlines()[: len(kept)] == kept


def test_a_resumed_sweep_with_nothing_left_still_knows_its_engine(tmp_path: Path) -> None:
    settings = loaded("echo", delay_seconds=0.01)
    first = run(settings, plan(settings, "1"), tmp_path / "out")
    again = run(settings, plan(settings, "1"), tmp_path / "out", again=True)
    assert again.environment["engine"] == first.environment["engine"] == "echo"
    assert again.points == first.points


def test_another_sweep_is_not_added_to(tmp_path: Path) -> None:
    settings = loaded("echo", delay_seconds=0.01)
    run(settings, plan(settings, "1"), tmp_path / "out")
    for other in (plan(settings, "1,2"), plan(settings, "1", effort=replace(QUICK, repeats=5))):
        with pytest.raises(UsageError, match="belongs to another sweep"):
            run(settings, other, tmp_path / "out", again=True)


def test_the_document_is_read_back_and_no_other_is(tmp_path: Path) -> None:
    settings = loaded("echo", delay_seconds=0.01)
    document = run(settings, plan(settings, "1"), tmp_path / "out")
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(document.as_json()))
    assert read_document(path) == document
    path.write_text(path.read_text().replace("vlmtl.bench/1", "vlmtl.bench/9"))
    with pytest.raises(UsageError, match="schema"):
        read_document(path)
    path.write_text("{}")
    with pytest.raises(UsageError, match="is no result of this version"):
        read_document(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_document(tmp_path / "missing.json")


def test_a_long_run_is_looked_at_by_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_run_module, "_MIN_WINDOW_SECONDS", 1.0)
    settings = loaded("echo", delay_seconds=0.02)
    wanted = replace(plan(settings, "2"), duration_seconds=2.2)
    long_run = run(settings, wanted, tmp_path / "out").long_run
    assert long_run is not None
    assert [window.seconds for window in long_run.windows] == pytest.approx([1.1, 1.1])
    assert 10 < long_run.frames_per_second <= 101
    first, last = (window.frames_per_second for window in long_run.windows)
    assert long_run.frames_per_second == pytest.approx((first + last) / 2, rel=0.05)
    assert long_run.drift == pytest.approx(last / first)


def test_what_was_measured_outlives_a_long_run_that_fails_or_is_stopped(tmp_path: Path) -> None:
    settings = loaded("echo", delay_seconds=0.02, die_after=40)
    errors = replace(settings.settings.errors, engine_restarts=1)  # two hosts that die, not nine
    settings = replace(settings, settings=replace(settings.settings, errors=errors))
    wanted = replace(plan(settings, "2"), duration_seconds=60.0)
    notes = Notes()
    document = run(settings, wanted, tmp_path / "failed", notes)
    assert [each.status for each in document.points] == ["measured"]
    assert document.long_run is None
    assert any(line.startswith("the long run failed: ") and "SIGKILL" in line for line in notes.lines)

    stopping = Notes(stop_at="for 1 min")
    with pytest.raises(KeyboardInterrupt):
        run(settings, wanted, tmp_path / "stopped", stopping)
    assert any("1 of 1 points are kept" in line and "--resume" in line for line in stopping.lines)


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        ("OutOfMemory: not even one fits", "out_of_memory"),
        ("Device cuda:0 has too little memory for a single request.", "out_of_memory"),
        ("Model 'x' does not fit into the memory of cpu: its weights take 9 GiB", "out_of_memory"),
        ("The folder /data/memory/model does not exist", "failed"),
        ("ContextOverflow: 9000 prompt tokens", "failed"),
    ],
)
def test_a_lack_of_memory_is_told_from_what_only_names_it(problem: str, status: str) -> None:
    assert kind_of(problem) == status


def test_points_have_names_that_tell_them_apart() -> None:
    names = {Point("engine", size, 1, 1, 32).name for size in (1, 2)} | {Point("loop", 1, 1, 1, 32).name}
    assert len(names) == 3
