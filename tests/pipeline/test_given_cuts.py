"""Cuts that somebody mended, through the real command: the round trip, each format, what is told if wrong."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from runs import documents, draw_scenes, echo_options, logged_captions
from scenedetect import ContentDetector, SceneManager
from scenedetect.backends.opencv import VideoStreamCv2
from scenedetect.output import write_scene_list, write_scene_list_edl, write_scene_list_otio

from corridor_cli.cli.main import call
from corridor_cli.errors import ExitCode
from corridor_cli.scenes.keeping import KEEP_SECONDS
from tests import clips

pytestmark = pytest.mark.usefixtures("one_worker")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video with a cut and a dissolve, one whose rate varies, and one of four scenes in a folder."""
    made = tmp_path_factory.mktemp("videos")
    clips.draw("h264.mp4", made).rename(made / "a.mp4")
    clips.draw("vfr.mp4", made).rename(made / "vfr.mp4")
    draw_scenes(made / "b" / "c.mp4", 4)
    return made


@pytest.fixture
def told(capfdbinary: pytest.CaptureFixture[bytes]) -> Any:
    """Calls the command line in this process: `told(ARGUMENTS)` gives the exit code, stdout and stderr."""

    def call_and_read(*arguments: str | Path) -> tuple[int, str, str]:
        code = call([str(argument) for argument in arguments])
        read = capfdbinary.readouterr()
        return code, read.out.decode("utf-8"), read.err.decode("utf-8")

    return call_and_read


def listed(told: Any, *arguments: str | Path) -> dict[str, Any]:
    """The videos that `vlmtl scenes ARGUMENTS` tells of, by name; all of them must be good."""
    code, out, err = told("scenes", *arguments, "--json", "-q")
    assert code == ExitCode.OK, err
    return {video["source"]["name"]: video for video in json.loads(out)["videos"]}


def bounds(video: dict[str, Any]) -> list[tuple[float, float, int, int]]:
    keys = "start", "end", "start_frame", "end_frame"
    return [tuple(scene[key] for key in keys) for scene in video["scenes"]]  # type: ignore[misc]


def scanned(out: str) -> dict[str, tuple[str, bool]]:
    """What a run tells of each video: what became of it, and whether its scan was known."""
    videos = json.loads(out)["videos"]
    return {video["relative"]: (video["status"], video["is_scan_reused"]) for video in videos}


