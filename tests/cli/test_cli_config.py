"""`vlmtl config`: what it shows can be read back, what it writes is complete, and it overwrites nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from corridor_cli.cli.main import call
from corridor_cli.config import load_settings, packaged_file
from corridor_cli.errors import ExitCode
from corridor_cli.settings import Settings

TRICKY = 'It\'s: "a" #1 [b] {{c}} *d\n  é \\ end  '


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("origin", [[], ["--origin"]])
def test_what_is_shown_can_be_read_back(origin: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--set", f"caption.prompt={TRICKY}", "--set", "input.include=['a b', '1', yes, 'no', 1e3x]"]
    given += ["--set", "gpu_pipeline.internvl3.echo.a=null x", "--set", "gpu_pipeline.internvl3.model=null "]
    assert call(["config", "show", *given, *origin]) == ExitCode.OK
    told = capsys.readouterr()
    assert told.err == ""
    Path("shown.yaml").write_text(told.out)
    settings = load_settings(Path("shown.yaml"), [], {}).settings
    assert settings.caption.prompt == TRICKY
    assert settings.input.include == ("a b", "1", "yes", "no", "1e3x")
    assert settings.gpu_pipeline.internvl3.echo == {"a": "null x"}
    assert settings.gpu_pipeline.internvl3.model == "null "


def test_defaults_shown_are_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["config", "show"]) == ExitCode.OK
    told = capsys.readouterr().out
    assert told.startswith("# default settings\ninput:\n  include: []\n")
    Path("shown.yaml").write_text(told)
    assert load_settings(Path("shown.yaml"), [], {}).settings == Settings()


def test_each_origin_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    Path("my.yaml").write_text("output:\n  indent: 4\n")
    monkeypatch.setenv("VLMTL_SCENES__DETECTOR", "none")
    arguments = ["-c", "my.yaml", "--set", "caption.max_new_tokens=7", "--origin"]
    assert call(["config", "show", *arguments]) == ExitCode.OK
    lines = capsys.readouterr().out.splitlines()
    assert "  indent: 4  # my.yaml:2" in lines
    assert "  detector: none  # environment VLMTL_SCENES__DETECTOR" in lines
    assert "  max_new_tokens: 7  # flag --set caption.max_new_tokens" in lines
    assert "  fsync: true  # default" in lines


def test_json_holds_source_settings_and_origins(capsys: pytest.CaptureFixture[str]) -> None:
    Path("my.yaml").write_text("output:\n  indent: 4\n")
    assert call(["config", "show", "-c", "my.yaml", "--json"]) == ExitCode.OK
    shown = json.loads(capsys.readouterr().out)
    assert shown["source"] == "my.yaml"
    assert shown["settings"]["output"] == {"indent": 4, "fsync": True, "exports": []}
    assert shown["origins"]["output.indent"] == "my.yaml:2"
    assert shown["origins"]["output.fsync"] == "default"


def test_a_file_is_checked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("VLMTL_NOT_OF_THE_FILE", "x")
    Path("my.yaml").write_text("output:\n  indent: 4\n")
    assert call(["config", "check", "my.yaml"]) == ExitCode.OK
    assert capsys.readouterr().out == "my.yaml: good, 1 setting given\n"
    Path("my.yaml").write_text("output:\n  indent: x\n  fsnc: true\n")
    assert call(["config", "check", "my.yaml"]) == ExitCode.USAGE
    told = capsys.readouterr()
    assert told.out == ""
    first, second, hint = told.err.splitlines()
    assert first.startswith("vlmtl: error: my.yaml:2:11: output.indent: got 'x' (text)")
    assert second == "vlmtl: error: my.yaml:3:3: output.fsnc: unknown setting. Did you mean output.fsync?"
    assert "config init" in hint


def test_a_file_is_written_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["config", "init"]) == ExitCode.OK
    assert capsys.readouterr().out == "config/processing.yaml\n"
    written = Path("config/processing.yaml")
    assert written.read_bytes() == packaged_file().read_bytes()
    written.write_text("mine")
    assert call(["config", "init"]) == ExitCode.USAGE
    assert "is there already" in capsys.readouterr().err
    assert written.read_text() == "mine"
    assert call(["config", "init", "--force"]) == ExitCode.OK
    assert written.read_bytes() == packaged_file().read_bytes()


def test_a_file_is_written_into_a_folder_or_not_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    Path("there").mkdir()
    assert call(["config", "init", "there"]) == ExitCode.OK
    assert Path("there/processing.yaml").is_file()
    Path("dangling").symlink_to("elsewhere")
    assert call(["config", "init", "dangling"]) == ExitCode.USAGE
    assert not Path("elsewhere").exists()
    assert call(["config", "init", "there/processing.yaml/below/it"]) == ExitCode.STORAGE
    assert "cannot be written" in capsys.readouterr().err
