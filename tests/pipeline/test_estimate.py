"""`vlmtl estimate` with real workers and engines, held against the run it is about."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from runs import draw_scenes, echo_options, run, start, wait_until_gone

from corridor_cli.cli.estimate_lines import estimate_lines
from corridor_cli.cli.main import call
from corridor_cli.errors import ExitCode
from corridor_cli.runners import caption_trial
from corridor_cli.runners import estimate as runner
from corridor_cli.runners.reckon import Estimate
from tests import clips

NUM_SCENES = 4
# For what does not depend on the number of media workers: each costs as much to start as a film to scan.
ONE_WORKER = ["--set", "decode.workers=1"]


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for number, name in enumerate(("a.mp4", "b.mp4", "c.mp4")):
        draw_scenes(folder / name, NUM_SCENES, first=number)
    return folder


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is to be written where one stands, and no settings are to be found there."""
    monkeypatch.chdir(tmp_path)


def told(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = ExitCode.OK) -> Any:
    """The JSON of an estimate."""
    capsys.readouterr()
    assert call(["estimate", *map(str, arguments), "--json", "-q"]) == code
    return json.loads(capsys.readouterr().out)


def told_both_ways(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[Any, str]:
    """The JSON of an estimate, and the lines that tell the same one on a terminal."""
    made: list[Estimate] = []

    def keep(*given: Any) -> runner.EstimateOutcome:
        outcome = run_estimate(*given)
        assert outcome.estimate is not None
        made.append(outcome.estimate)
        return outcome

    run_estimate = runner.run_estimate
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "run_estimate", keep)
        found = told(capsys, *arguments)
    (estimate,) = made
    return found, "\n".join(estimate_lines(estimate, is_verbose=False))


# What a slow model is told about and what it does is compared by several tests, which only read both.
SLOW = [*echo_options(delay_seconds=0.3), "--set", "gpu_pipeline.internvl3.batch_size=2", *ONE_WORKER]
SECONDS_EACH = pytest.approx(0.3 / 2, rel=0.5)


