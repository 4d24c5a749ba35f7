"""`vlmtl search` as a user meets it: what is found and shown, and an index that follows its timelines."""

from __future__ import annotations

import json
import os
import random
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from export_samples import HOSTILE, document, write_document

from corridor_cli.cli import page, tables
from corridor_cli.cli.main import call
from corridor_cli.cli.search_results import report_text
from corridor_cli.errors import ExitCode
from corridor_cli.printable import printable
from corridor_cli.runners.search import search_output
from corridor_cli.timeline.layout import OutputLayout
from corridor_cli.timeline.search import find
from corridor_cli.timeline.search.find import rank
from corridor_cli.timeline.search.query import read_query
from corridor_cli.timeline.search.refresh import open_to_read

ROOT = Path(__file__).parents[2]
Captured = pytest.CaptureFixture[str]


def write(output: Path, stem: str, *texts: str | None) -> Path:
    return write_document(output, stem, document(texts, name=stem))


@pytest.fixture
def output(tmp_path: Path) -> Path:
    out = tmp_path / "out"
    write(out, "b.mp4", "A red car on a street", "A tree in the rain", "Two red cars and a bus")
    write(out, "day 1/a.mp4", "红色的汽车停在路边", "Crème brûlée 👍🏽", "سيارة حمراء", None)
    return out


def search(output: Path, *words: str) -> list[tuple[str, int]]:
    """(video below /videos, scene) of what is found, best first."""
    report = search_output(output, " ".join(words), limit=50, videos=(), tell=print)
    assert report.num_found == len(report.hits)
    return [(hit.video.removeprefix("/videos/"), hit.number) for hit in report.hits]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("red", [("b.mp4", 1), ("b.mp4", 3)]),
        ("RED Car", [("b.mp4", 1)]),
        ("red car*", [("b.mp4", 1), ("b.mp4", 3)]),
        ("red -bus", [("b.mp4", 1)]),
        ('"red cars"', [("b.mp4", 3)]),
        ('"cars red"', []),
        ("tree OR bus", [("b.mp4", 2), ("b.mp4", 3)]),
        ("汽车", [("day 1/a.mp4", 1)]),
        ("车", [("day 1/a.mp4", 1)]),
        ("车汽", []),
        ("creme brulee", [("day 1/a.mp4", 2)]),
        ("👍", [("day 1/a.mp4", 2)]),
        ("سيارة", [("day 1/a.mp4", 3)]),
        ("day", [("day 1/a.mp4", number) for number in (2, 3, 1, 4)]),
    ],
)
def test_what_is_found(query: str, found: list[tuple[str, int]], output: Path) -> None:
    assert sorted(search(output, query)) == sorted(found)


def test_attributes_titles_and_other_captions_are_searched(output: Path) -> None:
    found = document(["A street", "A street"])
    found["summary"] = {"title": "Harbour", "synopsis": "Ships come in.", "tags": ["nautical"]}
    found["scenes"][1]["attributes"] = {
        "title": "Night", "subjects": ["sailor"], "action": None, "setting": "quay", "shot_type": "wide",
        "camera_movement": None, "on_screen_text": "OPEN", "tags": ["lantern"],
    }  # fmt: skip
    found["scenes"][0]["frames"][0]["caption"]["text"] = "A gull above"
    write_document(output, "c.mp4", found)
    for words in ("harbour", "ships", "nautical"):
        assert [number for _, number in search(output, words)] == [1, 2]
    for words in ("sailor quay", "lantern", "open", "night street harbour"):
        assert [number for _, number in search(output, words)] == [2]
    assert [number for _, number in search(output, "gull")] == [1]


