"""`vlmtl report` as a user meets it: which pages there are, what is kept, what is told, the exit codes."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from export_samples import document, write_document
from PIL import Image
from report_samples import captions_of, read_page
from timeline_samples import failed_timeline

from corridor_cli.cli.main import call
from corridor_cli.errors import ExitCode
from corridor_cli.timeline.exports.beside import remove_beside
from corridor_cli.timeline.layout import OutputLayout
from corridor_cli.timeline.lock import OutputLock
from corridor_cli.timeline.schema import timeline_bytes

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Two videos of two scenes, one of them in a folder, and one that failed."""
    folder = tmp_path / "out"
    for stem in ("b.mp4", "day 1/a#1.mp4"):
        write_document(folder, stem, document(["A car", "A tree"], name=stem.rpartition("/")[2]))
    (folder / "c.mp4.failed.json").write_bytes(timeline_bytes(failed_timeline(), indent=2))
    return folder


def report(output: Path, *options: str) -> int:
    return call(["report", str(output), *options])


def pages(output: Path) -> list[str]:
    return sorted(str(path.relative_to(output)) for path in output.rglob("*.html"))


def save_pictures(output: Path, stem: str, colour: str) -> None:
    """What a run saves beside a timeline, and the document that names it."""
    path = output / f"{stem}.timeline.json"
    found = json.loads(path.read_bytes())
    name = stem.rpartition("/")[2]
    for scene in found["scenes"]:
        for frame in scene["frames"]:
            frame["path"] = f"{name}.frames/{frame['id']}.jpg"
            picture = path.parent / frame["path"]
            picture.parent.mkdir(exist_ok=True)
            Image.new("RGB", (320, 180), colour).save(picture, "JPEG")
    path.write_bytes(json.dumps(found).encode())


def test_every_document_has_a_page_and_the_folder_one(output: Path, capsys: Captured) -> None:
    assert report(output) == ExitCode.OK
    told = capsys.readouterr()
    assert pages(output) == [
        "b.mp4.report.html", "c.mp4.report.html", "day 1/a#1.mp4.report.html", "report.html",
    ]  # fmt: skip
    assert told.out == f"3 videos, 4 scenes; 1 failed\n  pages: 4 written\n{output}/report.html\n"
    assert told.err == ""
    library = read_page((output / "report.html").read_bytes())
    links = [row.one("td", "name").one("a").attributes["href"] for row in library.all("tr", "video")]
    assert links == ["./b.mp4.report.html", "./c.mp4.report.html", "./day%201/a%231.mp4.report.html"]
    page = read_page((output / "day 1/a#1.mp4.report.html").read_bytes())
    assert list(captions_of(page)) == ["A car", "A tree"]
    assert page.one("nav").one("a").attributes["href"] == "../report.html"
    document_link = page.one("section", "made").one("a").attributes["href"]
    assert document_link == "./a%231.mp4.timeline.json"
    assert "The video is not at /videos/a#1.mp4" in page.text
    assert "No pictures: none were saved, and the video is not there." in page.text


def test_pages_follow_their_documents_and_equal_ones_are_not_touched(output: Path, capsys: Captured) -> None:
    assert report(output) == ExitCode.OK
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*.html")}
    capsys.readouterr()
    assert report(output) == ExitCode.OK
    assert "pages: 4 unchanged" in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in output.rglob("*.html")}
    write_document(output, "b.mp4", document(["A red house", None], name="b.mp4"))
    assert report(output) == ExitCode.OK
    assert "pages: 2 written, 2 unchanged" in capsys.readouterr().out
    assert "A red house" in (output / "b.mp4.report.html").read_text(encoding="utf-8")
    assert "A red house" in (output / "report.html").read_text(encoding="utf-8")


def test_a_changed_or_foreign_page_is_kept_unless_forced(output: Path, capsys: Captured) -> None:
    assert report(output) == ExitCode.OK
    (output / "b.mp4.report.html").write_text("mended by hand\n")
    (output / "report.html").write_text("mine\n")
    capsys.readouterr()
    assert report(output) == ExitCode.PARTIAL
    told = capsys.readouterr()
    assert "pages: 2 unchanged, 2 kept" in told.out
    for name in ("b.mp4.report.html", "report.html"):
        assert f"vlmtl: warning: {name}: kept, for it was changed since, or is not by vlmtl" in told.err
    assert (output / "b.mp4.report.html").read_text() == "mended by hand\n"
    assert list(output.rglob("*.tmp")) == []
    assert report(output, "--force") == ExitCode.OK
    assert "A car" in (output / "b.mp4.report.html").read_text(encoding="utf-8")
    assert report(output) == ExitCode.OK


