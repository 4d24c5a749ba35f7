"""`vlmtl run` from the command line to the outcome: the real runner and the echo engine, nothing decoded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from corridor_cli.cli.main import call
from corridor_cli.errors import ExitCode


@pytest.fixture(autouse=True)
def _three_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for name in ("a[b].mp4", "c\nd.mkv", "-e.mp4"):
        Path("in", name).write_bytes(b"not looked at")


def test_a_dry_run_lists_inputs_on_stdout_and_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["run", "in", "out", "--engine", "echo", "--dry-run"]) == ExitCode.OK
    told = capsys.readouterr()
    header, *rows = told.out.splitlines()
    assert header.split() == ["FOUND", "PLAN", "INPUT"]
    assert [row.split()[:2] for row in rows] == [["new", "do"]] * 3
    assert any(row.endswith("in/c\\nd.mkv") for row in rows)
    assert told.err == "dry run: 3 to do, 0 to skip; nothing was done\n"
    assert not Path("out").exists()


def test_the_outcome_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--engine", "echo", "--dry-run", "--json", "-q"]
    assert call(["run", "in", "out", *arguments, "--include", "*.mp4", "--limit", "1"]) == ExitCode.OK
    told = capsys.readouterr()
    assert told.err == ""
    outcome = json.loads(told.out)
    assert (outcome["exit_code"], outcome["num_pending"], len(outcome["videos"])) == (0, 1, 1)


def test_names_with_a_leading_dash_come_after_two_dashes(capsys: pytest.CaptureFixture[str]) -> None:
    Path("-e.mp4").write_bytes(b"not looked at")
    assert call(["run", "--engine", "echo", "--dry-run", "--", "-e.mp4", "out"]) == ExitCode.OK
    assert capsys.readouterr().out.splitlines()[1].endswith("/-e.mp4")


def test_flags_are_checked_like_settings_and_all_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    flags = [
        "--batch-size",
        "many",
        "--device",
        "gpu",
        "--limit",
        "0",
        "--engine",
        "fake",
        "--log-format",
        "xml",
    ]
    assert call(["run", "in", "out", *flags, "--set", "captions.prompt=x"]) == ExitCode.USAGE
    told = capsys.readouterr()
    assert told.out == ""
    *lines, hint = told.err.splitlines()
    assert [line.split(": ")[2] for line in lines] == [
        "flag --set captions.prompt",
        "flag --engine",
        "flag --device",
        "flag --batch-size",
        "flag --limit",
        "flag --log-format",
    ]
    assert "vlmtl config show" in hint


def test_a_run_without_videos_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    assert call(["run", "empty", "out", "--engine", "echo"]) == ExitCode.NO_INPUTS
    assert capsys.readouterr().err.startswith("vlmtl: error: ")
    assert call(["run", "empty", "out", "--engine", "echo", "--log-format", "json"]) == ExitCode.NO_INPUTS
    event = json.loads(capsys.readouterr().err)
    assert (event["event"], event["exit_code"]) == ("run_failed", 4)


def test_the_settings_file_of_the_folder_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["config", "init"]) == ExitCode.OK
    assert call(["run", "in", "out", "--engine", "echo", "--dry-run"]) == ExitCode.OK
    assert "settings from ./config/processing.yaml, found in the current folder\n" in capsys.readouterr().err
