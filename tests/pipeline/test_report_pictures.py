"""`vlmtl report` after real runs: pictures that were saved, or taken from the video, and the video itself."""

from __future__ import annotations

import io
import json
import os
import shutil
from base64 import b64decode
from pathlib import Path

import pytest
from PIL import Image
from runs import draw_scenes, echo_options, run

SAVE_NONE = ("--set", "frames.save=none")

pytestmark = pytest.mark.usefixtures("one_worker")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos, and timelines of them without pictures."""
    folder = tmp_path_factory.mktemp("report")
    draw_scenes(folder / "videos/a.mp4", 3)
    draw_scenes(folder / "videos/b/b.mp4", 2, first=3)
    code, _, err = run("run", folder / "videos", folder / "out", *echo_options(), *SAVE_NONE)
    assert code == 0, err
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of them; its documents name the videos there."""
    shutil.copytree(made, tmp_path / "made", copy_function=shutil.copy2)
    for path in (tmp_path / "made/out").rglob("*.timeline.json"):
        path.write_text(path.read_text().replace(str(made), str(tmp_path / "made")))
    return tmp_path / "made"


def report(folder: Path) -> str:
    """What the command said on stderr; it must not have failed."""
    code, _, err = run("report", folder / "out")
    assert code == 0, err
    return err


def pictures(page: Path) -> list[Image.Image]:
    text = page.read_text(encoding="utf-8")
    found = [part.partition('"')[0] for part in text.split('src="data:image/webp;base64,')[1:]]
    return [Image.open(io.BytesIO(b64decode(data))) for data in found]


def test_pictures_come_from_the_videos_where_none_were_saved(folder: Path) -> None:
    err = report(folder)
    assert "taking pictures from 2 videos, for none were saved" in err
    for name, count in (("a.mp4", 3), ("b/b.mp4", 2)):
        page = folder / f"out/{name}.report.html"
        found = pictures(page)
        assert len(found) == count
        # Each scene has a colour of its own: they are pictures of their scenes, not one and the same.
        assert len({picture.convert("RGB").resize((8, 8)).tobytes() for picture in found}) == count
    assert 'src="../../videos/b/b.mp4"' in (folder / "out/b/b.mp4.report.html").read_text()
    assert 'src="../videos/a.mp4"' in (folder / "out/a.mp4.report.html").read_text()
    assert not list((folder / "out").rglob("*.frames"))


@pytest.mark.parametrize(
    ("change", "said", "is_played"),
    [
        ("gone", "No pictures: none were saved, and the video is not there.", False),
        ("other", "No pictures: none were saved, and the video was changed since.", True),
        ("no scan", "No pictures: none were saved, and the record of its scan is gone.", True),
    ],
)
def test_no_pictures_and_why(folder: Path, change: str, said: str, is_played: bool) -> None:
    video = folder / "videos/a.mp4"
    if change == "gone":
        video.unlink()
    elif change == "other":
        video.write_bytes(video.read_bytes() + b"\0" * 100)
    else:
        shutil.rmtree(folder / "out/.vlmtl/scans")
    report(folder)
    text = (folder / "out/a.mp4.report.html").read_text(encoding="utf-8")
    assert said in text
    assert ("<video" in text) == is_played
    assert ("The video was changed since" in text) == (change == "other")
    assert pictures(folder / "out/a.mp4.report.html") == []


def test_a_copy_of_the_video_counts_as_the_same(folder: Path) -> None:
    os.utime(folder / "videos/a.mp4", (1, 1))
    report(folder)
    assert len(pictures(folder / "out/a.mp4.report.html")) == 3


def test_a_scan_that_does_not_fit_gives_no_pictures_and_no_new_scan(folder: Path) -> None:
    """The record says that the picks look otherwise: nothing is shown that is not what was captioned."""
    import zlib

    document = json.loads((folder / "out/a.mp4.timeline.json").read_bytes())
    key = document["provenance"]["scan_key"]
    path = folder / f"out/.vlmtl/scans/{key[:2]}/{key}.json"
    scan = json.loads(path.read_bytes())
    for picks in scan["record"]["picks"]:
        for pick in picks:
            pick["rgb_crc32"] ^= 1
    text = json.dumps(scan["record"], sort_keys=True, separators=(",", ":")).encode("ascii")
    scan["crc32"] = zlib.crc32(text)
    path.write_text(json.dumps(scan, sort_keys=True, separators=(",", ":")))
    before = path.read_bytes()
    report(folder)
    assert pictures(folder / "out/a.mp4.report.html") == []
    assert "none could be taken from the video" in (folder / "out/a.mp4.report.html").read_text()
    assert len(pictures(folder / "out/b/b.mp4.report.html")) == 2
    assert path.read_bytes() == before


def test_saved_pictures_need_no_video(folder: Path) -> None:
    code, _, err = run("run", folder / "videos", folder / "saved", *echo_options())
    assert code == 0, err
    shutil.rmtree(folder / "videos")
    code, out, err = run("report", folder / "saved")
    assert (code, err) == (0, "")
    assert out == f"2 videos, 5 scenes\n  pages: 3 written\n{folder}/saved/report.html\n"
    assert len(pictures(folder / "saved/a.mp4.report.html")) == 3
    assert len(pictures(folder / "saved/report.html")) == 2
