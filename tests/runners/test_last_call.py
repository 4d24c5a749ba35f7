"""How a run was called is written down so that the same settings come out of it, wherever they are read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from corridor_cli.config import Override, load_settings
from corridor_cli.runners.last_call import describe_run, overrides_of
from corridor_cli.timeline.last_run import LastRun, load_last_run, save_last_run

GIVEN = [
    Override("caption.prompt", "null and\n'void': [x] — 汽车", "--set"),
    Override("caption.max_new_tokens", "7", "--set"),
    Override("scenes.max_scene_seconds", "null", "--set"),
    Override("scenes.threshold", "1.5e-3", "--set"),
    Override("scenes.transitions", "false", "--set"),
    Override("input.include", ("*.mp4", "a,b", os.fsdecode(b"\xff*")), "--include"),
    Override("output.exports", "[srt, vtt]", "--set"),
    Override("gpu_pipeline.internvl3.batch_size", "auto", "--set"),
    Override("gpu_pipeline.internvl3.engine", "echo", "--engine"),
    Override("logging.level", "error", "-q"),
]


def test_the_same_settings_come_out_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = load_settings(None, GIVEN, {"VLMTL_FRAMES__THUMBNAIL_PX": "64"})
    names = ["videos", "/abs/*.mp4", os.fsdecode(b"caf\xe9")]
    path = tmp_path / ".vlmtl/run.json"
    save_last_run(path, describe_run(names, loaded, ["run", *names, "out"]))
    found = load_last_run(path)
    assert found is not None
    assert found.inputs == (f"{tmp_path}/videos", "/abs/*.mp4", f"{tmp_path}/{names[2]}")
    assert found.arguments == ("run", *names, "out")
    assert (found.folder, found.config) == (str(tmp_path), None)
    again = load_settings(None, overrides_of(found), {}).settings
    assert again.frames.thumbnail_px == 64
    assert again.logging.level == "info", "how it was told is not remembered"
    for section in ("input", "decode", "scenes", "frames", "gpu_pipeline", "caption", "errors", "output"):
        assert getattr(again, section) == getattr(loaded.settings, section)


def test_paths_mean_the_same_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("caption: {max_new_tokens: 9}\n")
    (tmp_path / "checkpoint").mkdir()
    model = "gpu_pipeline.internvl3.model"
    for given, expected in (
        ("checkpoint", str(tmp_path / "checkpoint")),
        ("tiny", "tiny"),
        ("owner/name", "owner/name"),
    ):
        loaded = load_settings(Path("mine.yaml"), [Override(model, given, "--model")], {})
        noted = describe_run([], loaded, [])
        assert noted.given == {model: expected}
        assert noted.config == str(tmp_path / "mine.yaml")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"began_at": "", "folder": "", "inputs": [1], "config": null, "given": {}, "arguments": []}',
        b'{"began_at": "", "folder": "", "inputs": [], "config": null, "given": {"a": 1}, "arguments": []}',
        b'{"began_at": "", "folder": "", "inputs": [], "config": null, "given": [], "arguments": []}',
    ],
)
def test_a_note_that_cannot_be_understood_is_none(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(data)
    assert load_last_run(tmp_path / "run.json") is None
    assert load_last_run(tmp_path / "no.json") is None


def test_settings_that_are_no_more_are_left_out() -> None:
    noted = LastRun("", "/", (), None, {"caption.prompt": "x", "caption.colour": "red"}, ())
    assert [each.name for each in overrides_of(noted)] == ["caption.prompt"]