def test_the_order_is_that_of_bm25(tmp_path: Path) -> None:
    draw = random.Random(3)
    vocabulary = [f"w{number}" for number in range(12)]
    texts = [" ".join(draw.choices(vocabulary, range(1, 13), k=draw.randint(1, 30))) for _ in range(120)]
    write(tmp_path, "a.mp4", *texts)
    search(tmp_path, "w1")
    with closing(open_to_read(OutputLayout(tmp_path).search)) as connection:
        weights = f"{find.CAPTION_WEIGHT}, {find.DETAILS_WEIGHT}, {find.VIDEO_WEIGHT}"
        for text in ("w0", "w0 w3", "w1 OR w2 OR w5", '"w9 w10"', "w1* -w4"):
            query = read_query(text)
            expression = " OR ".join(f"({group.expression})" for group in query.groups)
            rows = connection.execute(
                f"SELECT rowid, bm25(words, {weights}) FROM words WHERE words MATCH ?",
                (expression,),
            ).fetchall()
            # What is not wanted has no weight here; FTS5 counts it into none of these rows either.
            ranked = rank(connection, query, [(0, 1000)], 1000)
            scores = dict(rows)
            assert sorted(ranked.rows) == sorted(scores)
            ours = [scores[row] for row in ranked.rows]
            assert ours == pytest.approx(sorted(ours), abs=1e-9), text


def test_a_question_for_everything_is_answered_from_the_first(
    output: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find, "MAX_RANKED", 5)
    write(output, "c.mp4", *["snow"] * 40, "a rare comet in snow")
    assert call(["search", str(output), "snow", "--limit", "5", "--json"]) == ExitCode.OK
    told = capsys.readouterr()
    report = json.loads(told.out)
    assert (report["num_found"], report["is_more"], len(report["scenes"])) == (5, True, 5)
    assert "more than 5 scenes found" in told.err
    # The rare word's scenes are looked for by themselves, and come first.
    report = search_output(output, "snow OR comet", limit=3, videos=(), tell=print)
    assert report.hits[0].number == 41


def test_the_index_follows_its_timelines(output: Path) -> None:
    index = OutputLayout(output).search
    assert search(output, "car") == [("b.mp4", 1)]
    before = index.stat().st_mtime_ns
    assert search(output, "tree") == [("b.mp4", 2)]
    assert index.stat().st_mtime_ns == before
    write(output, "b.mp4", "A boat", "A car again")
    write(output, "new.mp4", "A car too")
    assert search(output, "car") == [("new.mp4", 1), ("b.mp4", 2)] or search(output, "car") == [
        ("b.mp4", 2),
        ("new.mp4", 1),
    ]
    (output / "new.mp4.timeline.json").unlink()
    assert search(output, "car") == [("b.mp4", 2)]
    assert search(output, "tree") == []
    with closing(sqlite3.connect(index)) as connection:
        assert connection.execute("SELECT count(*) FROM words").fetchone() == (6,)
        connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")


def test_only_some_videos(output: Path, capsys: Captured) -> None:
    write(output, "day 2/c.mov", "A red house")
    for patterns, found in ((["*.mov"], 1), (["b.*", "*.mov"], 3), (["day 1/*"], 0), (["day*/*"], 1)):
        options = [word for pattern in patterns for word in ("--video", pattern)]
        assert call(["search", str(output), "red", "--json", *options]) == ExitCode.OK
        assert json.loads(capsys.readouterr().out)["num_found"] == found


def test_how_it_is_shown(output: Path, capsys: Captured) -> None:
    assert call(["search", str(output), "red", "car*", "--limit", "1"]) == ExitCode.OK
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert lines[0].startswith("1. /videos/b.mp4  scene ")
    assert lines[1].startswith("   ")
    assert lines[-1].lstrip().startswith(("open     mpv --start=", "open     ffplay -ss "))
    assert "\x1b" not in told.out
    assert "2 scenes found in 7 scenes of 2 timelines, the best 1 are shown" in told.err


