"""`vlmtl export` as a user meets it: what is written, what is kept, what is told, and the exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from export_samples import document, write_document

from corridor_cli.cli.main import call
from corridor_cli.errors import ExitCode
from corridor_cli.hosts.process import ChildProcess
from corridor_cli.runners import export_files
from corridor_cli.timeline.exports import registry
from corridor_cli.timeline.exports.find import find_timelines
from corridor_cli.timeline.layout import OutputLayout
from corridor_cli.timeline.lock import OutputLock

ALL = ",".join(registry.FORMATS)
BESIDE = [".srt", ".vtt", ".txt", ".md", ".ffmetadata", ".edl", ".otio"]
TABLES = [
    "scenes.csv",
    "scenes.tsv",
    "scenes.jsonl",
    "scenes.parquet",
    "hf/data/scenes.parquet",
    "hf/README.md",
]

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Two videos of two scenes, one of them in a folder."""
    for stem in ("b.mp4", "day 1/a.mp4"):
        write_document(tmp_path / "out", stem, document(["A car", "A tree"], name=stem.rpartition("/")[2]))
    return tmp_path / "out"


def export(output: Path, formats: str, *options: str) -> int:
    return call(["export", str(output), "--format", formats, *options])


def recaption(output: Path, stem: str, *texts: str | None) -> None:
    write_document(output, stem, document(texts, name=stem.rpartition("/")[2]))


def files(output: Path) -> list[str]:
    found = (path.relative_to(output) for path in output.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if path.parts[0] != ".vlmtl" and path.suffix != ".json")


def test_all_formats_are_written_where_they_belong(output: Path, capsys: Captured) -> None:
    assert export(output, ALL) == ExitCode.OK
    beside = [f"{stem}{suffix}" for stem in ("b.mp4", "day 1/a.mp4") for suffix in BESIDE]
    assert files(output) == sorted([*beside, *TABLES])
    told = capsys.readouterr()
    assert told.err == ""
    assert told.out.startswith("2 timelines, 4 scenes\n  srt: 2 written\n")
    assert "parquet: 1 written" in told.out
    assert pq.read_table(output / "scenes.parquet").column("timeline").to_pylist() == [
        *["b.mp4.timeline.json"] * 2,
        *["day 1/a.mp4.timeline.json"] * 2,
    ]
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*") if path.is_file()}
    assert export(output, ALL) == ExitCode.OK
    assert "srt: 2 unchanged" in capsys.readouterr().out
    untouched = {path for path, time_ns in before.items() if path.stat().st_mtime_ns == time_ns}
    assert untouched == {path for path in before if path.name != "lock"} | {output / ".vlmtl/lock"}


def test_what_an_export_wrote_follows_its_timeline(output: Path, capsys: Captured) -> None:
    assert export(output, "srt,csv") == ExitCode.OK
    recaption(output, "b.mp4", "A red house", None)
    capsys.readouterr()
    assert export(output, "srt,csv") == ExitCode.OK
    told = capsys.readouterr().out
    assert "4 scenes, 1 without a caption" in told
    assert "srt: 1 written, 1 unchanged" in told
    assert "csv: 1 written" in told
    assert "A red house" in (output / "b.mp4.srt").read_text()
    assert "A red house" in (output / "scenes.csv").read_text()


def test_a_changed_or_foreign_file_is_kept_unless_forced(output: Path, capsys: Captured) -> None:
    assert export(output, "srt") == ExitCode.OK
    (output / "b.mp4.srt").write_text("mended by hand\n")
    (output / "scenes.csv").write_text("somebody's own\n")
    assert export(output, "srt,csv,vtt") == ExitCode.PARTIAL
    assert (output / "b.mp4.srt").read_text() == "mended by hand\n"
    assert (output / "scenes.csv").read_text() == "somebody's own\n"
    assert (output / "b.mp4.vtt").exists()
    told = capsys.readouterr()
    assert "srt: 1 unchanged, 1 kept" in told.out
    for name in ("b.mp4.srt", "scenes.csv"):
        assert f"vlmtl: warning: {name}: kept, for it was changed since, or is not by vlmtl" in told.err
    assert list(output.rglob("*.tmp")) == []
    assert export(output, "srt,csv", "--force") == ExitCode.OK
    assert "A car" in (output / "b.mp4.srt").read_text()
    assert export(output, "srt,csv") == ExitCode.OK


