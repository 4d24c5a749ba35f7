"""`vlmtl diff` as a user meets it: what is matched, what is told, what is skipped, and the exit codes."""

from __future__ import annotations

import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from export_samples import HOSTILE, document, write_document
from rich.cells import cell_len
from rich.text import Text
from timeline_samples import failed_timeline

from corridor_cli.cli import diff_lines, page, tables
from corridor_cli.cli.main import call
from corridor_cli.errors import ExitCode
from corridor_cli.printable import printable
from corridor_cli.timeline.schema import timeline_bytes

Captured = pytest.CaptureFixture[str]


def put(folder: Path, name: str, *texts: str | None, mark: str | None = None, **model: str) -> Path:
    """A timeline in a folder; `mark` is the hash in its fingerprint."""
    found = document(texts, name=name)
    found["source"]["fingerprint"] = f"v1:10:{abs(hash(folder)) % 1000}:{mark or name}"
    found["provenance"]["model"] |= model
    return write_document(folder, name, found)


def diff(*arguments: object) -> int:
    return call(["diff", *map(str, arguments)])


def told(capsys: Captured, *arguments: object) -> dict[str, Any]:
    diff("--json", *arguments)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    """Two runs: one caption changed, a video renamed, one only in each; B is by another model."""
    a, b = tmp_path / "a", tmp_path / "b"
    put(a, "one.mp4", "A red car.", "A tree.", None)
    put(b, "one.mp4", "A blue car.", "A tree.", None, id="other")
    put(a, "day/same.mp4", "x")
    put(b, "day/same.mp4", "x", id="other")
    put(a, "old.mp4", "A dog.", mark="dog")
    put(b, "new.mp4", "A dog.", mark="dog", id="other")
    put(a, "gone.mp4", "x")
    put(b, "more.mp4", "x", id="other")
    return a, b


def test_what_changed_is_told_word_by_word(sides: tuple[Path, Path], capsys: Captured) -> None:
    assert diff(*sides) == ExitCode.OK
    out, err = capsys.readouterr()
    assert err == ""
    assert "one.mp4: 3 scenes, 2 the same, 1 changed, similarity 0.88\n" in out
    assert "    A [-red-] {+blue+} car.  (0.75)\n" in out
    assert "gone.mp4: only in A (complete)" in out
    assert "more.mp4: only in B (complete)" in out
    assert "made differently:\n  model.id: tiny → other (3 videos)\n" in out
    assert out.endswith(
        "5 videos: 2 the same, 1 changed, 1 only in A, 1 only in B\n"
        "5 scenes: 4 the same, 1 changed; similarity 0.94\n"
    )


def test_the_same_as_json(sides: tuple[Path, Path], capsys: Captured) -> None:
    found = told(capsys, *sides)
    videos = {each["video"]: each for each in found["videos"]}
    assert {name: each["state"] for name, each in videos.items()} == {
        "one.mp4": "changed", "day/same.mp4": "same", "new.mp4": "same",
        "gone.mp4": "only_a", "more.mp4": "only_b",
    }  # fmt: skip
    assert videos["new.mp4"]["a"]["document"].endswith("/a/old.mp4.timeline.json")
    assert videos["more.mp4"]["a"] is None
    (caption,) = [
        each
        for scene in videos["one.mp4"]["scenes"]
        for each in scene["captions"]
        if not each["is_same"] and each["of"] == "scene"
    ]
    assert [(piece["kind"], piece["text"].strip()) for piece in caption["words"]] == [
        ("same", "A"), ("gone", "red"), ("new", "blue"), ("same", "car."),
    ]  # fmt: skip
    assert found["totals"]["videos"] == {"same": 2, "changed": 1, "only_a": 1, "only_b": 1, "unread": 0}
    assert (found["is_same"], found["exit_code"]) == (False, 0)
    assert told(capsys, *sides, "--exit-code")["exit_code"] == 8


def test_the_exit_code_is_8_only_where_it_is_asked_for_and_something_differs(
    sides: tuple[Path, Path], capsys: Captured
) -> None:
    assert diff(*sides, "--exit-code") == ExitCode.CHECK_FAILED
    assert "differ" in capsys.readouterr().err
    assert diff(sides[0], sides[0], "--exit-code") == ExitCode.OK
    assert diff(sides[0] / "day/same.mp4", sides[1] / "day/same.mp4", "--exit-code") == ExitCode.OK
    capsys.readouterr()
    diff(sides[0], sides[0])
    assert capsys.readouterr().out == "4 videos: 4 the same\n6 scenes: 6 the same; similarity 1.00\n"


def test_two_timelines_by_the_names_of_their_videos(sides: tuple[Path, Path], capsys: Captured) -> None:
    a, b = sides
    assert diff(a / "old.mp4", b / "new.mp4.timeline.json") == ExitCode.OK
    assert "1 video: 1 the same" in capsys.readouterr().out
    assert diff(a / "old.mp4", b / "one.mp4") == ExitCode.OK
    assert "one.mp4: in A old.mp4, of another file than in A, " in capsys.readouterr().out


