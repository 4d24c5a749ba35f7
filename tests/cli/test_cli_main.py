"""The command as a whole: help, exit codes, what goes where, and how quickly it answers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from corridor_cli import __version__
from corridor_cli.cli import config, main
from corridor_cli.cli.main import call
from corridor_cli.errors import (
    ExitCode,
    ModelError,
    NoInputsError,
    OutputLockedError,
    StorageError,
    UsageError,
    VlmtlError,
)

COMMANDS = [
    ["run"],
    ["scenes"],
    ["probe"],
    ["estimate"],
    ["schema"],
    ["validate"],
    ["export"],
    ["report"],
    ["search"],
    ["show"],
    ["status"],
    ["diff"],
    ["config"],
    ["config", "show"],
    ["config", "check"],
    ["config", "init"],
    ["models"],
    ["models", "verify"],
    ["models", "list"],
    ["models", "pull"],
    ["doctor"],
    ["completion"],
    ["bench"],
    ["bench", "compare"],
]


@pytest.mark.parametrize("command", [[], *COMMANDS], ids=" ".join)
def test_every_command_has_help_on_stdout(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call([*command, "--help"]) == ExitCode.OK
    told = capsys.readouterr()
    assert told.err == ""
    assert told.out.startswith(f"Usage: {' '.join(['vlmtl', *command])} ")
    assert max(map(len, told.out.splitlines())) <= 80
    if command and command not in (["config"], ["models"]):
        assert call([*command, "-h"]) == ExitCode.OK
        assert capsys.readouterr().out == told.out


def test_every_option_of_run_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    call(["run", "--help"])
    told = capsys.readouterr().out
    assert "INPUT... OUTPUT" in told
    explained = dict(re.findall(r"^  (?:-\w, )?(--[\w-]+)\b.{0,26}?  +(\S.*)$", told, re.MULTILINE))
    values = (
        "config set model load-format preset engine device batch-size prompt mode transcripts cuts include "
        "exclude limit"
    )
    switches = "summary profile dry-run force retry-failed fail-fast json quiet verbose help log-format"
    assert set(explained) == {f"--{name}" for name in f"{values} {switches}".split()}


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--version"]) == ExitCode.OK
    assert capsys.readouterr().out == f"vlmtl {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnu"], "No such command 'rnu'. Did you mean 'run'?"),
        (["run", "--nope", "a", "b"], "No such option: --nope"),
        (["run"], "Missing argument 'INPUT... OUTPUT'"),
        (["run", "videos"], "got one path (videos), allowed: one INPUT or more, and then OUTPUT"),
        (["run", "a", __file__], "which is a file, allowed: a folder, new or not"),
        (["run", "a", "b", "-q", "-v"], "got both -q and -v, allowed: one of them"),
        (["run", "a", "b", "--set", "x"], "flag --set: got 'x', allowed: KEY=VALUE"),
        (["scenes"], "Missing argument 'INPUT...'"),
        (["scenes", "a", "--json", "--csv", "-"], "got both --json and --csv -, allowed: one of them"),
        (["scenes", "a", "--sheet", __file__], "which is a file, allowed: a folder, new or not"),
        (["scenes", "a", "--stats", __file__], "which is a file, allowed: a folder, new or not"),
        (["scenes", "a", "--csv", __file__], "which is a file, allowed: a folder, new or not"),
        (
            ["scenes", ".", "--stats", "s", "--detector", "none"],
            "which measures nothing, allowed: a detector",
        ),
        (["scenes", "a", "--threshold", "much"], "flag --threshold"),
        (["probe"], "Missing argument 'FILE...'"),
        (["estimate"], "Missing argument 'INPUT...'"),
        (["estimate", "a", "--devices", "0"], "flag --devices: got '0', allowed: a whole number from 1 on"),
        (["estimate", "a", "--sample", "-3"], "flag --sample: got '-3', allowed: a whole number from 1 on"),
        (["estimate", "a", "--sample", "1.5"], "flag --sample: got '1.5', allowed: a whole number"),
        (["estimate", "a", "--cost-per-hour", "0"], "flag --cost-per-hour: got '0', allowed: a number above"),
        (["estimate", "a", "--cost-per-hour", "nan"], "flag --cost-per-hour: got 'nan', allowed: a number"),
        (["estimate", "a", "--cost-per-hour", "x"], "flag --cost-per-hour: got 'x', allowed: a number above"),
        (["estimate", "a", "--output", __file__], "which is a file, allowed: a folder, there or not"),
        (["config", "show", "--set", "=x"], "flag --set: got '=x', allowed: KEY=VALUE"),
        (["config", "check"], "Missing argument 'FILE'"),
        (["validate"], "Missing argument 'OUTPUT'"),
        (["status"], "Missing argument 'OUTPUT'"),
        (["diff", "a"], "Missing argument 'B'"),
        (["bench", "compare", "a"], "Missing argument 'B.json'"),
        (["bench", "compare", "a", "b"], "a cannot be read: No such file or directory"),
        (["run", "a\n\x1b[31m"], "got one path (a\\n\\x1b[31m)"),
    ],
)
def test_wrong_usage_is_one_line_and_a_way_out(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(arguments) == ExitCode.USAGE
    told = capsys.readouterr()
    assert told.out == ""
    first, *more = told.err.splitlines()
    assert first.startswith("vlmtl: error: ")
    assert said in first
    assert len(more) <= 1


@pytest.mark.parametrize("arguments", [[], ["config"], ["models"]])
def test_a_group_without_a_command_shows_its_help_and_fails(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(arguments) == ExitCode.USAGE
    told = capsys.readouterr()
    assert told.out == ""
    assert "Commands:" in told.err


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (UsageError("what", hint="do this"), 2),
        (NoInputsError("what", hint="do this"), 4),
        (ModelError("what", hint="do this"), 5),
        (StorageError("what", hint="do this"), 6),
        (OutputLockedError("what", hint="do this"), 7),
        (KeyboardInterrupt(), 130),
    ],
)
def test_an_error_becomes_its_exit_code(
    error: VlmtlError | KeyboardInterrupt,
    exit_code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(config.app.registered_callback, "callback", lambda context: fail())
    assert call(["config", "show"]) == exit_code
    expected = "vlmtl: error: what\ndo this\n" if isinstance(error, VlmtlError) else ""
    assert capsys.readouterr().err == expected


def test_a_bug_asks_to_be_reported_and_shows_its_trace_only_when_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("in [/] here")

    monkeypatch.setattr(config.app.registered_callback, "callback", lambda context: fail())
    monkeypatch.delenv("VLMTL_DEBUG", raising=False)
    assert call(["config", "show"]) == ExitCode.INTERNAL
    told = capsys.readouterr().err
    assert told.startswith("vlmtl: error: internal error: ZeroDivisionError: in [/] here\n")
    assert "report it" in told
    assert "Traceback" not in told
    monkeypatch.setenv("VLMTL_DEBUG", "1")
    assert call(["config", "show"]) == ExitCode.INTERNAL
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.alone
def test_help_is_quick_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from corridor_cli.cli.main import call; code = call(['--help']); "
        "print(code, *sys.modules, file=sys.stderr)"
    )
    times = []
    for _ in range(3):  # the machine may be busy: the quickest of three says what the command costs
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
        )
        times.append(time.perf_counter() - start)
    exit_code, *modules = done.stderr.split()
    assert exit_code == "0"
    heavy = {"torch", "transformers", "decord", "av", "numpy", "PIL", "pydantic", "yaml", "rich"}
    assert heavy.isdisjoint(module.partition(".")[0] for module in modules)
    assert min(times) < 0.5


def test_python_m_and_a_reader_that_leaves_early() -> None:
    command = [sys.executable, "-m", "corridor_cli", "config", "show"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == ExitCode.INTERNAL


def test_a_full_disk_behind_stdout_is_told() -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "corridor_cli", "config", "show"]
        done = subprocess.run(command, check=False, stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == ExitCode.STORAGE
    assert done.stderr == b"vlmtl: error: the result cannot be written to stdout: No space left on device\n"


def test_names_that_are_not_utf8_and_a_locale_that_knows_ascii_only() -> None:
    environ = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "corridor_cli", "run", b"caf\xe9\n\xc3\xa9[/]"]
    done = subprocess.run(command, check=False, capture_output=True, env=environ, timeout=60)
    assert done.returncode == ExitCode.USAGE
    assert b"got one path (caf\\xe9\\n" in done.stderr
    assert b"[/])" in done.stderr


def test_main_leaves_with_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["vlmtl", "nope"])
    with pytest.raises(SystemExit) as left:
        main.main()
    assert left.value.code == 2


def test_the_schema_is_a_valid_schema(capsys: pytest.CaptureFixture[str]) -> None:
    from jsonschema import Draft202012Validator

    assert call(["schema"]) == ExitCode.OK
    Draft202012Validator.check_schema(json.loads(capsys.readouterr().out))


def test_a_folder_without_timelines_is_not_valid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["validate", str(tmp_path)]) == ExitCode.CHECK_FAILED
    assert "holds no timeline" in capsys.readouterr().err
    assert call(["validate", str(tmp_path / "missing")]) == ExitCode.USAGE


def test_a_broken_timeline_is_told_on_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a[b].mp4.timeline.json").write_text('{"schema": "vlmtl.timeline/1"}')
    assert call(["validate", str(tmp_path)]) == ExitCode.CHECK_FAILED
    told = capsys.readouterr()
    assert "a[b].mp4.timeline.json: " in told.out
    assert "1 document checked, 1 file wrong" in told.err
    assert call(["validate", str(tmp_path), "--json"]) == ExitCode.CHECK_FAILED
    assert json.loads(capsys.readouterr().out)["num_documents"] == 1
