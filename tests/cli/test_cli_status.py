"""`vlmtl status`: it says what the same run would find, writes nothing, and loads nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.text import Text
from sample_clips import Encoding, SceneRecipe, draw_story, write_video

from corridor_cli.cli import page, status_lines, tables
from corridor_cli.cli.main import call
from corridor_cli.errors import ExitCode
from corridor_cli.timeline.holder import find_holder
from corridor_cli.timeline.layout import OutputLayout
from corridor_cli.timeline.lock import OutputLock

Captured = pytest.CaptureFixture[str]

HOLD = """
import sys
from pathlib import Path
from corridor_cli.timeline.layout import OutputLayout
from corridor_cli.timeline.lock import OutputLock
with OutputLock(OutputLayout(Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""


def draw(path: Path, colour: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    recipe = SceneRecipe("circle", colour, "white", seconds=0.4)
    how = Encoding(options={"preset": "ultrafast", "crf": "30"})
    write_video(path, draw_story([recipe], Fraction(25), 96, 64), how)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with videos (two, and a file that is none) and the output of a run over them."""
    folder = tmp_path_factory.mktemp("status")
    draw(folder / "videos/a.mp4", "red")
    draw(folder / "videos/day 1/b.mp4", "blue")
    (folder / "videos/bad.mp4").write_bytes(b"no video at all " * 100)
    code = call(["run", str(folder / "videos"), str(folder / "out"), "--engine", "echo", "-q"])
    assert code == ExitCode.PARTIAL
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change, as if the run had been over the copy."""
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    out = copy / "out"
    for path in (out / ".vlmtl/run.json", *out.rglob("*.timeline.json"), *out.rglob("*.failed.json")):
        path.write_text(path.read_text().replace(str(finished), str(copy)))
    return copy


def status(folder: Path, *options: str) -> int:
    return call(["status", str(folder / "out"), *options])


def told(folder: Path, capsys: Captured, *options: str) -> dict[str, Any]:
    status(folder, "--json", *options)
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def states(folder: Path, capsys: Captured, *options: str) -> dict[str, str]:
    every = "--only=failed,partial,stale,pending,extra,done"
    return {each["video"]: each["state"] for each in told(folder, capsys, every, *options)["videos"]}


def test_what_is_not_done_is_listed_with_its_reason(folder: Path, capsys: Captured) -> None:
    assert status(folder) == ExitCode.PARTIAL
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines()[0] == "3 videos: 1 failed, 2 done"
    (row,) = [line for line in out.splitlines() if line.startswith("failed")]
    assert row.split()[1] == "bad.mp4"
    assert row.endswith("(NotVideoError)")
    command = f"vlmtl run --retry-failed {folder.parent / 'copy/videos'} {folder / 'out'} --engine echo -q"
    assert out.splitlines()[-1].endswith(command)


CHANGES: dict[str, list[str]] = {
    "nothing": [],
    "prompt": ["--set", "caption.prompt=What is it?"],
    "tokens": ["--set", "caption.max_new_tokens=7"],
    "detector": ["--set", "scenes.detector=none"],
    "threshold": ["--set", "scenes.threshold=9"],
    "inset": ["--set", "frames.inset_seconds=0.2"],
    "thumbnails": ["--set", "frames.thumbnail_px=64"],
    "no pictures": ["--set", "frames.save=none"],
    "full hash": ["--set", "input.full_hash=true"],
    "batch size": ["--set", "gpu_pipeline.internvl3.batch_size=2"],
    "model": ["--engine", "local", "--model", "tiny"],
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("touched", ["", "content", "missing", "damaged", "pictures"])
def test_it_says_what_a_run_would_find(change: str, touched: str, folder: Path, capsys: Captured) -> None:
    layout = OutputLayout(folder / "out")
    if touched == "content":
        draw(folder / "videos/a.mp4", "green")
    elif touched == "missing":
        layout.timeline("a.mp4").unlink()
        layout.failed("bad.mp4").unlink()
    elif touched == "damaged":
        layout.timeline("a.mp4").write_bytes(layout.timeline("a.mp4").read_bytes()[:-40])
        layout.failed("bad.mp4").write_bytes(b"{}")
    elif touched == "pictures":
        layout.pictures_made_for("a.mp4").write_bytes(b"of another scan")
    flags = CHANGES[change] if change == "model" else ["--engine", "echo", *CHANGES[change]]
    call(["run", str(folder / "videos"), str(folder / "out"), *flags, "--dry-run", "--json", "-q"])
    videos = json.loads(capsys.readouterr().out)["videos"]
    expected = {each["relative"]: each["found"].replace("new", "pending") for each in videos}
    assert states(folder, capsys, *CHANGES[change]) == expected
    assert states(folder, capsys, str(folder / "videos"), *CHANGES[change]) == expected


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (CHANGES["prompt"], "the prompt was another"),
        (CHANGES["tokens"], "caption.max_new_tokens was 128"),
        (CHANGES["detector"], "scenes were found by adaptive, now by none"),
        (CHANGES["threshold"], "scenes.threshold was None, now 9.0"),
        (CHANGES["inset"], "settings of scenes or frames, the cuts given, or vlmtl's way of scanning"),
        (CHANGES["thumbnails"], "pictures were saved as: thumbnails 320 px"),
        (CHANGES["full hash"], "input.full_hash has changed"),
        (CHANGES["model"], "the model was echo, now tiny"),
        (["--set", "output.exports=[srt, vtt]"], "to be written beside it: srt, vtt"),
    ],
)
def test_a_stale_one_says_why(options: list[str], why: str, folder: Path, capsys: Captured) -> None:
    videos = {each["video"]: each for each in told(folder, capsys, *options)["videos"]}
    assert videos["a.mp4"]["state"] == "stale"
    assert why in videos["a.mp4"]["why"]


def test_the_settings_file_counts_as_it_is_now(tmp_path: Path, capsys: Captured) -> None:
    draw(tmp_path / "videos/a.mp4", "red")
    file = tmp_path / "mine.yaml"
    file.write_text("gpu_pipeline:\n  internvl3:\n    engine: echo\n")
    assert call(["run", str(tmp_path / "videos"), str(tmp_path / "out"), "-c", str(file), "-q"]) == 0
    assert status(tmp_path) == ExitCode.OK
    assert capsys.readouterr().out == "1 video: 1 done\n"
    with file.open("a") as stream:
        stream.write("caption:\n  prompt: What is it?\n")
    assert status(tmp_path) == ExitCode.PARTIAL
    assert "1 stale" in capsys.readouterr().out
    (tmp_path / "videos/a.mp4").write_bytes(b"x" * 2000)
    assert call(["run", str(tmp_path / "videos"), str(tmp_path / "out"), "-c", str(file), "-q"]) == 4
    assert status(tmp_path) == ExitCode.NO_INPUTS


def test_documents_of_no_input_are_extra(folder: Path, capsys: Captured) -> None:
    (folder / "videos/a.mp4").rename(folder / "videos/c.mp4")
    report = told(folder, capsys)
    assert report["counts"] == {
        "failed": 1, "partial": 0, "stale": 0, "pending": 1, "extra": 1, "done": 1,
    }  # fmt: skip
    rows = {each["video"]: each for each in report["videos"]}
    assert rows["c.mp4"]["state"] == "pending"
    assert rows["c.mp4"]["document"] is None
    assert rows["a.mp4"]["why"] == "its video is gone, or called otherwise now"
    (folder / "videos/c.mp4").unlink()
    (folder / "videos/bad.mp4").unlink()
    assert status(folder) == ExitCode.OK


def test_without_the_note_the_documents_alone_are_judged(folder: Path, capsys: Captured) -> None:
    (folder / "out/.vlmtl/run.json").write_bytes(b"{")
    assert states(folder, capsys, "--engine", "echo") == {
        "a.mp4": "done",
        "day 1/b.mp4": "done",
        "bad.mp4": "failed",
    }
    draw(folder / "videos/c.mp4", "red")
    assert status(folder, "--engine", "echo") == ExitCode.PARTIAL
    out = capsys.readouterr().out
    assert out.startswith("3 documents: 1 failed, 2 done\nWhich videos have no document yet is not known")
    assert out.endswith("vlmtl run --retry-failed INPUT... " + str(folder / "out") + "\n")
    assert states(folder, capsys, str(folder / "videos"), "--engine", "echo")["c.mp4"] == "pending"


def test_a_model_that_is_not_here_is_told_and_nothing_is_fetched(
    folder: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # whoever asked it would fail
    status(folder, "--json", "--engine", "local", "--model", "nobody/nothing")
    assert "is not on this machine" in capsys.readouterr().err  # although the run was a quiet one
    (folder / "out/.vlmtl/run.json").unlink()
    for options in ((), ("--model", "nobody/nothing"), ("--model", str(folder))):
        status(folder, "--json", *options)
        out, err = capsys.readouterr()
        report = json.loads(out)
        assert report["is_model_known"] is False
        assert report["counts"]["done"] == 2
        assert "whether captions are of the model wanted is not looked at" in err


def test_who_is_at_work_is_told_and_the_lock_is_left_alone(folder: Path, capsys: Captured) -> None:
    layout = OutputLayout(folder / "out")
    assert told(folder, capsys)["running"] is None
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder / "out")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    report = told(folder, capsys)
    assert (report["running"]["pid"], report["running"]["is_certain"]) == (process.pid, True)
    assert report["next"] == []
    status(folder)
    assert f"running: process {process.pid} on " in capsys.readouterr().out
    layout.owner.unlink()
    running = told(folder, capsys)["running"]
    assert (running["pid"], running["is_certain"]) == (None, True)
    process.kill()
    process.communicate()
    assert find_holder(layout) is None
    with OutputLock(layout):
        layout.owner.write_text(json.dumps({"pid": 1, "host": "elsewhere", "since": "now"}))
        assert find_holder(layout) is not None
    layout.owner.write_text(json.dumps({"pid": 1, "host": "elsewhere", "since": "now"}))
    status(folder)
    assert "perhaps running: process 1 on elsewhere" in capsys.readouterr().out


def test_nothing_is_written(folder: Path, capsys: Captured) -> None:
    def snapshot() -> dict[str, tuple[int, int]]:
        found = (path for path in folder.rglob("*"))
        return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in found}

    before = snapshot()
    status(folder)
    status(folder, "--json", str(folder / "videos"), *CHANGES["prompt"])
    assert snapshot() == before


def test_only_and_limit_choose_what_is_listed(folder: Path, capsys: Captured) -> None:
    for number in range(7):
        (folder / f"videos/new {number}.mp4").write_bytes(b"x" * 100)
    status(folder, "--only", "pending,done", "-n", "3")
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "10 videos: 1 failed, 7 pending, 2 done"
    assert [line.split("  ")[0] for line in out[3:6]] == ["pending"] * 3
    assert out[6] == "and 6 more: -n 9 lists them, --json all of them"
    assert status(folder, "--only", "finished") == ExitCode.USAGE
    said = "flag --only: got 'finished', allowed: failed, partial, stale, pending, extra, done"
    assert said in capsys.readouterr().err


def test_everything_fits_80_columns_and_nothing_breaks_out(
    folder: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (tables, page, status_lines):
        monkeypatch.setattr(module, "is_terminal", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    names = ["a" * 120 + ".mp4", "红色的汽车" * 12 + ".mp4", "[b] b\x1b[2J\n.mp4", os.fsdecode(b"\xff.mp4")]
    for name in names:
        (folder / "videos" / name).write_bytes(b"x")
    status(folder, "-n", "100")
    lines = [Text.from_ansi(line).plain for line in capsys.readouterr().out.splitlines()]
    rows = [line for line in lines if line.startswith(("failed", "pending"))]
    assert len(rows) == 1 + len(names)
    assert max(cell_len(line) for line in lines if "vlmtl run" not in line) <= 80
    report = told(folder, capsys)
    assert len(report["videos"]) == 1 + len(names)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere", "which does not exist"),
        ("file", "which is a file"),
        ("videos", "which holds nothing that"),
    ],
)
def test_what_is_no_output_is_refused(name: str, said: str, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "videos").mkdir()
    assert call(["status", str(tmp_path / name)]) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "here it comes first" in err


def test_state_without_a_document_and_without_inputs_is_nothing(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "out/.vlmtl").mkdir(parents=True)
    assert status(tmp_path) == ExitCode.NO_INPUTS
    assert "holds no document, and no input is known" in capsys.readouterr().err


def test_ten_thousand_are_judged_in_seconds(folder: Path, capsys: Captured) -> None:
    layout = OutputLayout(folder / "out")
    document = json.loads(layout.timeline("a.mp4").read_bytes())
    document["scenes"] *= 50  # 100 kB: some minutes of video
    data = json.dumps(document, indent=2).encode() + b"\n"
    assert len(data) > 100_000
    for number in range(10_000):
        os.link(folder / "videos/a.mp4", folder / f"videos/{number}.mp4")
    first = layout.timeline("0.mp4")
    first.write_bytes(data)
    for number in range(1, 10_000):
        os.link(first, layout.timeline(f"{number}.mp4"))
    began = time.process_time()  # of the processor: what others do beside it is not judged
    status(folder)
    assert "10,002 done" in capsys.readouterr().out
    assert time.process_time() - began < 15  # 4.6 s were measured on two x86-64 cores with other work
