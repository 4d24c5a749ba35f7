"""`run --profile`: a trace on one axis of time, and a page that adds up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from corridor_cli.cli.main import call
from corridor_cli.runners.profile import Span, merged, summary_of
from tests import clips


def test_a_run_leaves_a_trace_and_a_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    for name in ("h264.mp4", "h264_bframes.mp4"):
        clips.draw(name, tmp_path / "in")
    output = tmp_path / "out"
    code = call(["run", str(tmp_path / "in"), str(output), "--model", "tiny", "--device", "cpu", "--profile"])
    assert code == 0
    folder = output / ".vlmtl" / "profile"
    assert sorted(path.name for path in folder.iterdir()) == ["summary.md", "trace.json"]
    assert str(folder / "summary.md") in capsys.readouterr().err
    events = json.loads((folder / "trace.json").read_bytes())["traceEvents"]
    ours = [event for event in events if event["name"].startswith("vlmtl:")]
    assert {event["name"] for event in ours} >= {"vlmtl:decode", "vlmtl:write", "vlmtl:steps"}
    decodes = [event for event in ours if event["name"] == "vlmtl:decode"]
    assert {event["args"]["file"] for event in decodes} == {path.name for path in (tmp_path / "in").iterdir()}
    # Everything lies within the run, on one axis: the engine captions what was decoded just before.
    steps = min(event["ts"] for event in ours if event["name"] == "vlmtl:steps")
    first = min(event["ts"] for event in decodes)
    assert 0 < (steps - first) / 1e6 < 120
    assert "| steps |" in (folder / "summary.md").read_text()


def test_a_profile_that_cannot_be_written_costs_no_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, output = clips.draw("h264.mp4", tmp_path), tmp_path / "out"
    (output / ".vlmtl" / "profile" / "trace.json").mkdir(parents=True)
    assert call(["run", str(path), str(output), "--engine", "echo", "--profile"]) == 0
    assert "could not be written" in capsys.readouterr().err
    assert list(output.rglob("*.timeline.json"))
    other = tmp_path / "other"
    (other / ".vlmtl" / "profile").mkdir(parents=True)
    (other / ".vlmtl" / "profile" / "engine.json").write_text('{"traceEvents": [')  # a disk was full
    assert call(["run", str(path), str(other), "--engine", "echo", "--profile"]) == 0
    # What a run left that was killed is no part of this one.
    assert json.loads((other / ".vlmtl" / "profile" / "trace.json").read_bytes())["traceEvents"]
    assert "could not be written" not in capsys.readouterr().err


def test_without_the_flag_nothing_is_left(tmp_path: Path) -> None:
    path = clips.draw("h264.mp4", tmp_path)
    assert call(["run", str(path), str(tmp_path / "out"), "--engine", "echo"]) == 0
    assert not (tmp_path / "out" / ".vlmtl" / "profile").exists()


def test_a_run_without_captions_adds_up_no_earlier_one(tmp_path: Path) -> None:
    path, output = clips.draw("h264.mp4", tmp_path), tmp_path / "out"
    assert call(["run", str(path), str(output), "--model", "tiny", "--device", "cpu"]) == 0
    again = ["run", str(path), str(output), "--model", "tiny", "--device", "cpu", "--profile"]
    assert call([*again, "--set", "frames.save=full"]) == 0
    summary = (output / ".vlmtl" / "profile" / "summary.md").read_text()
    assert "| vision | 0.00 |" in summary
    assert "| decode | 0.00 |" not in summary


def test_the_summary_adds_up() -> None:
    spans = [Span("decode", 100.0, 2.0, 0), Span("decode", 100.0, 3.0, 1), Span("write", 104.0, 0.5, 0)]
    batches = [{"wall_seconds": 4.0, "pass_seconds": {"vision": 1.0, "steps": 2.0}}] * 2
    text = summary_of(spans, batches, 10.0, has_trace=True)
    for row in ("| decode | 5.00 | 50.0% |", "| vision | 2.00 | 20.0% |", "| steps | 4.00 | 40.0% |"):
        assert row in text
    assert "8.0 s (80%)" in text


def test_spans_are_placed_by_the_trace_s_own_zero() -> None:
    engine = {"baseTimeNanoseconds": 100 * 10**9, "traceEvents": [{"name": "x", "ph": "X", "ts": 5e6}]}
    (_, span, *_) = merged(engine, [Span("write", 106.0, 0.25, 0)])["traceEvents"]
    assert span["ts"] == pytest.approx(6e6)
    assert span["dur"] == pytest.approx(250_000)
    alone = merged({}, [Span("write", 106.0, 0.25, 0)])["traceEvents"][0]
    assert alone["ts"] == 0