def test_what_cannot_be_read_is_told_and_stops_nothing(output: Path, capsys: Captured) -> None:
    (output / "bad.mp4.timeline.json").write_bytes(b'{"schema": "vlmtl.timeline/1", "status": "comp')
    (output / "other<b>.timeline.json").write_bytes(b'{"schema": "other/1"}')
    assert report(output) == ExitCode.PARTIAL
    told = capsys.readouterr()
    assert "vlmtl: warning: bad.mp4.timeline.json: is damaged: Invalid JSON" in told.err
    assert "vlmtl: warning: other<b>.timeline.json: is no timeline of ours" in told.err
    assert "3 videos, 4 scenes; 1 failed" in told.out
    assert not (output / "bad.mp4.report.html").exists()
    library = read_page((output / "report.html").read_bytes())
    assert "other<b>.timeline.json is no timeline of ours" in library.one("section", "problems").text


def test_nothing_to_report(tmp_path: Path, capsys: Captured) -> None:
    assert report(tmp_path / "none") == ExitCode.USAGE
    assert "is not a folder" in capsys.readouterr().err
    assert report(tmp_path) == ExitCode.NO_INPUTS
    assert "No timeline was found" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a.mp4.timeline.json").write_bytes(b"{}")
    assert report(tmp_path) == ExitCode.NO_INPUTS
    assert "none of 1 document can be read; the first is a.mp4.timeline.json, which is no timeline" in (
        capsys.readouterr().err
    )
    assert pages(tmp_path) == []


def test_a_folder_of_failures_alone_has_a_library(output: Path, capsys: Captured) -> None:
    for path in output.rglob("*.timeline.json"):
        path.unlink()
    assert report(output) == ExitCode.OK
    assert capsys.readouterr().out.startswith("1 video, 0 scenes; 1 failed\n")


def test_a_run_at_work_is_left_alone(output: Path, capsys: Captured) -> None:
    with OutputLock(OutputLayout(output)):
        assert report(output) == ExitCode.LOCKED
    assert "Another run owns" in capsys.readouterr().err
    assert pages(output) == []


def test_saved_pictures_are_in_the_page(output: Path) -> None:
    save_pictures(output, "b.mp4", "red")
    assert report(output) == ExitCode.OK
    page = read_page((output / "b.mp4.report.html").read_bytes())
    assert len(page.all("img")) == 2
    library = read_page((output / "report.html").read_bytes())
    assert len(library.all("img")) == 1
    assert report(output, "--no-thumbnails") == ExitCode.OK
    for name in ("b.mp4.report.html", "report.html"):
        assert read_page((output / name).read_bytes()).all("img") == []


def test_no_other_file_gets_into_a_page(output: Path, tmp_path: Path) -> None:
    """A document that somebody wrote names pictures elsewhere, or links lead there."""
    save_pictures(output, "b.mp4", "red")
    secret = tmp_path / "secret.jpg"
    Image.new("RGB", (8, 8)).save(secret, "JPEG")
    path = output / "b.mp4.timeline.json"
    found = json.loads(path.read_bytes())
    for frame in found["scenes"][0]["frames"]:
        frame["path"] = "../secret.jpg"
    path.write_bytes(json.dumps(found).encode())
    for frame in found["scenes"][1]["frames"]:
        picture = output / frame["path"]
        picture.unlink()
        picture.symlink_to(secret)
    assert report(output) == ExitCode.OK
    assert read_page((output / "b.mp4.report.html").read_bytes()).all("img") == []


def test_the_outcome_as_json(output: Path, capsys: Captured) -> None:
    (output / "bad.mp4.timeline.json").write_bytes(b"{}")
    assert report(output, "--json") == ExitCode.PARTIAL
    told = json.loads(capsys.readouterr().out)
    assert told["library"] == f"{output}/report.html"
    assert (told["num_videos"], told["num_scenes"], told["exit_code"]) == (3, 4, 3)
    assert told["pages"] == {"written": 4}
    assert told["videos"][1] == {"video": "c.mp4", "page": "./c.mp4.report.html", "status": "failed"}
    assert [each["file"] for each in told["unread"]] == ["bad.mp4.timeline.json"]


def test_a_video_that_fails_later_loses_its_page(output: Path) -> None:
    assert report(output) == ExitCode.OK
    (output / "day 1/a#1.mp4.report.html").write_text("mended by hand\n")
    for name in ("b.mp4", "day 1/a#1.mp4"):
        remove_beside(OutputLayout(output), name)
    assert not (output / "b.mp4.report.html").exists()
    assert (output / "day 1/a#1.mp4.report.html").exists()


def test_a_folder_that_cannot_be_written(output: Path, capsys: Captured) -> None:
    (output / "b.mp4.report.html").mkdir()
    assert report(output) == ExitCode.STORAGE
    assert "Cannot read" in capsys.readouterr().err


def test_pages_are_readable_by_whom_the_umask_allows(output: Path) -> None:
    assert report(output) == ExitCode.OK
    umask = os.umask(0)
    os.umask(umask)
    assert (output / "report.html").stat().st_mode & 0o777 == 0o666 & ~umask
    assert io.BytesIO((output / "report.html").read_bytes()).read(15) == b"<!doctype html>"