def test_a_card_somebody_completed_stays(output: Path) -> None:
    assert export(output, "hf") == ExitCode.OK
    (output / "hf/README.md").write_text("license: mine\n")
    recaption(output, "b.mp4", "new", "newer")
    assert export(output, "hf") == ExitCode.OK
    assert (output / "hf/README.md").read_text() == "license: mine\n"
    assert pq.read_table(output / "hf/data/scenes.parquet").column("caption").to_pylist()[0] == "new"


def test_a_damaged_timeline_is_named_and_the_others_are_exported(output: Path, capsys: Captured) -> None:
    (output / "a.mp4.timeline.json").write_bytes(b'{"schema": "vlmtl.timeline/1", "status": "comp')
    (output / "c.mp4.timeline.json").write_bytes(b'{"schema": "other/1"}')
    (output / "d\x1b.mp4.timeline.json").write_bytes(b"\xff")
    (output / "gone.mp4.timeline.json").symlink_to(output / "nowhere")
    (output / "e.mp4.failed.json").write_bytes(b"{}")
    assert export(output, "srt,parquet", "--json") == ExitCode.PARTIAL
    told = capsys.readouterr()
    report = json.loads(told.out)
    assert (report["num_timelines"], report["num_scenes"], report["num_failed"], report["exit_code"]) == (
        2,
        4,
        1,
        3,
    )
    assert [problem["file"] for problem in report["problems"]] == [
        "a.mp4.timeline.json", "c.mp4.timeline.json", "d\\x1b.mp4.timeline.json", "gone.mp4.timeline.json",
    ]  # fmt: skip
    assert "vlmtl: warning: c.mp4.timeline.json: is no timeline of ours" in told.err
    assert "4 could not be exported" in told.err
    assert report["counts"] == {"srt": {"written": 2}, "parquet": {"written": 1}}


def test_a_format_that_cannot_hold_a_timeline_is_named(output: Path, capsys: Captured) -> None:
    found = document(["a", "b"])
    found["scenes"][1]["end"] = 90_000.0
    write_document(output, "long.mp4", found)
    assert export(output, "edl,srt") == ExitCode.PARTIAL
    assert (output / "b.mp4.edl").exists()
    assert (output / "long.mp4.srt").exists()
    assert "long.mp4.timeline.json: lasts 24 hours or more" in capsys.readouterr().err


def test_nothing_that_can_be_exported_ends_with_4_and_keeps_the_table(output: Path, capsys: Captured) -> None:
    assert export(output, "csv") == ExitCode.OK
    before = (output / "scenes.csv").read_bytes()
    for path in output.rglob("*.timeline.json"):
        path.write_bytes(b"{}")
    assert export(output, "csv") == ExitCode.NO_INPUTS
    assert "none of 2 timelines can be exported; the first is b.mp4.timeline.json" in capsys.readouterr().err
    assert (output / "scenes.csv").read_bytes() == before


@pytest.mark.parametrize("formats", ["srtt", "srt,nonsense", "", ",", "SRT"])
def test_an_unknown_format_is_told_with_those_there_are(formats: str, output: Path, capsys: Captured) -> None:
    assert export(output, formats) == ExitCode.USAGE
    told = capsys.readouterr().err
    assert "allowed: srt, vtt, txt, markdown, ffmetadata, edl, otio, csv, tsv, jsonl, parquet, hf" in told
    assert files(output) == []


def test_formats_may_be_given_one_by_one(output: Path) -> None:
    assert call(["export", str(output), "-f", "srt", "-f", "vtt, txt"]) == ExitCode.OK
    assert len(files(output)) == 6


def test_a_folder_without_timelines_ends_with_4(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "x.failed.json").write_bytes(b"{}")
    assert export(tmp_path, "srt") == ExitCode.NO_INPUTS
    assert "(1 video failed)" in capsys.readouterr().err
    assert not (tmp_path / ".vlmtl").exists()
    assert export(tmp_path / "nowhere", "srt") == ExitCode.USAGE


