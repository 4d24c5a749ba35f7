"""`vlmtl try` over real videos: the same scenes for every variant, as a run would caption them."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import pytest
from runs import documents, draw_scenes, echo_options, run

from corridor_cli.cli.main import call
from corridor_cli.errors import ExitCode

pytestmark = pytest.mark.usefixtures("one_worker")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for number in range(3):
        draw_scenes(folder / f"{number}.mp4", 3, first=number)
    return folder


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is to be written where one stands, and no settings are to be found there."""
    monkeypatch.chdir(tmp_path)


def tried(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Any:
    capsys.readouterr()
    assert call(["try", *map(str, arguments), *echo_options(), "--json", "-q"]) == ExitCode.OK
    return json.loads(capsys.readouterr().out)


def test_captions_are_those_of_a_run(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = tried(capsys, videos, "--scenes", "9", "--mode", "frames", "--mode", "scene", "--scenes", "9")
    assert [variant["mode"] for variant in found["variants"]] == ["frames", "scene"]
    assert [variant["label"] for variant in found["variants"]] == ["frames", "scene"]
    assert found["variants"][1]["requests"] == 9
    assert list(tmp_path.iterdir()) == []
    for number, mode in enumerate(("frames", "scene")):
        code, _, err = run("run", videos, tmp_path / mode, *echo_options(), "--mode", mode)
        assert code == 0, err
        wanted = {
            (document["source"]["path"], scene["index"]): scene["caption"]["text"]
            for document in documents(tmp_path / mode).values()
            for scene in document["scenes"]
        }
        told = {
            (scene["path"], scene["scene"]): scene["captions"][number]["text"] for scene in found["scenes"]
        }
        assert told == wanted


def test_scenes_are_chosen_by_the_seed_and_from_every_video(
    videos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def chosen(seed: int) -> list[tuple[str, int]]:
        found = tried(capsys, videos, "--scenes", "3", "--seed", str(seed))
        return [(scene["path"], scene["scene"]) for scene in found["scenes"]]

    first = chosen(1)
    assert chosen(1) == first
    assert len({path for path, _ in first}) == 3
    assert any(chosen(seed) != first for seed in (0, 2, 3))


def test_variants_stand_beside_each_other_on_the_terminal_and_on_a_page(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "</p><script>alert(1)</script>\u202e {scene_index}"
    arguments = ["try", str(videos), "--scenes", "2", "--prompt", "@dense", "--prompt", hostile]
    arguments += [*echo_options(), "--page", "try.html"]
    assert call(arguments) == ExitCode.OK
    told = capsys.readouterr().out
    assert "1. 0.mp4  scene" in told or "1. 1.mp4  scene" in told
    lines = [line.strip() for line in told.splitlines()]
    assert sum(line.startswith("A  ") for line in lines) == sum(line.startswith("B  ") for line in lines) == 3
    assert "A  @dense" in told
    assert "loading is not counted." in told
    page = (tmp_path / "try.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") >= 2
    assert "<script" not in page
    assert html.escape("</p><script>alert(1)</script>") in page
    assert "default-src 'none'" in page
    assert "\u202e" not in page + told
    assert call(arguments) == ExitCode.USAGE
    assert "is there already" in capsys.readouterr().err
    assert call([*arguments, "--force"]) == ExitCode.OK


def test_answers_that_are_no_good_are_told(videos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    misbehaving = echo_options(loop_if="*:*:representative", fail_if="*:*:first")
    assert call(["try", str(videos), "--scenes", "2", *misbehaving, "-q"]) == ExitCode.OK
    assert capsys.readouterr().out.count("[the first answer was repetitive]") == 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["missing"], ExitCode.NO_INPUTS, "No scene was found|No video was found"),
        (["--scenes", "0"], ExitCode.USAGE, "--scenes"),
        (["--prompt", "{nobody}"], ExitCode.USAGE, "got the variable {nobody}"),
        (["--page", "nowhere/try.html"], ExitCode.USAGE, "a file in a folder that is there"),
        (
            ["--set", "gpu_pipeline.internvl3.echo.fail_every=1"],
            ExitCode.MODEL,
            "Not one caption could be made",
        ),
        ([word for n in range(13) for word in ("--prompt", f"What {n}?")], ExitCode.USAGE, "allowed: 12"),
    ],
)
def test_what_cannot_be_tried_is_told(
    videos: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: ExitCode, said: str
) -> None:
    inputs = [] if arguments == ["missing"] else [str(videos)]
    assert call(["try", *inputs, *arguments, *echo_options()]) == code
    told = capsys.readouterr().err
    assert any(each in told for each in said.split("|")), told
