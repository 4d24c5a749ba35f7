"""`vlmtl models verify` as a command: the table, the document, the exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from corridor_cli.cli.main import call
from corridor_cli.engine import reference
from corridor_cli.engine.locate import bundled_folder
from corridor_cli.errors import ExitCode


def test_the_bundled_model_may_be_trusted(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["models", "verify", "tiny", "--device", "cpu", "--count", "2", "--max-new-tokens", "8"]
    assert call(asked) == ExitCode.OK
    told = capsys.readouterr()
    assert told.err == ""
    assert told.out.endswith("trusted: yes\n")
    assert "first tokens the same 2/2, captions the same 2/2, float32" in told.out
    assert max(map(len, told.out.splitlines())) <= 80


def test_an_engine_that_differs_is_told_and_not_trusted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The own engine is handed another question, as one that builds its prompts wrongly would ask."""
    answer = reference.LocalCaptioner.answer
    monkeypatch.setattr(
        reference.LocalCaptioner, "answer", lambda self, prompt, *rest: answer(self, "Is it bright?", *rest)
    )
    assert call(["models", "verify", "tiny", "--device", "cpu", "--count", "2", "--json"]) == 8
    told = capsys.readouterr()
    document = json.loads(told.out)
    assert document["verdict"]["is_trusted"] is False
    assert len(document["verdict"]["frames"]) == 2
    assert document["environment"]["transformers"]
    assert "our engine differs from transformers on 2 of 2 pictures" in told.err
    assert "--engine generic" in told.err


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (["no/such/model"], 5, "neither a folder"),
        (["tiny", "--device", "cuda:97"], 5, "does not exist"),
        (["tiny", "--precision", "int3"], 2, "allowed: auto, bf16, fp16, fp32, int8"),
        (["tiny", "--frames", "nowhere"], 2, "is no folder"),
        (["tiny", "--count", "0"], 2, "--count"),
    ],
)
def test_what_cannot_be_compared_is_told(
    arguments: list[str], exit_code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["models", "verify", *arguments]) == exit_code
    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err


def test_a_model_of_the_generic_engine_has_nothing_to_compare(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(bundled_folder(), tmp_path / "checkpoint"))
    config = json.loads((folder / "config.json").read_text())
    config["architectures"] = ["SomeForConditionalGeneration"]
    (folder / "config.json").write_text(json.dumps(config))
    assert call(["models", "verify", str(folder)]) == ExitCode.MODEL
    assert "because its architecture is SomeForConditionalGeneration" in capsys.readouterr().err
