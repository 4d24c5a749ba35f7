"""The whole way with the bundled model: what is drawn is what the timeline says, however it was run."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import pytest
from runs import documents, kill_marked, run, start, wait_for_captions, wait_until_gone
from sample_clips import COLOURS, Encoding, SceneRecipe, draw_story, write_video

SCENES = (
    SceneRecipe(
        "circle", "white", "blue", start_place=(0.25, 0.5), end_place=(0.25, 0.5), size=0.5, seconds=1
    ),
    SceneRecipe(
        "square", "blue", "yellow", start_place=(0.75, 0.5), end_place=(0.75, 0.5), size=0.5, seconds=1
    ),
    SceneRecipe(
        "triangle", "red", "white", start_place=(0.5, 0.5), end_place=(0.5, 0.5), size=0.55, seconds=1
    ),
    SceneRecipe(
        "circle", "yellow", "black", start_place=(0.7, 0.5), end_place=(0.7, 0.5), size=0.5, seconds=1
    ),
)
TINY = ["--model", "tiny", "--device", "cpu"]


def encode(path: Path, scenes: tuple[SceneRecipe, ...]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    how = Encoding(options={"preset": "veryfast", "crf": "15"})
    return write_video(path, draw_story(scenes, Fraction(25), 240, 240), how)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    encode(folder / "shapes.mp4", SCENES)
    encode(folder / "backwards.mp4", SCENES[::-1])
    return folder


@pytest.fixture(scope="module")
def straight(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("straight")
    code, _, err = run("run", videos, output, *TINY)
    assert code == 0, err
    return output


def test_solid_colours_are_called_by_their_names(tmp_path: Path) -> None:
    """A swapped channel would call red blue, yellow cyan."""
    for colour in ("red", "green", "blue", "yellow"):
        encode(tmp_path / "in" / f"{colour}.mp4", (SceneRecipe(None, colour, colour, seconds=0.4),))
    code, _, err = run("run", tmp_path / "in", tmp_path / "out", *TINY)
    assert code == 0, err
    for name, document in documents(tmp_path / "out").items():
        colour = name.partition(".")[0]
        (scene,) = document["scenes"]
        assert f"mainly {colour}" in scene["caption"]["text"]
        others = set(COLOURS) - {colour}
        assert not [word for word in others if word in scene["caption"]["text"].split("mainly")[1]]


def test_every_scene_is_told_in_its_place(straight: Path) -> None:
    """A swapped frame, scene or order would tell the wrong shape."""
    for name, scenes in (("shapes.mp4", SCENES), ("backwards.mp4", SCENES[::-1])):
        document = documents(straight)[f"{name}.timeline.json"]
        assert len(document["scenes"]) == len(scenes)
        for told, drawn in zip(document["scenes"], scenes, strict=True):
            text = told["caption"]["text"]
            assert f"mainly {drawn.ground}" in text
            assert f"{drawn.colour} {drawn.shape}" in text
    left, right = documents(straight)["shapes.mp4.timeline.json"]["scenes"][:2]
    assert "left" in left["caption"]["text"]
    assert "right" in right["caption"]["text"]


def test_batching_and_overlap_change_no_caption(videos: Path, straight: Path, tmp_path: Path) -> None:
    slow = ["--set", "gpu_pipeline.internvl3.enable_batch_processing=false"]
    slow += ["--set", "gpu_pipeline.internvl3.async_frame_loading=false"]
    code, _, err = run("run", videos, tmp_path / "one", *TINY, *slow)
    assert code == 0, err
    assert documents(tmp_path / "one") == documents(straight)
    code, _, err = run("run", videos, tmp_path / "five", *TINY, "--batch-size", "5")
    assert code == 0, err
    assert documents(tmp_path / "five") == documents(straight)


def test_a_killed_model_process_changes_no_caption(videos: Path, straight: Path, tmp_path: Path) -> None:
    mark = f"tiny-{os.getpid()}"
    process = start(["run", videos, tmp_path, *TINY, "--batch-size", "1"], mark=mark)
    wait_for_captions(tmp_path, 3, process)
    kill_marked(mark, "engine_host")
    _, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    wait_until_gone(mark)
    assert documents(tmp_path) == documents(straight)
