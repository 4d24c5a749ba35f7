"""Good and bad inputs together: one clear record each, the rest goes on, and the exit code tells."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from runs import documents, draw_scenes, echo_options, run, start, wait_for_captions

from tests import clips

ECHO = echo_options()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of what users have: good, damaged, foreign and strange."""
    made = tmp_path_factory.mktemp("mixed")
    good = clips.draw("h264_audio.mp4", made)
    clips.draw("1x1.mkv", made)
    clips.draw("odd_161x121.webm", made)
    clips.draw("audio_only.mp4", made)
    clips.truncated(clips.draw("faststart.mp4", made), made / "cut short.mp4", 0.6)
    clips.truncated(good, made / "no index.mp4", 0.6)
    clips.write_playlist(made / "playlist.mp4", good)
    clips.write_concat_script(made / "concat.mp4", good)
    (made / "empty.mp4").write_bytes(b"")
    (made / "text.mp4").write_text("not a video\n" * 50)
    return made


BAD = {
    "audio_only.mp4": "NoVideoStreamError",
    "no index.mp4": "DamagedError",
    "playlist.mp4": "NotVideoError",
    "concat.mp4": "NotVideoError",
    "empty.mp4": "UnreadableError",
    "text.mp4": "NotVideoError",
}
GOOD = {"h264_audio.mp4", "1x1.mkv", "odd_161x121.webm", "faststart.mp4"}


def test_each_input_ends_in_one_record_and_the_run_in_exit_code_3(folder: Path, tmp_path: Path) -> None:
    code, out, err = run("run", folder, tmp_path, *ECHO, "--json")
    assert code == 3, err
    assert "Traceback" not in err
    outcome = json.loads(out)
    status = {video["relative"]: video["status"] for video in outcome["videos"]}
    assert {name for name, each in status.items() if each == "complete"} == GOOD
    assert {name for name, each in status.items() if each == "partial"} == {"cut short.mp4"}
    assert {name for name, each in status.items() if each == "failed"} == set(BAD)
    found = documents(tmp_path)
    for name, error in BAD.items():
        document = found[f"{name}.failed.json"]
        assert [each["type"] for each in document["errors"]] == [error]
        assert document["errors"][0]["message"]
    assert len(found) == len(status)
    assert run("validate", tmp_path)[0] == 0


