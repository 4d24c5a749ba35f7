"""`output.exports`: a run leaves the exports with its timelines, and makes missing ones without a model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from runs import draw_scenes, echo_options, run

EXPORTS = "output.exports=[srt, edl, csv, hf]"
RUN = [*echo_options(), "--set", EXPORTS, "--json"]

pytestmark = pytest.mark.usefixtures("one_worker")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`videos/` with two films, and their timelines with exports in `out/`."""
    folder = tmp_path_factory.mktemp("exports")
    draw_scenes(folder / "videos/a.mp4", 3)
    draw_scenes(folder / "videos/b/b.mp4", 2, first=3)
    code, _, err = run("run", folder / "videos", folder / "out", *RUN)
    assert code == 0, err
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def again(folder: Path, *options: str) -> tuple[int, dict[str, object], str]:
    """The same run once more: exit code, outcome, what it told."""
    code, out, err = run("run", folder / "videos", folder / "out", *(options or RUN))
    return code, json.loads(out), err


def test_a_run_writes_them(folder: Path) -> None:
    out = folder / "out"
    for name, num_scenes in (("a.mp4", 3), ("b/b.mp4", 2)):
        assert (out / f"{name}.srt").read_text().count("-->") == num_scenes
        assert (out / f"{name}.edl").read_text().count("FROM CLIP NAME") == num_scenes
    assert len((out / "scenes.csv").read_text().splitlines()) == 6
    images = pq.read_table(out / "hf/data/scenes.parquet").column("image").to_pylist()
    saved = [(out / image["path"]).read_bytes() for image in images]
    assert [image["bytes"] for image in images] == saved
    assert len(set(saved)) == 5


def test_missing_ones_are_made_and_nothing_else_is_done(folder: Path) -> None:
    out = folder / "out"
    wanted = {
        path: path.read_bytes() for path in (out / "a.mp4.srt", out / "b/b.mp4.edl", out / "scenes.csv")
    }
    for path in wanted:
        path.unlink()
    timelines = {path: path.stat().st_mtime_ns for path in out.rglob("*.timeline.json")}
    code, told, err = again(folder, *RUN, "--dry-run")
    assert [video["exports"] for video in told["videos"]] == [["srt"], ["edl"]]  # type: ignore[attr-defined]
    code, told, err = again(folder)
    assert code == 0, err
    assert told["num_skipped"] == 2
    assert "model echo" not in err
    assert "missing exports of 2 videos written" in err
    assert {path: path.read_bytes() for path in wanted} == wanted
    assert {path: path.stat().st_mtime_ns for path in timelines} == timelines


def test_a_finished_folder_needs_nothing(folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*") if path.suffix != ""}
    code, told, _ = again(folder)
    assert (code, told["num_skipped"]) == (0, 2)
    after = {path: path.stat().st_mtime_ns for path in before if path.exists()}
    assert {path for path in before if before[path] != after.get(path)} <= {
        folder / "out/.vlmtl/batches.jsonl",
        folder / "out/.vlmtl/owner.json",
        folder / "out/.vlmtl/run.json",
    }


def test_exports_asked_for_later_are_made_without_a_model(folder: Path) -> None:
    code, told, err = again(folder, *echo_options(), "--set", "output.exports=[vtt, jsonl]", "--json")
    assert (code, told["num_skipped"]) == (0, 2), err
    assert "model echo" not in err
    assert (folder / "out/b/b.mp4.vtt").exists()
    assert len((folder / "out/scenes.jsonl").read_text().splitlines()) == 5


def test_another_prompt_changes_them_and_a_mended_one_is_kept(folder: Path) -> None:
    out = folder / "out"
    (out / "a.mp4.srt").write_text("mended\n")
    code, _, err = again(folder, *RUN, "--set", "caption.prompt=Who?")
    assert code == 3
    assert "a.mp4.srt: kept" in err
    assert (out / "a.mp4.srt").read_text() == "mended\n"
    assert (out / "b/b.mp4.srt").exists()
    code, told, err = again(folder, *RUN, "--set", "caption.prompt=Who?")
    assert (code, told["num_skipped"]) == (0, 2), err


def test_one_made_from_an_earlier_timeline_is_made_anew(folder: Path) -> None:
    """As a run that was killed between a timeline and its exports leaves it."""
    timeline = folder / "out/a.mp4.timeline.json"
    timeline.write_bytes(timeline.read_bytes().replace(b'"text": "', b'"text": "Now: '))
    code, told, err = again(folder)
    assert (code, told["num_skipped"]) == (0, 2), err
    assert (folder / "out/a.mp4.srt").read_text().count("Now: ") == 3
    assert (folder / "out/scenes.csv").read_text().count("Now: ") == 3 * 3


def test_a_video_that_fails_loses_its_exports(folder: Path) -> None:
    (folder / "videos/a.mp4").write_text("no video any more")
    (folder / "out/a.mp4.edl").write_text("mended\n")
    code, _, err = again(folder)
    assert code == 3, err
    assert not (folder / "out/a.mp4.srt").exists()
    assert (folder / "out/a.mp4.edl").read_text() == "mended\n"
    assert len((folder / "out/scenes.csv").read_text().splitlines()) == 3


def test_wrong_ones_are_told_before_anything_begins(folder: Path, tmp_path: Path) -> None:
    for value, said in (
        ("[srt, vt]", "Did you mean vtt?"),
        ("srt,vtt", "Write [srt,vtt]."),
        ("[3]", "allowed: srt, vtt"),
    ):
        code, _, err = run(
            "run", folder / "videos", tmp_path / "new", *echo_options(), "--set", f"output.exports={value}"
        )
        assert code == 2
        assert said in err
    assert not (tmp_path / "new").exists()