def test_hits_are_marked_on_a_terminal(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "is_terminal", lambda: True)
    monkeypatch.setattr(page, "is_terminal", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = report_text(search_output(output, "bus OR red", limit=9, videos=(), tell=print))
    assert "A \x1b[1;33mred\x1b[0m car on a street" in text
    text = report_text(search_output(output, '"red car"', limit=9, videos=(), tell=print))
    assert "A \x1b[1;33mred car\x1b[0m on a street" in text


def test_nothing_found_is_no_error(output: Path, capsys: Captured) -> None:
    assert call(["search", str(output), "zebra"]) == ExitCode.OK
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "vlmtl: nothing found in 7 scenes of 2 timelines\n"


def test_texts_meant_to_break_out(tmp_path: Path, capsys: Captured) -> None:
    write(
        tmp_path,
        "$(touch x) 'a'\n\x1b[2J-b.mp4",
        *(f"needle {text}" for text in HOSTILE if text.isprintable()),
    )
    found = document(["x"] * len(HOSTILE), name="-rf \u202e.mp4")
    for scene, text in zip(found["scenes"], HOSTILE, strict=True):
        scene["caption"]["text"] = f"needle {text}".encode("utf-16", "surrogatepass").decode(
            "utf-16", "replace"
        )
    write_document(tmp_path, "-rf.mp4", found)
    assert call(["search", str(tmp_path), "needle", "--limit", "500"]) == ExitCode.OK
    told = capsys.readouterr()
    assert all(printable(line) == line for line in told.out.split("\n"))
    commands = [line.split(None, 1)[1] for line in told.out.splitlines() if line.startswith("   open ")]
    assert len(commands) > len(HOSTILE)
    script = "mpv() { printf '%s\\0' \"$2\"; }; ffplay() { printf '%s\\0' \"$3\"; }; " + commands[0]
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.rstrip("\0") in ("/videos/$(touch x) 'a'\n\x1b[2J-b.mp4", "/videos/-rf \u202e.mp4")
    assert call(["search", str(tmp_path), "needle", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["num_found"] == len(commands)


def test_a_very_long_caption_is_shown_around_its_hit(tmp_path: Path) -> None:
    write(tmp_path, "a.mp4", f"{'word ' * 3000} needle {'more ' * 3000}")
    text = report_text(search_output(tmp_path, "needle", limit=9, videos=(), tell=print))
    assert "needle" in text
    assert len(text) < 1000


def test_names_that_are_not_utf8(tmp_path: Path, capsys: Captured) -> None:
    raw = os.fsdecode(b"caf\xe9.mp4")
    found = document(["A boat"])
    found["source"] |= {"path": "/v/caf\\xe9.mp4", "path_bytes": b"/v/caf\xe9.mp4".hex()}
    write_document(tmp_path, raw, found)
    assert call(["search", str(tmp_path), "boat"]) == ExitCode.OK
    out = capsys.readouterr().out
    assert "1. /v/caf\\xe9.mp4" in out
    assert "$'/v/caf\\xe9.mp4'" in out
    assert call(["search", str(tmp_path), "boat", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["scenes"][0]["timeline"] == "caf\\xe9.mp4.timeline.json"


def test_a_damaged_timeline_is_named_each_time_and_the_rest_is_searched(
    output: Path, capsys: Captured
) -> None:
    (output / "a.mp4.timeline.json").write_bytes(b'{"schema": "vlmtl.timeline/1", "status": "comp')
    (output / "c.mp4.timeline.json").write_bytes(b'{"schema": "other/1"}')
    (output / "gone.mp4.timeline.json").symlink_to(output / "nowhere")
    for _ in range(2):
        assert call(["search", str(output), "tree"]) == ExitCode.PARTIAL
        told = capsys.readouterr()
        assert "b.mp4  scene 2" in told.out
        assert "warning: a.mp4.timeline.json: is no JSON document" in told.err
        assert "warning: c.mp4.timeline.json: is no timeline of ours" in told.err
        assert "warning: gone.mp4.timeline.json: cannot be read" in told.err
    write(output, "nowhere", "A tree")
    (output / "gone.mp4.timeline.json").unlink()
    (output / "gone.mp4.timeline.json").symlink_to(output / "nowhere.timeline.json")
    assert len(search(output, "tree")) == 3


def test_a_folder_without_timelines(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "x.failed.json").write_bytes(b"{}")
    assert call(["search", str(tmp_path), "a"]) == ExitCode.NO_INPUTS
    assert "No timeline was found" in capsys.readouterr().err
    assert not (tmp_path / ".vlmtl").exists()
    (tmp_path / "x.timeline.json").write_bytes(b"{}")
    assert call(["search", str(tmp_path), "a"]) == ExitCode.NO_INPUTS
    assert call(["search", str(tmp_path / "nowhere"), "a"]) == ExitCode.USAGE
    assert call(["search", str(tmp_path / "x.failed.json"), "a"]) == ExitCode.USAGE
    assert call(["search", str(tmp_path), "--", "-a"]) == ExitCode.USAGE


def test_a_damaged_index_is_made_anew(output: Path, capsys: Captured) -> None:
    search(output, "red")
    index = OutputLayout(output).search
    whole = index.read_bytes()
    draw = random.Random(5)
    damaged: list[bytes] = [b"", b"no database at all" * 100, whole[:4096], whole[: len(whole) // 2]]
    for _ in range(30):
        pages = bytearray(whole)
        for _ in range(draw.randint(1, 6)):
            place = draw.randrange(len(pages) // 512) * 512
            pages[place : place + 512] = draw.randbytes(512)
        damaged.append(bytes(pages))
    for data in damaged:
        index.write_bytes(data)
        assert call(["search", str(output), "bus", "--json"]) in (ExitCode.OK, ExitCode.PARTIAL)
        capsys.readouterr()
    index.write_bytes(damaged[1])
    assert search(output, "bus") == [("b.mp4", 3)]
    assert "is damaged (file is not a database): it is made anew" in capsys.readouterr().out
    index.write_bytes(damaged[1])
    index.with_name("search.sqlite-journal").write_bytes(b"left by a killed search")
    assert search(output, "bus") == [("b.mp4", 3)]
    with closing(sqlite3.connect(index)) as connection:
        connection.execute("UPDATE about SET version = 'of another time'")
        connection.commit()
    assert search(output, "bus") == [("b.mp4", 3)]


def test_a_folder_that_cannot_be_written_is_searched_all_the_same(output: Path) -> None:
    if subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("no mounts can be made here")
    shell = f"mount --bind {shlex.quote(str(output))} {shlex.quote(str(output))} && " \
        f"mount -o remount,bind,ro {shlex.quote(str(output))} && {sys.executable} -m corridor_cli search " \
        f"{shlex.quote(str(output))} "  # fmt: skip

    def ask(words: str) -> Any:
        return subprocess.run(
            ["unshare", "-m", "sh", "-c", shell + words],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )

    done = ask("bus")
    assert done.returncode == ExitCode.OK, done.stderr
    assert "b.mp4  scene 3" in done.stdout
    assert "a temporary copy is searched" in done.stderr
    assert not (output / ".vlmtl").exists()
    search(output, "bus")
    done = ask("bus")
    assert (done.returncode, "temporary" in done.stderr) == (ExitCode.OK, False)
    write(output, "b.mp4", "A boat")
    done = ask("boat")
    assert "b.mp4  scene 1" in done.stdout
    assert "a temporary copy is searched" in done.stderr


def test_searches_at_once_all_find_it(tmp_path: Path) -> None:
    for number in range(60):
        write(tmp_path, f"c{number}.mp4", f"caption {number}", "a boat")
    command = [sys.executable, "-m", "corridor_cli", "search", str(tmp_path), "boat", "--json"]
    for _ in range(2):
        processes = [
            subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for _ in range(3)
        ]
        for process in processes:
            out, err = process.communicate(timeout=100)
            assert process.returncode == ExitCode.OK, err
            assert json.loads(out)["num_found"] == 60
            assert b"temporary" not in err
        write(tmp_path, "c7.mp4", "a boat")
    assert sorted(path.name for path in (tmp_path / ".vlmtl").iterdir()) == ["search.lock", "search.sqlite"]
