"""`vlmtl models list` and `pull`: what is here, and how more gets here, from a hub on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from small_hub import COMMIT, small_hub

from corridor_cli.cli.main import call
from corridor_cli.engine.locate import bundled_folder
from corridor_cli.errors import ExitCode

OTHER_COMMIT = "f" * 40
MODEL = "someone/tiny-hf"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def snapshot(cache: Path, model: str, commit: str = COMMIT, name: str = "main") -> Path:
    repository = cache / f"models--{model.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True, exist_ok=True)
    (repository / "refs" / name).write_text(commit)
    return Path(shutil.copytree(bundled_folder(), repository / "snapshots" / commit))


def rewritten(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def listed(capsys: pytest.CaptureFixture[str]) -> dict[tuple[str, str | None], dict[str, Any]]:
    assert call(["models", "list", "--json"]) == ExitCode.OK
    rows = json.loads(capsys.readouterr().out)["models"]
    return {(row["model"], row["revision"]): row for row in rows}


def test_bundled_and_presets_are_listed_without_a_cache(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = listed(capsys)
    assert [name for name, _ in rows] == ["tiny", "internvl3-1b", "internvl3-2b", "internvl3-8b"]
    tiny = rows["tiny", None]
    assert (tiny["kind"], tiny["engine"], tiny["problem"]) == ("bundled", "local", "")
    assert tiny["size_bytes"] > 1_000_000
    assert rows["internvl3-2b", None]["size_bytes"] is None


def test_checkpoints_in_the_cache_are_whole_or_not(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    snapshot(cache, "a/good-hf")
    snapshot(cache, "a/good-hf", OTHER_COMMIT, "v2")
    torn = snapshot(cache, "b/torn-hf")
    (torn / "model.safetensors").unlink()
    (torn / "model.safetensors").symlink_to("../../blobs/gone")
    rewritten(snapshot(cache, "c/other"), architectures=["SomeForConditionalGeneration"])
    rewritten(snapshot(cache, "d/language"), architectures=["SomeForCausalLM"])
    (snapshot(cache, "e/no-json") / "config.json").write_text("{")
    (cache / "datasets--x--y" / "snapshots" / COMMIT).mkdir(parents=True)
    (cache / "version.txt").write_text("1")
    rows = {key: row for key, row in listed(capsys).items() if row["kind"] == "cached"}
    assert list(rows) == [
        ("a/good-hf", COMMIT), ("a/good-hf", OTHER_COMMIT), ("b/torn-hf", COMMIT), ("c/other", COMMIT),
    ]  # fmt: skip
    assert [row["engine"] for row in rows.values()] == ["local", "local", None, "generic"]
    assert [row["names"] for row in rows.values()] == [["main"], ["v2"], ["main"], ["main"]]
    assert "no model.safetensors" in rows["b/torn-hf", COMMIT]["problem"]
    assert rows["c/other", COMMIT]["reason"] == "its architecture is SomeForConditionalGeneration"
    assert call(["models", "list"]) == ExitCode.OK
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.startswith("b/torn-hf ")]
    assert line.split()[3:5] == ["BROKEN", "-"]
    assert "  > vlmtl models pull b/torn-hf" in lines
    assert "c/other: generic, for its architecture is SomeForConditionalGeneration" in lines


@pytest.mark.parametrize(
    ("arguments", "environ", "exit_code", "said"),
    [
        (["tiny"], {}, ExitCode.USAGE, "is tiny, which is on this machine already, allowed: a hub id"),
        (["."], {}, ExitCode.USAGE, "is ., which is on this machine already"),
        (["https://hub/a/b"], {}, ExitCode.USAGE, "is https://hub/a/b, which is no hub id"),
        ([MODEL], {"HF_HUB_OFFLINE": "1"}, ExitCode.MODEL, "the network is switched off (HF_HUB_OFFLINE"),
        ([MODEL], {}, ExitCode.MODEL, "could not be fetched"),
    ],
)
def test_what_cannot_be_fetched_is_told(
    arguments: list[str],
    environ: dict[str, str],
    exit_code: ExitCode,
    said: str,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.setenv(name, environ.get(name, "0"))
    assert call(["models", "pull", *arguments]) == exit_code
    told = capsys.readouterr()
    assert told.out == ""
    (error,) = [line for line in told.err.splitlines() if line.startswith("vlmtl: error: ")]
    assert said in error


def pull(model: str, url: str, home: Path) -> subprocess.CompletedProcess[str]:
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "HF_ENDPOINT": url,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "TRANSFORMERS_OFFLINE": "0",
        "NO_PROXY": "*",
    }
    command = [sys.executable, "-m", "corridor_cli", "models", "pull", model]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environ, timeout=100)


def test_only_what_a_run_reads_is_fetched_and_only_once(tmp_path: Path) -> None:
    more = {"modeling.py": b"boom()", "pytorch_model.bin": b"\x80\x04.", "picture.png": b"x"}
    with small_hub(MODEL, bundled_folder(), more) as hub:
        done = pull(MODEL, hub.url, tmp_path)
        assert done.returncode == ExitCode.OK, done.stderr
        folder = Path(done.stdout.removesuffix("\n"))
        assert folder.name == COMMIT
        assert "is whole: 1 weight file" in done.stderr
        assert "engine local" in done.stderr
        assert {path.name for path in folder.iterdir()} == set(hub.fetched)
        assert not set(hub.fetched) & set(more)
        assert hub.fetched.count("model.safetensors") == 1
        fetched = len(hub.fetched)
        assert pull(MODEL, hub.url, tmp_path).stdout == done.stdout
        assert len(hub.fetched) == fetched
        done = pull("someone/nothing", hub.url, tmp_path)
        assert done.returncode == ExitCode.MODEL
        assert "was not found on the hub" in done.stderr


def test_a_fetch_that_was_cut_off_goes_on_with_the_files_that_are_missing(tmp_path: Path) -> None:
    with small_hub(MODEL, bundled_folder(), {}) as hub:
        hub.cut_after["model.safetensors"] = 1_000_000
        done = pull(MODEL, hub.url, tmp_path)
        if done.returncode != ExitCode.OK:  # else the library itself has tried again
            assert done.returncode == ExitCode.MODEL, done.stderr
            done = pull(MODEL, hub.url, tmp_path)
        assert done.returncode == ExitCode.OK, done.stderr
    found = Path(done.stdout.removesuffix("\n")) / "model.safetensors"
    assert found.read_bytes() == hub.files["model.safetensors"]
    assert hub.fetched.count("model.safetensors") == 2
    assert hub.fetched.count("config.json") == 1


def test_a_cache_that_cannot_be_written_is_a_matter_of_storage(tmp_path: Path) -> None:
    (tmp_path / "hub").write_text("a file where the folder should be")
    with small_hub(MODEL, bundled_folder(), {}) as hub:
        done = pull(MODEL, hub.url, tmp_path)
    assert done.returncode == ExitCode.STORAGE, done.stderr
    assert f"cannot be written to {tmp_path / 'hub'}" in done.stderr
    assert "set HF_HOME to another folder" in done.stderr
