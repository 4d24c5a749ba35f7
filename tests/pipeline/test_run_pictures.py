"""Pictures on disk are those their document names, whatever was changed or stopped in between."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image
from runs import documents, draw_scenes, echo_options, run

LARGE = [*echo_options(), "--set", "frames.thumbnail_px=128"]
SMALL = [*echo_options(), "--set", "frames.thumbnail_px=64"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a video `a.mp4` of four scenes and its timeline, with large pictures, in `out`."""
    folder = tmp_path_factory.mktemp("pictures")
    draw_scenes(folder / "a.mp4", 4)
    assert run("run", folder / "a.mp4", folder / "out", *LARGE)[0] == 0
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def pictures(folder: Path) -> dict[str, int]:
    """The longer side of each picture the document names."""
    (document,) = documents(folder / "out").values()
    names = [frame["path"] for scene in document["scenes"] for frame in scene["frames"]]
    assert sorted(names) == sorted(str(path.relative_to(folder / "out")) for path in out_pictures(folder))
    sides = {}
    for name in names:
        with Image.open(folder / "out" / name) as image:
            sides[name] = max(image.size)
    return sides


def out_pictures(folder: Path) -> list[Path]:
    return list((folder / "out" / "a.mp4.frames").glob("s0*.jpg"))


def stop_while_pictures_are_replaced(folder: Path) -> None:
    """A run for small pictures that cannot write one of them."""
    obstacle = folder / "out" / "a.mp4.frames" / "s0002-last.jpg"
    obstacle.unlink()
    obstacle.mkdir()
    code, _, err = run("run", folder / "a.mp4", folder / "out", *SMALL)
    assert code == 6, err
    obstacle.rmdir()


@pytest.mark.parametrize(("options", "side"), [(SMALL, 64), (LARGE, 128)])
def test_pictures_half_replaced_are_not_trusted(folder: Path, options: list[str], side: int) -> None:
    stop_while_pictures_are_replaced(folder)
    code, _, err = run("run", folder / "a.mp4", folder / "out", *options)
    assert code == 0, err
    assert set(pictures(folder).values()) == {side}


def test_pictures_follow_the_setting_back_and_forth(folder: Path) -> None:
    for options, side in [(SMALL, 64), (LARGE, 128), (SMALL, 64)]:
        assert run("run", folder / "a.mp4", folder / "out", *options)[0] == 0
        assert set(pictures(folder).values()) == {side}


@pytest.mark.parametrize("more", [[], ["--set", "caption.prompt=What is this?"]])
def test_a_damaged_note_costs_the_pictures_only(folder: Path, more: list[str]) -> None:
    (note,) = (folder / "out" / ".vlmtl" / "pictures").rglob("*.txt")
    note.write_bytes(b"\xae\xff\x00")
    code, _, err = run("run", folder / "a.mp4", folder / "out", *LARGE, *more)
    assert code == 0, err
    assert set(pictures(folder).values()) == {128}


def test_other_peoples_pictures_stay(folder: Path) -> None:
    mine = folder / "out" / "a.mp4.frames" / "sunset.jpg"
    mine.write_bytes(b"precious")
    assert run("run", folder / "a.mp4", folder / "out", *echo_options(), "--force")[0] == 0
    assert mine.read_bytes() == b"precious"