def test_a_failed_document_does_not_depend_on_whether_the_model_was_loaded_by_then(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    draw_scenes(folder / "a.mp4", 3)
    (folder / "b.mp4").write_text("not a video")
    # One worker and a ring for one scene: the text's turn comes after the first captions.
    late = [*ECHO, "--set", "decode.workers=1", "--set", "gpu_pipeline.internvl3.async_frame_loading=false"]
    assert run("run", folder, tmp_path / "late", *late)[0] == 3
    assert run("run", folder / "b.mp4", tmp_path / "alone", *ECHO)[0] == 4
    failed = [documents(tmp_path / out)["b.mp4.failed.json"]["provenance"] for out in ("late", "alone")]
    assert failed[0] == failed[1]
    assert failed[0]["model"] is None


def test_failures_wait_until_they_are_asked_for_again(folder: Path, tmp_path: Path) -> None:
    run("run", folder, tmp_path, *ECHO)
    code, out, _ = run("run", folder, tmp_path, *ECHO, "--json")
    assert code == 3
    states = {video["relative"]: video["status"] for video in json.loads(out)["videos"]}
    assert states.pop("empty.mp4") == "failed"  # nothing to recognise it by
    assert set(states.values()) == {"skipped"}
    code, out, err = run("run", folder, tmp_path, *ECHO, "--retry-failed", "--json")
    assert code == 3, err
    states = {video["relative"]: video["status"] for video in json.loads(out)["videos"]}
    assert {name for name, each in states.items() if each == "skipped"} == GOOD
    assert states["cut short.mp4"] == "partial"


def test_when_every_input_fails_the_exit_code_is_4(folder: Path, tmp_path: Path) -> None:
    code, _, _ = run("run", folder / "text.mp4", folder / "audio_only.mp4", tmp_path, *ECHO)
    assert code == 4
    code, _, err = run("run", tmp_path / "nothing", tmp_path / "out", *ECHO)
    assert code == 4, err
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run("run", empty, tmp_path / "out", *ECHO)[0] == 4


def test_fail_fast_stops_with_exit_code_9_and_the_same_command_goes_on(folder: Path, tmp_path: Path) -> None:
    code, _, err = run("run", folder, tmp_path, *ECHO, "--fail-fast")
    assert code == 9, err
    assert "Traceback" not in err
    run("run", folder, tmp_path, *ECHO)
    assert len(documents(tmp_path)) == len(BAD) + len(GOOD) + 1


def test_answers_that_come_with_a_failure_are_kept_though_it_stops_the_run(tmp_path: Path) -> None:
    for name in "abc":
        draw_scenes(tmp_path / "in" / f"{name}.mp4", 2)
    clips.truncated(draw_scenes(tmp_path / "whole.mkv", 8), tmp_path / "in" / "a.mp4", 0.8)
    # While the first batch is in hand all is looked at: the second one holds the rest of the three.
    slow = echo_options(delay_seconds=3)
    slow += ["--batch-size", "64", "--set", "decode.workers=1"]
    code, _, err = run("run", tmp_path / "in", tmp_path / "out", *slow, "--fail-fast")
    assert code == 9, err
    assert set(documents(tmp_path / "out")) == {f"{name}.mp4.timeline.json" for name in "abc"}


def test_a_file_that_cannot_even_be_read_is_a_failed_input_like_any_other(tmp_path: Path) -> None:
    draw_scenes(tmp_path / "in" / "b.mp4", 1)
    (tmp_path / "in" / "a.mp4").write_bytes(b"")
    code, _, err = run("run", tmp_path / "in", tmp_path / "out", *ECHO, "--fail-fast", "--log-format", "json")
    assert code == 9, err
    finished = [json.loads(line) for line in err.splitlines() if '"video_finished"' in line]
    assert [(each["relative"], each["status"]) for each in finished] == [("a.mp4", "failed")]
    assert set(documents(tmp_path / "out")) == {"a.mp4.failed.json"}


def test_fail_fast_counts_what_cannot_even_be_read(tmp_path: Path) -> None:
    draw_scenes(tmp_path / "in" / "a.mp4", 1)
    (tmp_path / "in" / "b.mp4").write_bytes(b"")
    code, _, err = run("run", tmp_path / "in", tmp_path / "out", *ECHO, "--fail-fast")
    assert code == 9, err
    missing = [tmp_path / "in" / "a.mp4", tmp_path / "nothing.mp4"]
    code, _, err = run("run", *missing, tmp_path / "out", *ECHO, "--fail-fast")
    assert code == 9, err


@pytest.mark.parametrize("change", ["appended to", "touched"])
def test_a_file_that_changes_while_it_is_read_yields_no_timeline(change: str, tmp_path: Path) -> None:
    video = draw_scenes(tmp_path / "a.mp4", 6)
    slow = echo_options(delay_seconds=0.1)
    # One scene's worth of slots: the decoder waits for the engine, and is caught in mid-file.
    slow += ["--batch-size", "1", "--set", "gpu_pipeline.internvl3.async_frame_loading=false"]
    process = start(["run", video, tmp_path / "out", *slow])
    wait_for_captions(tmp_path / "out", 2, process)
    if change == "touched":
        os.utime(video)
    else:
        with video.open("ab") as file:
            file.write(b"\0" * 8)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 4, err
    (document,) = documents(tmp_path / "out").values()
    assert [error["type"] for error in document["errors"]] == ["SourceChangedError"]
    assert run("run", video, tmp_path / "out", *ECHO)[0] == 0
    (document,) = documents(tmp_path / "out").values()
    assert document["status"] == "complete"


NAMES = [
    b"with spaces.mp4",
    b"new\nline.mp4",
    b"-dash.mp4",
    b"not-utf8-\xff.mp4",
    b"[red]x[bold].mp4",
    "日本🎬.mp4".encode(),
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_works(name: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    clip = draw_scenes(tmp_path / "clip.mp4", 2)
    folder.mkdir()
    clip.rename(folder / os.fsdecode(name))
    code, _, err = run("run", folder, tmp_path / "out", *ECHO)
    assert code == 0, err
    (document,) = documents(tmp_path / "out").values()
    assert len(document["scenes"]) == 2
    assert run("validate", tmp_path / "out")[0] == 0
    assert run("run", folder, tmp_path / "out", *ECHO)[0] == 0


def test_an_unfinished_write_is_no_reason_to_write_all_anew(folder: Path, tmp_path: Path) -> None:
    command = ["run", folder, tmp_path / "out", *ECHO]
    run(*command)
    (tmp_path / "out" / ".~vlmtl-1-2.tmp").touch()
    code, out, err = run("validate", tmp_path / "out")
    assert (code, "unfinished write" in out) == (8, True)
    assert ("`vlmtl run` again goes on" in err, "--force" in err) == (True, False)
    run(*command)
    assert run("validate", tmp_path / "out")[0] == 0


def test_a_dry_run_writes_nothing(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    code, out, err = run("run", folder, output, *ECHO, "--dry-run")
    assert code == 0, err
    assert "text.mp4" in out
    assert not output.exists()


def test_the_output_folder_inside_the_input_is_left_out(tmp_path: Path) -> None:
    draw_scenes(tmp_path / "a.mp4", 2)
    assert run("run", tmp_path, tmp_path / "out", *ECHO)[0] == 0
    code, _, err = run("run", tmp_path, tmp_path / "out", *ECHO)
    assert code == 0
    assert "1 skipped" in err


def test_force_does_everything_again(tmp_path: Path) -> None:
    draw_scenes(tmp_path / "a.mp4", 2)
    run("run", tmp_path / "a.mp4", tmp_path / "out", *ECHO)
    before = documents(tmp_path / "out")
    code, _, err = run("run", tmp_path / "a.mp4", tmp_path / "out", *ECHO, "--force")
    assert code == 0, err
    assert "1 complete" in err
    assert documents(tmp_path / "out") == before


def test_no_model_says_how_to_get_one(tmp_path: Path) -> None:
    draw_scenes(tmp_path / "a.mp4", 1)
    code, _, err = run("run", tmp_path / "a.mp4", tmp_path / "out")
    assert code == 5
    assert "--model tiny" in err
    assert "InternVL3" in err


@pytest.mark.parametrize(
    "limit",
    ["max_frames=40", "max_duration_seconds=1.6", f"max_decoded_bytes={40 * 3 * 192 * 108}"],
)
def test_a_limit_ends_a_video_not_the_run(tmp_path: Path, limit: str) -> None:
    draw_scenes(tmp_path / "in" / "a.mp4", 2)
    draw_scenes(tmp_path / "in" / "b.mp4", 6)
    code, _, err = run("run", tmp_path / "in", tmp_path / "out", *ECHO, "--set", f"decode.{limit}")
    assert code == 3, err
    found = documents(tmp_path / "out")
    assert found["a.mp4.timeline.json"]["status"] == "complete"
    partial = found["b.mp4.timeline.json"]
    assert partial["status"] == "partial"
    assert (partial["source"]["frame_count"], partial["source"]["duration"]) == (40, 1.6)
    (error,) = partial["errors"]
    assert error["type"] == "LimitError"
    name = limit.partition("=")[0]
    assert f"allowed by decode.{name}; 40 frames were read. Raise decode.{name}" in error["message"]
    assert run("validate", tmp_path / "out")[0] == 0


def test_files_over_a_limit_at_their_beginning_fail_and_say_so(tmp_path: Path) -> None:
    clips.draw("1x1.mkv", tmp_path / "in")
    large = tmp_path / "in" / "large.mp4"
    large.write_bytes(b"?" * 100_000)  # not even looked into
    clips.draw("h264.mp4", tmp_path / "in")
    limits = [f"decode.max_file_bytes={large.stat().st_size - 1}", "decode.max_pixels=10000"]
    sets = [word for limit in limits for word in ("--set", limit)]
    code, _, err = run("run", tmp_path / "in", tmp_path / "out", *ECHO, *sets)
    assert code == 3, err
    found = documents(tmp_path / "out")
    assert found["1x1.mkv.timeline.json"]["status"] == "complete"
    told = {name: document["errors"][0] for name, document in found.items() if document["errors"]}
    assert {name: error["type"] for name, error in told.items()} == {
        "large.mp4.failed.json": "LimitError",
        "h264.mp4.failed.json": "LimitError",
    }
    assert "allowed by decode.max_file_bytes; no frame was read" in told["large.mp4.failed.json"]["message"]
    assert "160×120, more than the 10,000 pixels" in told["h264.mp4.failed.json"]["message"]
