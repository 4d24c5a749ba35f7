"""`vlmtl run` with models that cannot be used, and with presets: told before any work, in one line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from corridor_cli.cli.main import call
from corridor_cli.engine.locate import bundled_folder
from corridor_cli.errors import ExitCode


@pytest.fixture(autouse=True)
def _one_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    Path("in", "a.mp4").write_bytes(b"not looked at")
    shutil.copytree(bundled_folder(), "model")


def run(*flags: str) -> int:
    return call(["run", "in", "out", *flags])


def test_pickled_weights_end_a_run_before_it_begins(capsys: pytest.CaptureFixture[str]) -> None:
    Path("model", "model.safetensors").rename(Path("model", "pytorch_model.bin"))
    assert run("--model", "./model") == ExitCode.MODEL
    assert "only pickled weights (pytorch_model.bin)" in capsys.readouterr().err
    assert not Path("out").exists()


def test_a_tensor_of_another_shape_ends_a_run_before_it_begins(capsys: pytest.CaptureFixture[str]) -> None:
    config = Path("model", "config.json")
    config.write_text(config.read_text().replace('"vocab_size": 1024', '"vocab_size": 1023'))
    assert run("--model", "./model") == ExitCode.MODEL
    told = capsys.readouterr().err
    assert "embed_tokens.weight has shape [1024, 128] where config.json asks for [1023, 128]" in told
    assert "model.safetensors" in told
    assert not Path("out").exists()


def test_a_preset_needs_no_download(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--load-format", "dummy", "--preset", "internvl3-8b", "--dry-run") == ExitCode.OK
    assert "1 to do" in capsys.readouterr().err


def test_a_preset_that_is_not_there_names_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--load-format", "dummy", "--preset", "internvl3-3b", "--dry-run") == ExitCode.USAGE
    told = capsys.readouterr().err
    assert "flag --preset" in told
    assert "internvl3-1b" in told


@pytest.mark.parametrize(
    "flags", [["--load-format", "dummy"], ["--preset", "internvl3-1b"], ["--model", "tiny", "--preset", "x"]]
)
def test_half_of_a_choice_is_wrong_usage(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*flags, "--dry-run") == ExitCode.USAGE
    assert "allowed" in capsys.readouterr().err
    assert not Path("out").exists()
