"""`vlmtl show` on hostile documents, names that mean nothing, and a terminal of 80 columns."""

from __future__ import annotations

from pathlib import Path

import pytest
from export_samples import HOSTILE, document, write_document
from rich.cells import cell_len
from rich.text import Text

from corridor_cli.cli import page, tables
from corridor_cli.cli.main import call
from corridor_cli.errors import ExitCode
from corridor_cli.printable import printable

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """stdout as if it were a terminal of 80 columns."""
    monkeypatch.setattr(tables, "is_terminal", lambda: True)
    monkeypatch.setattr(page, "is_terminal", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)


def show(path: Path, *options: str) -> int:
    return call(["show", str(path), *options])


@pytest.mark.usefixtures("terminal")
def test_everything_fits_80_columns(tmp_path: Path, capsys: Captured) -> None:
    texts = ["word " * 60, "红色的汽车停在路边。" * 12, "👩‍👩‍👧 " * 40, "سيارة حمراء " * 20, None]
    found = document(texts, name="a.mp4")
    found["transitions"] = [{"kind": "dissolve", "start": 1.5, "end": 1.836}]
    path = write_document(tmp_path, "a.mp4", found)
    assert show(path) == ExitCode.OK
    out = capsys.readouterr().out
    assert "\x1b[" in out
    lines = [Text.from_ansi(line).plain for line in out.splitlines()]
    assert max(cell_len(line) for line in lines[1:]) <= 80
    assert [line.strip() for line in lines if "dissolve" in line] == [
        "dissolve  00:00:01.500–00:00:01.836  0.336 s"
    ]
    assert lines.index("    dissolve  00:00:01.500–00:00:01.836  0.336 s") < next(
        number for number, line in enumerate(lines) if line.startswith("  2 ")
    )
    assert sum("no caption, error" in line for line in lines) == 1


def test_captions_cannot_break_out(tmp_path: Path, capsys: Captured) -> None:
    texts = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip() for text in HOSTILE]
    path = write_document(tmp_path, "a\x1b[2J\n.mp4", document(texts, name="a\x1b[31m.mp4"))
    for options in ((), ("--scene", "3")):
        assert show(path, *options) == ExitCode.OK
        out = capsys.readouterr().out
        assert all(printable(line) == line for line in out.split("\n"))
    assert show(path) == ExitCode.OK
    scenes = [line for line in capsys.readouterr().out.splitlines() if line[:3].strip().isdecimal()]
    assert len(scenes) == len(HOSTILE)


def test_a_failed_caption_is_never_text(tmp_path: Path, capsys: Captured) -> None:
    path = write_document(tmp_path, "a.mp4", document(["A car", None]))
    assert show(path) == ExitCode.OK
    out = capsys.readouterr().out
    assert "  status     partial" in out
    assert "1 without a caption" in out
    assert "    [no caption, error: " in out


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "a.mp4.timeline.json is damaged: Invalid JSON"),
        (b'{"schema": "vlmtl.timeline/1", "status": "comp', "is damaged: Invalid JSON"),
        (b'{"schema": "vlmtl.timeline/1"}', "is damaged: status: Field required (and 7 more)"),
        (b'{"schema": "other/1"}', "is no timeline of ours"),
        (b"[" * 100_000, "is damaged"),
        (b"\xff\xfe\x00", "is damaged"),
    ],
)
def test_what_is_no_timeline_is_named(data: bytes, said: str, tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "a.mp4.timeline.json"
    path.write_bytes(data)
    for options in ((), ("--json",), ("--scene", "1")):
        assert show(path, *options) == ExitCode.PARTIAL
        told = capsys.readouterr()
        assert told.out == ""
        assert said in told.err


def test_names_that_mean_nothing(tmp_path: Path, capsys: Captured) -> None:
    write_document(tmp_path, "day/a.mp4", document(["A car"]))
    (tmp_path / "notes.txt").write_text("x")
    for path, said in (
        (tmp_path, "is a folder, allowed: a timeline, or a video as it is called in OUTPUT"),
        (tmp_path / "day/b.mp4", "there is no timeline for"),
        (tmp_path / "notes.txt", "is no timeline, and none lies beside it"),
        (tmp_path / "no/where/x.mp4", "there is no timeline for"),
    ):
        assert show(path) == ExitCode.USAGE
        assert said in capsys.readouterr().err
    show(tmp_path / "day/b.mp4")
    assert f"There are: {tmp_path}/day/a.mp4." in capsys.readouterr().err


@pytest.mark.parametrize("number", ["0", "2", "s0002", "-1", "x", "1.0", "٣", "99999999999999999999"])
def test_a_scene_that_is_not_there(number: str, tmp_path: Path, capsys: Captured) -> None:
    path = write_document(tmp_path, "a.mp4", document(["A car"]))
    assert show(path, f"--scene={number}") == ExitCode.USAGE
    assert f"got '{number}', allowed: 1 to 1" in capsys.readouterr().err
