"""`vlmtl show` and `vlmtl search` over what a real run left: films, and a file that is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from runs import draw_scenes, echo_options, run

pytestmark = pytest.mark.usefixtures("one_worker")


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The timelines of two films, the first of three scenes, and of a file that is no video."""
    folder = tmp_path_factory.mktemp("show")
    draw_scenes(folder / "videos/a.mp4", 3)
    draw_scenes(folder / "videos/b/b.mp4", 2, first=3)
    (folder / "videos/bad.mp4").write_bytes(b"x" * 2000)
    code, _, err = run("run", folder / "videos", folder / "out", *echo_options())
    assert code == 3, err
    return folder / "out"


def test_a_scene_is_found_and_can_be_opened(output: Path) -> None:
    code, out, err = run("search", output, "dark frame", "--json")
    assert code == 0, err
    report = json.loads(out)
    assert report["num_scenes"] == 5
    hits = report["scenes"]
    assert hits
    for hit in hits:
        assert "dark" in hit["caption"]
        assert Path(hit["video"]).is_file()
        assert Path(hit["picture"]).is_file()
        document = json.loads((output / hit["timeline"]).read_bytes())
        scene = document["scenes"][hit["scene"] - 1]
        assert (scene["start_timecode"], scene["caption"]["text"]) == (hit["start_timecode"], hit["caption"])


def test_a_timeline_is_shown(output: Path) -> None:
    code, out, err = run("show", output / "a.mp4")
    assert (code, err) == (0, "")
    document = json.loads((output / "a.mp4.timeline.json").read_bytes())
    assert "  status     complete" in out
    assert "3 scenes, found by adaptive" in out
    for scene in document["scenes"]:
        assert f"{scene['index'] + 1:>3} {scene['start_timecode']}–{scene['end_timecode']}" in out
        assert f"    {scene['caption']['text']}" in out.splitlines()
    assert run("show", output / "a.mp4.timeline.json") == (0, out, "")


def test_the_document_is_printed_as_it_is(output: Path) -> None:
    path = output / "a.mp4.timeline.json"
    assert run("show", path, "--json") == (0, path.read_text(encoding="utf-8"), "")
    code, out, _ = run("show", path, "--scene", "2", "--json")
    assert (code, json.loads(out)) == (0, json.loads(path.read_bytes())["scenes"][1])


def test_one_scene_with_its_frames(output: Path) -> None:
    code, out, _ = run("show", output / "b/b.mp4", "--scene", "s0002")
    assert code == 0
    assert out.startswith(f"{output}/b/b.mp4.timeline.json, scene 2 of 2\n")
    for role in ("first", "representative", "last"):
        assert f"picture  {output}/b/b.mp4.frames/s0002-{role}.jpg" in out


def test_a_failure_is_shown_as_one(output: Path) -> None:
    code, out, _ = run("show", output / "bad.mp4")
    assert code == 0
    assert "  status     failed" in out
    assert "(NotVideoError)" in out
