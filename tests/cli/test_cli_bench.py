"""`vlmtl bench` from the outside: what is refused, what is printed, and what a stop leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from corridor_cli.cli.main import call
from corridor_cli.errors import ExitCode

ECHO = ["--engine", "echo", "--frames", "1", "--tiles", "1", "--output-tokens", "8", "--seconds", "0.01"]


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["--batch-sizes", "0"],
            "flag --batch-sizes: got '0', allowed: positive integers up to 1,000,000 and auto, with commas",
        ),
        (["--batch-sizes", "4,-2"], "flag --batch-sizes"),
        (["--frames", "1,two"], "flag --frames: got '1,two', allowed: positive integers"),
        (["--tiles", "12"], "flag --tiles: got '12', allowed: 1, 3, 9"),
        (["--duration", "soon"], "flag --duration: got 'soon', allowed: a length of time"),
        (["--resume"], "got --resume without --out"),
        (["--resume", "--out", "nowhere"], "nowhere does not exist"),
        (["--repeats", "0"], "--repeats"),
        (["--seconds", "inf"], "--seconds"),
        (["--max-latency-ms", "inf"], "--max-latency-ms"),
    ],
)
def test_what_cannot_be_is_refused(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["bench", "--engine", "echo", *arguments]) == ExitCode.USAGE
    captured = capsys.readouterr()
    assert told in captured.err
    assert captured.out == ""


def test_an_empty_folder_has_nothing_to_measure_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert call(["bench", *ECHO, str(tmp_path / "empty")]) == ExitCode.NO_INPUTS
    assert "No video was found" in capsys.readouterr().err
    assert call(["bench", *ECHO, "--dry-run", str(tmp_path / "empty")]) == ExitCode.NO_INPUTS


def test_a_model_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["bench"]) == ExitCode.MODEL
    assert "--model tiny" in capsys.readouterr().err


def test_a_dry_run_prints_points_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(tmp_path.iterdir())
    arguments = ["bench", "--model", "tiny", "--batch-sizes", "1,4", "--dry-run"]
    assert call(arguments) == ExitCode.OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "loop, frames 1, tiles 1, tokens 32"
    assert "batch 4, frames 1, tiles 1, tokens 32 (centre)" in lines
    assert len(lines) == 1 + 2 + 3
    assert call([*arguments, "--json"]) == ExitCode.OK
    assert len(json.loads(capsys.readouterr().out)) == len(lines)
    assert set(tmp_path.iterdir()) == before


def test_results_go_to_stdout_and_to_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "results"
    assert call(["bench", *ECHO, "--batch-sizes", "1,2", "--out", str(out)]) == ExitCode.OK
    captured = capsys.readouterr()
    table = captured.out.splitlines()
    assert table[0].split()[:4] == ["batch", "frames", "tiles", "tokens"]
    assert [line.split()[0] for line in table[1:3]] == ["1", "2"]
    assert "Set batch size" in captured.err
    names = {path.name for path in out.iterdir()}
    assert {"bench.json", "points.csv", "points.md", "points.jsonl", "report.html"} <= names
    again = ["bench", *ECHO, "--batch-sizes", "1,2", "--out", str(out), "--resume", "--json"]
    assert call(again) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["schema"] == "vlmtl.bench/1"
    assert call(["bench", "compare", str(out / "bench.json"), str(out / "bench.json")]) == ExitCode.OK


def test_ctrl_c_keeps_the_points_and_says_how_to_go_on(tmp_path: Path) -> None:
    out = tmp_path / "results"
    slow = ["--set", "gpu_pipeline.internvl3.echo.delay_seconds=0.3"]
    command = ["bench", *ECHO, *slow, "--batch-sizes", "1,2,3,4", "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-m", "corridor_cli", *command],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        # A test run in the background ignores it, and a child would, too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    points = out / "points.jsonl"
    deadline = time.monotonic() + 60
    while not points.is_file() or points.read_text().count('"contestant"') < 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED, told
    assert "of 4 points are kept" in told
    assert "--resume" in told
    kept = points.read_text()
    assert call([*command, "--resume"]) == ExitCode.OK
    assert points.read_text().startswith(kept)
    assert json.loads((out / "bench.json").read_text())["is_complete"]