@pytest.fixture(scope="module")
def slow_estimate(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("estimate")
    code, out, err = run("estimate", videos, *SLOW, "--json", "-q", cwd=folder)
    assert code == 0, err
    assert list(folder.iterdir()) == [], "an estimate writes nothing"
    return json.loads(out)


@pytest.fixture(scope="module")
def slow_run(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("slow") / "out"
    assert run("run", videos, output, *SLOW)[0] == 0
    return output


def test_a_slow_model_is_the_bottleneck_and_devices_share_it(
    videos: Path, slow_estimate: Any, slow_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = slow_estimate
    assert found["scenes"]["expected"] == 3 * NUM_SCENES
    assert found["sample"]["share_of_material"] == 1.0
    assert found["bottleneck"] == "captioning"
    captioning = found["captioning"]
    assert captioning["seconds_each"]["expected"] == SECONDS_EACH
    assert captioning["seconds"]["expected"] == pytest.approx(
        captioning["seconds_each"]["expected"] * found["captions"]["expected"], rel=1e-3
    )
    assert captioning["devices_until_decoding"] >= 1
    many = told(capsys, videos, *SLOW, "--devices", "1000")
    assert many["bottleneck"] == "decoding"
    documents = [json.loads(path.read_bytes()) for path in slow_run.glob("*.timeline.json")]
    asked = [
        frame
        for document in documents
        for scene in document["scenes"]
        for frame in scene["frames"]
        if frame["duplicate_of"] is None
    ]
    assert found["captions"]["expected"] == len(asked)
    real_bytes = sum(path.stat().st_size for path in slow_run.glob("*.timeline.json"))
    assert found["disk"]["timeline_bytes"]["expected"] == pytest.approx(real_bytes, rel=0.2)
    saved_bytes = sum(path.stat().st_size for path in slow_run.glob("*.frames/*.jpg"))
    assert found["disk"]["picture_bytes"]["expected"] == pytest.approx(saved_bytes, rel=1e-3)


def test_a_quick_model_leaves_decoding_as_the_bottleneck(
    videos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = told(capsys, videos, *echo_options(), "--cost-per-hour", "3600")
    assert found["bottleneck"] == "decoding"
    assert found["captioning"]["devices_until_decoding"] == 1
    assert found["cost"]["expected"] == pytest.approx(found["seconds"]["expected"], rel=1e-3)
    assert found["seconds"]["low"] < found["seconds"]["expected"] < found["seconds"]["high"]
    assert found["output_tokens"]["expected"] > found["captions"]["expected"]
    (speed,) = found["decoding"]["speeds"]
    assert (speed["codec"], speed["size"], speed["is_guessed"]) == ("h264", "120p", False)


def test_what_an_earlier_run_did_is_left_out(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("run", videos, tmp_path / "out", *echo_options(), "--limit", "1")[0] == 0
    found = told(capsys, videos, "--output", tmp_path / "out", *echo_options())
    assert (found["videos"]["to_do"], found["videos"]["finished"]) == (2, 1)
    assert found["scenes"]["expected"] == 2 * NUM_SCENES
    # Another prompt: the scan is known, and nobody looks into that video again.
    other = [*echo_options(), "--set", "caption.prompt=What is this?"]
    before = sorted(path.stat().st_mtime_ns for path in tmp_path.rglob("*"))
    found = told(capsys, videos, "--output", tmp_path / "out", *other)
    assert sorted(path.stat().st_mtime_ns for path in tmp_path.rglob("*")) == before
    assert (found["videos"]["to_do"], found["videos"]["known_scans"]) == (3, 1)
    assert found["sample"]["videos"] == 2
    assert found["scenes"]["expected"] == 3 * NUM_SCENES
    assert run("run", videos, tmp_path / "out", *echo_options())[0] == 0
    assert call(["estimate", str(videos), "--output", str(tmp_path / "out"), *echo_options()]) == 0
    assert "nothing is to be done" in capsys.readouterr().out


def test_captions_that_are_known_are_not_counted_again(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    assert run("run", videos, output, *echo_options(), "--limit", "1")[0] == 0
    (log,) = output.glob(".vlmtl/captions/*/*.jsonl")
    model, *captions = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(model + b"".join(captions[:5]))
    (output / "a.mp4.timeline.json").unlink()
    found = told(capsys, videos, "--output", output, *echo_options(), "--limit", "1", *ONE_WORKER)
    assert found["videos"]["known_scans"] == 1
    assert found["captions"]["expected"] == len(captions) - 5


def test_summaries_are_reckoned_where_they_are_wanted(
    videos: Path, slow_estimate: Any, slow_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without = slow_estimate
    found, lines = told_both_ways(capsys, videos, *SLOW, "--summary")
    assert "requests for summaries 3" in lines
    assert without["summaries"] is None
    summaries = found["summaries"]
    assert summaries["requests"]["expected"] == 3, "one a video: its captions fit into one request"
    assert summaries["seconds_each"]["expected"] == SECONDS_EACH
    more = found["captioning"]["seconds"]["expected"] - without["captioning"]["seconds"]["expected"]
    assert more == pytest.approx(summaries["seconds"]["expected"], rel=0.5)
    assert found["output_tokens"]["expected"] > without["output_tokens"]["expected"]
    output = tmp_path / "out"
    assert run("run", videos, output, *SLOW, "--summary")[0] == 0
    logs = [log.read_text() for log in output.glob(".vlmtl/captions/*/*.jsonl")]
    assert sum(log.count('"part":') for log in logs) == summaries["requests"]["expected"]
    # Captions are there already and summaries are asked for anew: they alone are what is to be done.
    found = told(capsys, videos, "--output", slow_run, *SLOW, "--summary")
    assert (found["captions"]["expected"], found["summaries"]["requests"]["expected"]) == (0, 3)
    assert found["captioning"]["seconds"]["expected"] == pytest.approx(
        found["summaries"]["seconds"]["expected"], rel=1e-3
    )


def test_without_a_model_nothing_is_said_of_captions(
    videos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["estimate", str(videos), "--no-model", *ONE_WORKER]) == ExitCode.OK
    shown = capsys.readouterr()
    lines = dict(line.split(maxsplit=1) for line in shown.out.splitlines())
    assert lines["captioning"] == "not known: no model was asked"
    assert lines["videos"].startswith("3 videos to do, ")
    assert "at least" in shown.out
    assert "loading the model" not in shown.err
    found = told(capsys, videos, "--no-model", *ONE_WORKER)
    assert (found["captioning"], found["output_tokens"], found["bottleneck"]) == (None, None, None)
    assert found["captions"]["expected"] > 0


def test_a_long_video_is_seen_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "FIRST_LOOK_SECONDS", 0.2)
    monkeypatch.setattr(runner, "SAMPLE_SECONDS", 0.4)
    draw_scenes(tmp_path / "long.mp4", 120)
    found = told(capsys, tmp_path / "long.mp4", "--no-model")
    assert (found["sample"]["videos"], found["sample"]["videos_cut_off"]) == (1, 1)
    assert 0 < found["sample"]["share_of_material"] < 1
    assert found["videos"]["frames"] == 120 * 15
    scenes = found["scenes"]
    assert scenes["low"] < 120 < scenes["high"]
    assert 60 < scenes["expected"] < 240
    assert found["decoding"]["seconds"]["expected"] > 0.2


def test_few_videos_stand_for_many(videos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, videos, "--no-model", "--sample", "1", *ONE_WORKER)
    assert found["sample"]["videos"] == 1
    assert found["sample"]["share_of_material"] == pytest.approx(1 / 3, abs=0.01)
    assert found["videos"]["frames"] == 3 * NUM_SCENES * 15
    assert found["scenes"]["low"] <= 3 * NUM_SCENES <= found["scenes"]["high"]


def test_the_bundled_model_is_measured(videos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, videos, "--model", "tiny", "--device", "cpu")
    captioning = found["captioning"]
    assert (captioning["model"], captioning["device"]) == ("tiny", "cpu")
    assert captioning["captions_tried"] >= 2
    assert captioning["devices_until_decoding"] is None, "there is only one processor"
    assert found["output_tokens"]["expected"] > found["captions"]["expected"]
    assert found["start"]["model_seconds"] > 0


def test_a_model_too_slow_for_full_batches_is_reckoned_from_two_captions(
    videos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(caption_trial, "_TRIAL_SECONDS", 1e-6)
    captioning = told(capsys, videos, "--model", "tiny", "--device", "cpu", *ONE_WORKER)["captioning"]
    assert (captioning["captions_tried"], captioning["is_reckoned"]) == (2, True)
    assert captioning["batch_size"] > 2
    each = captioning["seconds_each"]
    assert 0 < each["low"] < each["expected"] < each["high"]


def test_files_that_cannot_be_opened_are_named_and_no_obstacle(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text\n.mp4").write_text("no video")
    clips.draw("audio_only.mp4", tmp_path)
    inputs = [str(videos), str(tmp_path), "missing.mp4"]
    assert call(["estimate", *inputs, *echo_options(), *ONE_WORKER]) == ExitCode.PARTIAL
    shown = capsys.readouterr().out
    assert "3 videos to do" in shown
    assert "3 cannot be opened" in shown
    assert "text\\n.mp4: is not a video file that can be opened" in shown
    assert "missing.mp4" in shown
    assert call(["estimate", str(tmp_path), *echo_options(), *ONE_WORKER]) == ExitCode.NO_INPUTS
    assert "None of 2 inputs can be opened" in capsys.readouterr().err


def test_an_empty_folder_is_told_as_by_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert call(["estimate", "empty", *echo_options()]) == ExitCode.NO_INPUTS
    assert "No video was found in empty." in capsys.readouterr().err


def test_several_devices_need_one_that_is_no_processor(
    videos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["estimate", str(videos), "--model", "tiny", "--device", "cpu", "--devices", "2"]
    assert call(arguments) == ExitCode.USAGE
    assert "the model computes on the processor" in capsys.readouterr().err


def test_a_model_that_fails_is_told_as_by_a_run(videos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["estimate", str(videos), *echo_options(nonsense=1), *ONE_WORKER]) == ExitCode.MODEL
    assert "echo.nonsense is unknown" in capsys.readouterr().err
    assert call(["estimate", str(videos), *echo_options(fail_every=1), *ONE_WORKER]) == ExitCode.MODEL
    assert "captions could be made to try the model (EchoFailure" in capsys.readouterr().err


@pytest.mark.parametrize("moment", ["looking into", "loading the model"])
def test_an_interrupt_ends_it_cleanly(videos: Path, moment: str) -> None:
    mark = f"estimate-{moment.split()[0]}-{os.getpid()}"
    process = start(["estimate", videos, *echo_options(delay_seconds=60)], mark=mark)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(moment):
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED, err
    assert out == ""
    assert "Traceback" not in err
    wait_until_gone(mark)