def test_an_export_that_cannot_be_looked_at_ends_with_6(output: Path, capsys: Captured) -> None:
    assert export(output, "srt") == ExitCode.OK
    (output / "b.mp4.vtt").mkdir()
    assert export(output, "vtt") == ExitCode.STORAGE
    assert "Cannot read" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_ends_with_6(output: Path, capsys: Captured) -> None:
    assert export(output, "srt") == ExitCode.OK
    (output / "b.mp4.vtt").mkdir()
    if os.geteuid() == 0 and subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("neither permissions nor mounts can make a folder read-only here")
    mount = f"mount --bind '{output}' '{output}' && mount -o remount,bind,ro '{output}' && "
    command = f"{sys.executable} -m corridor_cli export '{output}' --format srt,csv"
    if os.geteuid() == 0:
        shell = ["unshare", "-m", "sh", "-c", mount + command]
    else:
        output.chmod(0o555)
        shell = ["sh", "-c", command]
    done = subprocess.run(shell, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == ExitCode.STORAGE, done.stderr
    assert "vlmtl: error: Cannot " in done.stderr


def test_another_run_owns_the_folder(output: Path, capsys: Captured) -> None:
    with OutputLock(OutputLayout(output)):
        assert export(output, "srt") == ExitCode.LOCKED
    assert "Another run owns" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "package", "extra"), [("parquet", "pyarrow", "export"), ("edl", "opentimelineio", "otio")]
)
def test_a_missing_extra_is_one_line(
    name: str, package: str, extra: str, output: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "find_spec", lambda module: None)
    assert export(output, f"srt,{name}") == ExitCode.USAGE
    told = capsys.readouterr().err.splitlines()
    assert told == [
        f"vlmtl: error: {package} is not installed, which the export {name} needs",
        f"Install it: pip install 'vlmtl[{extra}]'.",
    ]
    assert files(output) == []


def test_children_and_main_write_the_same(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(12):
        recaption(output, f"c{number}.mp4", f"caption {number}")
    (output / "c3.mp4.timeline.json").write_bytes(b"{")
    assert export(output, "srt,jsonl,hf") == ExitCode.PARTIAL
    alone = {
        path: path.read_bytes() for path in output.rglob("*") if path.suffix in (".srt", ".jsonl", ".parquet")
    }
    for path in alone:
        path.unlink()
    _several_processes(monkeypatch)
    assert export(output, "srt,jsonl,hf") == ExitCode.PARTIAL
    assert {path: path.read_bytes() for path in alone} == alone


def test_a_child_that_dies_costs_nothing(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        recaption(output, f"c{number}.mp4", f"caption {number}")
    _several_processes(monkeypatch)
    made: list[ChildProcess] = []
    start = ChildProcess.__init__

    def start_and_remember(self: ChildProcess, *arguments: Any) -> None:
        start(self, *arguments)
        made.append(self)

    monkeypatch.setattr(ChildProcess, "__init__", start_and_remember)
    job = export_files.ExportJob(output, ("srt",), True, False)
    results = export_files.export_files(job, find_timelines(output).timelines)
    first = next(results)
    os.kill(made[0].pid, signal.SIGKILL)
    rest = list(results)
    assert [first.file, *(result.file for result in rest)] == [
        f"{each.relative}.timeline.json" for each in find_timelines(output).timelines
    ]
    assert len(list(output.rglob("*.srt"))) == 32


def _several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_files, "num_children", lambda num_files: 2)
    monkeypatch.setattr(export_files, "BATCH", 2)


def test_a_storage_error_of_a_child_is_told_by_main(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _several_processes(monkeypatch)
    (output / "b.mp4.srt").mkdir()
    assert export(output, "srt") == ExitCode.STORAGE


@pytest.mark.parametrize("wait_seconds", [0.3, 0.6, 0.9])
def test_an_export_killed_at_any_time_is_finished_by_the_next(output: Path, wait_seconds: float) -> None:
    for number in range(150):
        recaption(output, f"c{number}.mp4", f"caption {number}")
    command = [sys.executable, "-m", "corridor_cli", "export", str(output), "--format", "srt,edl,csv"]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL)
    time.sleep(wait_seconds)
    process.kill()
    process.wait()
    for path in output.rglob("*.srt"):
        assert path.read_bytes().endswith(b"\n\n")
    recaption(output, "c0.mp4", "another caption")
    assert export(output, "srt,edl,csv") == ExitCode.OK
    assert "another caption" in (output / "c0.mp4.srt").read_text()
    assert len(list(output.rglob("*.srt"))) == 152
    assert list(output.rglob("*.tmp")) == []


def test_pictures_and_state_are_not_searched(output: Path) -> None:
    write_document(output, ".vlmtl/x.mp4", document(["a"]))
    write_document(output, "b.mp4.frames/x.mp4", document(["a"]))
    found = find_timelines(output)
    assert [each.relative for each in found.timelines] == ["b.mp4", "day 1/a.mp4"]


def test_names_that_are_not_utf8_are_exported(output: Path) -> None:
    raw = os.fsdecode(b"caf\xe9.mp4")
    write_document(output, raw, document(["a"]))
    assert export(output, ALL) == ExitCode.OK
    assert (output / f"{raw}.srt").exists()
    assert (
        "caf\\xe9.mp4.timeline.json"
        in pq.read_table(output / "scenes.parquet").column("timeline").to_pylist()
    )