def mended(path: Path, change: Any) -> None:
    """Rewrite a CSV file with its rows changed; only the column start is touched, as a person would."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = list(rows[0])
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(change(rows))
    path.write_text(text.getvalue())


def test_cuts_are_mended_and_only_their_video_is_captioned_again(
    folder: Path, told: Any, tmp_path: Path
) -> None:
    cuts, output = tmp_path / "cuts", tmp_path / "out"
    before = listed(told, folder, "--csv", cuts)
    command = ["run", folder, output, "--cuts", cuts, *echo_options(), "--json", "-q"]
    assert told(*command)[0] == ExitCode.OK
    made = documents(output)
    for document in made.values():
        found = before[document["source"]["name"]]
        assert bounds(document) == bounds(found)
        assert {scene["boundary"] for scene in document["scenes"]} == {"start", "file"}
        assert document["transitions"] == found["transitions"]
        for role in (0, 2):  # a scan that finds cuts itself keeps fewer pictures
            times = [
                [scene["frames"][role]["time"] for scene in all_["scenes"]] for all_ in (document, found)
            ]
            assert times[0] == pytest.approx(times[1], abs=float(KEEP_SECONDS) + 0.01)
        assert document["provenance"]["detector"]["name"] == "file"
    assert set(scanned(told(*command)[1]).values()) == {("skipped", False)}

    # One boundary is taken out, another moved by some frames: what the other columns say does not matter.
    num_captions = logged_captions(output)
    whole = (cuts / "b" / "c.mp4.scenes.csv").read_bytes()
    mended(
        cuts / "b" / "c.mp4.scenes.csv",
        lambda rows: [rows[0], rows[1], rows[3] | {"start": "1.9"}],
    )
    times = {path: path.stat().st_mtime_ns for path in output.glob("*.timeline.json")}
    code, out, err = told(*command)
    assert code == ExitCode.OK, err
    assert scanned(out) == {
        "a.mp4": ("skipped", False),
        "b/c.mp4": ("complete", False),
        "vfr.mp4": ("skipped", False),
    }
    after = documents(output)["b/c.mp4.timeline.json"]
    # 1.9 s lies in the middle between two frames: the earlier one is taken.
    assert bounds(after) == [(0, 0.6, 0, 15), (0.6, 1.88, 15, 47), (1.88, 2.4, 47, 60)]
    (warning,) = after["source"]["reader"]["warnings"]
    assert "start and start_timecode differ in 1 rows, and start counts; the first is line 4" in warning
    assert times == {path: path.stat().st_mtime_ns for path in output.glob("*.timeline.json")}
    assert logged_captions(output) > num_captions

    # As it was before: the scan and the captions of then are still there.
    num_captions = logged_captions(output)
    (cuts / "b" / "c.mp4.scenes.csv").write_bytes(whole)
    assert scanned(told(*command)[1])["b/c.mp4"] == ("complete", True)
    assert documents(output) == made
    assert logged_captions(output) == num_captions


def test_one_table_of_all_videos_goes_the_same_way(folder: Path, told: Any, tmp_path: Path) -> None:
    table, output = tmp_path / "all.csv", tmp_path / "out"
    before = listed(told, folder, "--csv", table)
    arguments = [folder, "--cuts", table, "--output", output]
    assert {name: bounds(video) for name, video in listed(told, *arguments).items()} == {
        name: bounds(video) for name, video in before.items()
    }
    mended(
        table, lambda rows: [row for row in rows if row["path"].endswith("c.mp4") or row["start"] != "1.0"]
    )
    after = listed(told, *arguments)
    assert {name: video["is_scan_reused"] for name, video in after.items()} == {
        "a.mp4": False,
        "vfr.mp4": True,
        "c.mp4": True,
    }
    assert bounds(after["a.mp4"])[0][0:2] == (0, bounds(before["a.mp4"])[1][1])


def found_by_pyscenedetect(path: Path) -> Sequence[Any]:
    manager = SceneManager()
    manager.add_detector(ContentDetector(min_scene_len=3))
    manager.detect_scenes(VideoStreamCv2(str(path)))
    scenes = manager.get_scene_list(start_in_scene=True)
    assert len(scenes) > 1
    return scenes


@pytest.mark.parametrize("name", ["a.mp4", "vfr.mp4", "b/c.mp4"])
def test_lists_of_pyscenedetect_give_its_scenes(name: str, folder: Path, told: Any, tmp_path: Path) -> None:
    video = folder / name
    scenes = found_by_pyscenedetect(video)
    with (tmp_path / "1-Scenes.csv").open("w") as file:
        write_scene_list(file, scenes, cut_list=[start for start, _ in scenes[1:]])
    with (tmp_path / "2.edl").open("w") as file:
        write_scene_list_edl(file, scenes)
    with (tmp_path / "3.otio").open("w") as file:
        write_scene_list_otio(file, scenes, video, scenes[0][0].frame_rate)
    for path in sorted(tmp_path.iterdir()):
        (found,) = listed(told, video, "--cuts", path).values()
        starts = [(round(start.seconds, 3), round(end.seconds, 3)) for start, end in scenes]
        assert [(scene["start"], scene["end"]) for scene in found["scenes"]] == starts, path.name


def test_simple_lists_meet_the_frames_of_a_varying_rate(folder: Path, told: Any, tmp_path: Path) -> None:
    path = tmp_path / "cuts.csv"
    for text, starts in (
        ("2.39\n1.09\n1.07\n0\n2.8\n", [0, 1.08, 2.4]),
        ("time\n00:00:01.080\n00:00:02.400\n", [0, 1.08, 2.4]),
        ("frame\n27\n22\n", [0, 1.08, 1.68]),
    ):
        path.write_text(text)
        (video,) = listed(told, folder / "vfr.mp4", "--cuts", path).values()
        assert [scene["start"] for scene in video["scenes"]] == starts
        assert video["source"]["variable_frame_rate"]
        assert not video["source"]["reader"]["warnings"]


def test_one_video_without_cuts_or_with_bad_ones_fails_alone(folder: Path, told: Any, tmp_path: Path) -> None:
    cuts, output = tmp_path / "cuts", tmp_path / "out"
    listed(told, folder / "a.mp4", folder / "vfr.mp4", "--csv", cuts)
    (cuts / "vfr.mp4.scenes.csv").write_text("start\n0\n1.2,\nsoon\n")
    command = ["run", folder / "a.mp4", folder / "vfr.mp4", folder / "b", output, "--cuts", cuts]
    command += [*echo_options(), "-q", "--json"]
    code, out, err = told(*command)
    assert code == ExitCode.PARTIAL
    status = {name: status for name, (status, _) in scanned(out).items()}
    assert status == {"a.mp4": "complete", "vfr.mp4": "failed", "b/c.mp4": "failed"}
    assert "b/c.mp4: failed: " in err
    errors = {name: document["errors"] for name, document in documents(output).items()}
    (bad,), (missing,) = errors["vfr.mp4.failed.json"], errors["b/c.mp4.failed.json"]
    assert (bad["type"], bad["stage"]) == (missing["type"], missing["stage"]) == ("CutFileError", "scenes")
    assert "vfr.mp4.scenes.csv:4: got 'soon', allowed: seconds" in bad["message"]
    assert "has no file of cuts for it, allowed: b/c.mp4.scenes.csv" in missing["message"]

    # Mended, they are done without being asked for: --retry-failed is for what did not change.
    (cuts / "vfr.mp4.scenes.csv").write_text("start\n0\n1.2\n")
    (cuts / "b").mkdir()
    (cuts / "b" / "c.csv").write_text("0.6\n1.2\n9\n")
    code, out, _ = told(*command)
    assert code == ExitCode.OK
    assert {name: status for name, (status, _) in scanned(out).items()} == {
        "a.mp4": "skipped",
        "vfr.mp4": "complete",
        "b/c.mp4": "complete",
    }
    assert not list(output.rglob("*.failed.json"))
    (warning,) = documents(output)["b/c.mp4.timeline.json"]["source"]["reader"]["warnings"]
    assert warning.endswith("1 cut lies behind the video's end at 2.400 s; the first is 9.000 s (line 3)")


def test_a_cut_that_is_left_out_is_told_at_once(folder: Path, told: Any, tmp_path: Path) -> None:
    (tmp_path / "cuts.csv").write_text("1\n60\n")
    code, out, err = told("scenes", folder / "a.mp4", "--cuts", tmp_path / "cuts.csv")
    assert code == ExitCode.OK
    assert "a.mp4: 2 scenes" in out
    assert "warning: a.mp4: " in err
    assert "cuts.csv: 1 cut lies behind the video's end at 2.800 s; the first is 60.000 s (line 2)" in err


def test_an_edit_list_of_black_is_told_at_once_and_recorded(folder: Path, told: Any, tmp_path: Path) -> None:
    cuts = tmp_path / "A.EDL"
    cuts.write_text("TITLE: x\n001  BL  V  C  00:00:00:00 00:00:02:00 00:00:00:00 00:00:02:00\n")
    said = "A.EDL: its 1 event shows only black or bars, which cut nothing: the video is one scene"
    code, out, err = told("scenes", folder / "a.mp4", "--cuts", cuts)
    assert code == ExitCode.OK
    first, *_, last = out.splitlines()
    assert first.startswith("a.mp4: 1 scene,")
    assert first.endswith(" *")
    assert last.startswith("* ")
    assert last.endswith(said)
    assert f"warning: a.mp4: {cuts}" in err
    output = tmp_path / "out"
    assert told("run", folder / "a.mp4", output, "--cuts", cuts, *echo_options(), "-q")[0] == ExitCode.OK
    (document,) = documents(output).values()
    assert document["source"]["reader"]["warnings"][0].endswith(said)


def test_cuts_of_another_video_are_refused(folder: Path, told: Any, tmp_path: Path) -> None:
    (tmp_path / "cuts.csv").write_text("60\n70\n")
    code, out, _ = told("scenes", folder / "a.mp4", "--cuts", tmp_path / "cuts.csv", "--json", "-q")
    assert code == ExitCode.NO_INPUTS
    (video,) = json.loads(out)["videos"]
    assert (video["status"], video["scenes"]) == ("failed", [])
    assert "2 cuts lie behind the video's end at 2.800 s" in video["errors"][0]["message"]


def test_what_cannot_be_is_refused_before_any_work(folder: Path, told: Any, tmp_path: Path) -> None:
    (tmp_path / "cuts.csv").write_text("1\n")
    (tmp_path / "bad.csv").write_bytes(b"path,start\n\0")
    cuts = ["--cuts", tmp_path / "cuts.csv"]
    one, many = folder / "a.mp4", folder
    for arguments, reason in (
        ([many, *cuts], "says nothing of which video it is about, and there are 3 videos"),
        ([one, "--cuts", tmp_path / "none"], "none, which does not exist"),
        ([many, "--cuts", tmp_path / "bad.csv"], "bad.csv:2: holds a zero byte"),
        ([one, "--set", "scenes.detector=file"], "scenes.cuts is not given"),
        ([one, *cuts, "--detector", "content"], "got both --cuts and --detector content"),
        (
            [one, *cuts, "--stats", tmp_path / "stats"],
            "--stats with scenes.detector file, which measures nothing",
        ),
    ):
        code, out, err = told("scenes", *arguments)
        assert (code, out) == (ExitCode.USAGE, ""), arguments
        assert reason in err
    code, _, err = told("run", many, tmp_path / "out", *cuts, *echo_options())
    assert code == ExitCode.USAGE
    assert not (tmp_path / "out").exists()


def test_other_settings_and_commands_go_with_it(folder: Path, told: Any, tmp_path: Path) -> None:
    (tmp_path / "cuts.csv").write_text("1\n")
    sets = ["--set", "scenes.detector=file", "--set", f"scenes.cuts={tmp_path / 'cuts.csv'}"]
    (video,) = listed(told, folder / "a.mp4", *sets, "--set", "scenes.scan=keyframes").values()
    assert [scene["start"] for scene in video["scenes"]] == [0, 1]
    assert video["source"]["reader"]["fallbacks"] == ["keyframes: the detector file needs every frame"]
    code, out, _ = told("probe", folder / "a.mp4", *sets)
    assert (code, "160×120" in out) == (ExitCode.OK, True)
    code, _, err = told("scenes", folder / "a.mp4", *sets[2:])
    assert code == ExitCode.OK
    assert "scenes.cuts is given and not used: scenes.detector is adaptive" in err
    code, out, _ = told("run", folder / "a.mp4", tmp_path / "out", *sets, *echo_options(), "--dry-run")
    assert (code, (tmp_path / "out").exists()) == (ExitCode.OK, False)
