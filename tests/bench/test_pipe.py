"""The whole way of a sweep with INPUT: what it leaves, what writing costs in it, and that it is run once."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from corridor_cli.bench import command as bench_command
from corridor_cli.bench.document import read_document
from corridor_cli.cli.main import call
from corridor_cli.errors import ExitCode, StorageError
from tests import clips

SYNC_SECONDS = 0.05
ECHO = ["--engine", "echo", "--batch-sizes", "1,2", "--frames", "1", "--tiles", "1", "--seconds", "0"]
SWEEP = ["bench", *ECHO, "--output-tokens", "8", "--set", "decode.workers=1"]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "videos").mkdir()
    clips.draw("faststart.mp4", tmp_path / "videos")
    return tmp_path


def sweep(*more: str, code: int = ExitCode.OK) -> Any:
    assert call([*SWEEP, "--out", "results", *more, "videos"]) == code
    return read_document(Path("results/bench.json")).pipe


def test_writing_is_a_stage_and_counts_the_disk_s_syncing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe = sweep()
    assert pipe.num_scenes > 1
    assert list(pipe.seconds_by_stage) == ["decode", "write"], "the echo engine knows no passes"
    assert 0 < pipe.seconds_by_stage["write"] < pipe.wall_seconds
    assert 0 < pipe.seconds_by_stage["decode"] < pipe.wall_seconds
    assert [path.name for path in Path("results").iterdir() if path.name.startswith(".")] == []
    assert "the whole way, " in capsys.readouterr().out
    for name in ("points.md", "report.html"):
        assert "write, synced to disk" in Path("results", name).read_text(encoding="utf-8"), name
    assert Path("results/pictures/whole-way.svg").is_file()

    synced, real = [], os.fsync

    def slow(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        time.sleep(SYNC_SECONDS)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    assert call([*SWEEP, "--out", "slow", "videos"]) == ExitCode.OK
    pipe = read_document(Path("slow/bench.json")).pipe
    assert pipe is not None
    of_run = [path for path in synced if "/slow/.whole-way/" in path]
    assert any(path.endswith(".tmp") for path in of_run), "documents are written as a run writes them"
    assert pipe.seconds_by_stage["write"] >= SYNC_SECONDS * len(of_run) / 2


def test_what_is_kept_is_not_run_again(capsys: pytest.CaptureFixture[str]) -> None:
    first = sweep()
    assert "from files to timelines" in capsys.readouterr().err
    assert sweep("--resume") == first
    assert "from files to timelines" not in capsys.readouterr().err


def test_a_whole_way_that_fails_costs_itself_and_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any) -> None:
        raise StorageError("Cannot write x: No space left on device (ENOSPC).", hint="Run it again.")

    with monkeypatch.context() as patch:
        patch.setattr(bench_command, "run_pipe", full)
        assert sweep(code=ExitCode.PARTIAL) is None
    told = capsys.readouterr().err
    assert "the whole way failed: Cannot write x: No space left on device (ENOSPC); `vlmtl bench" in told
    assert "--resume` tries it again" in told
    assert "Run it again" not in told
    assert json.loads(Path("results/bench.json").read_text())["is_complete"]
    assert sweep("--resume").num_scenes > 1