def test_a_failure_is_compared_as_such(sides: tuple[Path, Path], capsys: Captured) -> None:
    a, b = sides
    (b / "one.mp4.timeline.json").unlink()
    for folder in (a, b):
        (folder / "bad.mp4.failed.json").write_bytes(timeline_bytes(failed_timeline(), indent=2))
    (b / "one.mp4.failed.json").write_bytes(timeline_bytes(failed_timeline(), indent=2))
    videos = {each["video"]: each for each in told(capsys, a, b)["videos"]}
    assert videos["bad.mp4"]["state"] == "same"
    assert videos["one.mp4"]["state"] == "changed"
    diff(a, b)
    assert "partial in A, failed in B" in capsys.readouterr().out


@pytest.mark.parametrize("data", [b"", b"{", b'{"schema": "other"}', b"[" * 100_000, b"\xff"])
def test_a_damaged_document_is_named_and_skipped(
    data: bytes, sides: tuple[Path, Path], capsys: Captured
) -> None:
    (sides[1] / "one.mp4.timeline.json").write_bytes(data)
    assert diff(*sides) == ExitCode.PARTIAL
    out, err = capsys.readouterr()
    assert (
        f"vlmtl: warning: {sides[1]}/one.mp4.timeline.json is damaged, or no timeline of ours; skipped" in err
    )
    assert "1 unread" in out
    assert told(capsys, *sides)["totals"]["videos"]["same"] == 2


def test_a_document_with_a_broken_scene_is_skipped(sides: tuple[Path, Path], capsys: Captured) -> None:
    path = sides[1] / "one.mp4.timeline.json"
    found = json.loads(path.read_bytes())
    found["scenes"][0]["start"] = "soon"
    path.write_text(json.dumps(found))
    assert diff(*sides) == ExitCode.PARTIAL
    assert "one.mp4.timeline.json is damaged: scenes[0].start" in capsys.readouterr().err


def test_what_cannot_be_compared_is_refused(
    sides: tuple[Path, Path], tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "empty").mkdir()
    assert diff(sides[0], sides[1] / "one.mp4") == ExitCode.USAGE
    assert "allowed: two folders, or two timelines" in capsys.readouterr().err
    assert diff(sides[0], tmp_path / "empty") == ExitCode.NO_INPUTS
    assert diff(tmp_path / "no.mp4", tmp_path / "none.mp4") == ExitCode.USAGE


def test_scenes_and_boundaries_of_one_side(tmp_path: Path, capsys: Captured) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    put(a, "x.mp4", "one", "two")
    found = document(["one", "two", "three"], name="x.mp4")
    write_document(b, "x.mp4", found)
    diff(a, b)
    out = capsys.readouterr().out
    assert "  scene 3  00:00:03.337–00:00:05.005  only in B\n    three\n" in out
    assert "  boundaries only in B: 00:00:03.337\n" in out
    assert "boundaries: 1 the same, 0 only in A, 1 only in B" in out


def test_captions_cannot_break_out(tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip() for text in HOSTILE]
    a = put(tmp_path / "a", "x\x1b[2J\n.mp4", *texts)
    b = put(tmp_path / "b", "x\x1b[2J\n.mp4", *texts[1:], texts[0])
    diff(a.parent, b.parent)
    out = capsys.readouterr().out
    assert all(printable(line) == line for line in out.split("\n"))
    for module in (tables, page, diff_lines):
        monkeypatch.setattr(module, "is_terminal", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    diff(a.parent, b.parent)
    lines = [Text.from_ansi(line).plain for line in capsys.readouterr().out.splitlines()]
    assert max(cell_len(line) for line in lines) <= 80


def test_the_limit_hides_videos_but_counts_them(sides: tuple[Path, Path], capsys: Captured) -> None:
    diff(*sides, "-n", "1")
    out = capsys.readouterr().out
    assert out.startswith("gone.mp4: only in A")
    assert "and 2 more videos: -n 3 shows all, or --json" in out
    assert "5 videos" in out


def test_memory_does_not_grow_with_the_number_of_videos(tmp_path: Path, capsys: Captured) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    first = put(a, "0.mp4", *["word " * 10] * 30)
    put(b, "0.mp4", *["word " * 9 + "other"] * 30)
    for number in range(1, 20):
        for folder in (a, b):
            os.link(folder / first.name, folder / f"{number}.mp4.timeline.json")

    def peak(*arguments: object) -> int:
        tracemalloc.start()
        diff("-n", "0", *arguments)
        capsys.readouterr()
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    one = peak(a / "0.mp4", b / "0.mp4")
    assert peak(a, b) < 2 * one
