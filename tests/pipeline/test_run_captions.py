"""Whole runs with other questions: by scene, with variables, with what is said, summed up, asked again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from runs import documents, draw_scenes, echo_options, logged_captions, run

NUM_SCENES = 4
SRT = "1\n00:00:00,000 --> 00:00:00,500\nWelcome.\n\n2\n00:00:00,700 --> 00:00:01,700\nHere we go.\n"

pytestmark = pytest.mark.usefixtures("one_worker")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    draw_scenes(folder / "a.mp4", NUM_SCENES)
    draw_scenes(folder / "b.mp4", NUM_SCENES, first=2)
    return folder


def asked(**settings: object) -> list[str]:
    return [word for name, value in settings.items() for word in ("--set", f"caption.{name}={value}")]


def captioned(videos: Path, output: Path, *options: str, code: int = 0) -> dict[str, dict[str, Any]]:
    found, _, err = run("run", videos, output, *options)
    assert found == code, err
    if code == 0:
        assert run("validate", output)[0] == 0
    return documents(output)


def text_of(scene: dict[str, Any]) -> str:
    text = scene["caption"]["text"]
    assert isinstance(text, str)
    return text


def test_one_caption_a_scene_is_about_all_its_pictures(videos: Path, tmp_path: Path) -> None:
    by_frame = captioned(videos, tmp_path / "out", *echo_options())
    num_frames = logged_captions(tmp_path / "out")
    found = captioned(videos, tmp_path / "out", *echo_options(), *asked(mode="scene"))
    assert logged_captions(tmp_path / "out") - num_frames == 2 * NUM_SCENES
    for name, document in found.items():
        assert document["provenance"]["prompt"]["mode"] == "scene"
        assert document["provenance"]["prompt"]["id"] == "general"
        for scene, other in zip(document["scenes"], by_frame[name]["scenes"], strict=True):
            assert [frame["caption"] for frame in scene["frames"]] == [None] * len(scene["frames"])
            distinct = [frame for frame in other["frames"] if frame["duplicate_of"] is None]
            assert text_of(scene) == " ".join(frame["caption"]["text"] for frame in distinct)


def test_a_run_by_scene_goes_on_where_it_was_stopped(videos: Path, tmp_path: Path) -> None:
    options = asked(mode="scene")
    straight = captioned(videos, tmp_path / "straight", *echo_options(), *options)
    # The third scene of each video fails, then nothing but that is asked for again.
    captioned(videos, tmp_path / "out", *echo_options(fail_if="*:2:*"), *options, code=3)
    before = logged_captions(tmp_path / "out")
    found = captioned(videos, tmp_path / "out", *echo_options(), *options, "--retry-failed")
    assert logged_captions(tmp_path / "out") - before == 2
    assert found == straight


def test_the_engine_may_die_with_a_scene_in_hand(videos: Path, tmp_path: Path) -> None:
    straight = captioned(videos, tmp_path / "straight", *echo_options(), *asked(mode="scene"))
    deadly = echo_options(die_after=3)
    found = captioned(videos, tmp_path / "out", *deadly, *asked(mode="scene"))
    assert found == straight


def test_what_is_said_stands_in_its_scenes_and_counts(videos: Path, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for name in ("a.mp4", "b.mp4"):
        (source / name).write_bytes((videos / name).read_bytes())
    (source / "a.srt").write_text(SRT)
    said = asked(transcripts="beside")
    told = captioned(source, tmp_path / "out", *echo_options(), *said)
    scenes = [scene["transcript"] for scene in told["a.mp4.timeline.json"]["scenes"]]
    assert scenes == ["Welcome.", "Here we go.", "Here we go.", None][: len(scenes)]
    assert [scene["transcript"] for scene in told["b.mp4.timeline.json"]["scenes"]] == [None] * NUM_SCENES
    prompt = told["a.mp4.timeline.json"]["provenance"]["prompt"]
    assert (prompt["id"], prompt["text"].count("{transcript}")) == ("general", 1)
    assert "2 skipped" in run("run", source, tmp_path / "out", *echo_options(), *said)[2]

    # A prompt that does not tell what is said: the same captions, whatever is said.
    own = [*said, *asked(prompt="What is this?")]
    captioned(source, tmp_path / "own", *echo_options(), *own)
    before = logged_captions(tmp_path / "own")
    (source / "a.srt").write_text(SRT.replace("Welcome", "Hello"))
    changed = captioned(source, tmp_path / "own", *echo_options(), *own)
    assert changed["a.mp4.timeline.json"]["scenes"][0]["transcript"] == "Hello."
    assert logged_captions(tmp_path / "own") == before

    (source / "a.srt").write_bytes(b"\x80")
    broken = captioned(source, tmp_path / "out", *echo_options(), *said, code=3)
    (error,) = broken["a.mp4.failed.json"]["errors"]
    assert (error["stage"], error["type"]) == ("transcript", "TranscriptError")
    assert "is not UTF-8" in error["message"]
    assert "2 skipped" in run("run", source, tmp_path / "out", *echo_options(), *said)[2]
    assert captioned(source, tmp_path / "out", *echo_options()).keys() == told.keys(), "not wanted any more"
    captioned(source, tmp_path / "out", *echo_options(), *said, code=3)
    (source / "a.srt").write_text(SRT)
    assert captioned(source, tmp_path / "out", *echo_options(), *said) == told, "mended"


def test_what_cannot_be_read_beside_a_video_stays_a_failure_until_it_can(
    videos: Path, tmp_path: Path
) -> None:
    source = tmp_path / "in"
    (source / "a.srt").mkdir(parents=True)
    (source / "a.mp4").write_bytes((videos / "a.mp4").read_bytes())
    said = [*echo_options(), *asked(transcripts="beside")]
    code, _, _ = run("run", source, tmp_path / "out", *said)
    (error,) = documents(tmp_path / "out")["a.mp4.failed.json"]["errors"]
    assert (code, error["stage"], error["type"]) == (4, "transcript", "TranscriptError")
    found = run("status", tmp_path / "out")[1]
    assert "1 failed" in found
    assert "is no regular file" in found
    (source / "a.srt").rmdir()
    assert "1 stale" in run("status", tmp_path / "out")[1]
    cuts = [*echo_options(), "--cuts", str(tmp_path / "cuts")]
    (tmp_path / "cuts").mkdir()
    run("run", source, tmp_path / "out", *cuts)
    assert "1 failed" in run("status", tmp_path / "out")[1]


def test_a_name_in_the_prompt_counts_and_is_filled_in(videos: Path, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.mp4").write_bytes((videos / "a.mp4").read_bytes())
    options = [*echo_options(), *asked(prompt="What is {name} one two three four five six seven?")]
    short = captioned(source, tmp_path / "out", *options)["a.mp4.timeline.json"]
    (source / "a.mp4").rename(source / "a film with a long name.mp4")
    long = captioned(source, tmp_path / "out", *options)["a film with a long name.mp4.timeline.json"]
    # The echo engine counts the words of the prompt it got.
    tokens = [each["scenes"][0]["caption"]["prompt_tokens"] for each in (short, long)]
    assert tokens[1] - tokens[0] == 5
    assert short["provenance"]["scan_key"] == long["provenance"]["scan_key"]


def test_unknown_variables_and_templates_stop_before_anything_is_done(videos: Path, tmp_path: Path) -> None:
    for prompt, said in (("Who is {nobody}?", "got the variable {nobody}"), ("@nobody", "allowed: a text")):
        code, _, err = run("run", videos, tmp_path / "out", *echo_options(), *asked(prompt=prompt))
        assert code == 2
        assert "caption.prompt" in err
        assert said in err
    assert not (tmp_path / "out").exists()
    (tmp_path / "bad.yaml").write_text("caption:\n  retry: true\n  prompt: 'Who is {nobody}?'\n")
    code, _, err = run("config", "check", tmp_path / "bad.yaml")
    assert code == 2
    assert "bad.yaml:3:" in err


def test_a_summary_is_made_once_and_kept(videos: Path, tmp_path: Path) -> None:
    plain = captioned(videos, tmp_path / "out", *echo_options())
    assert all(document["summary"] is None for document in plain.values())
    before = logged_captions(tmp_path / "out")
    found = captioned(videos, tmp_path / "out", *echo_options(), *asked(summary="true"))
    assert logged_captions(tmp_path / "out") - before == 2, "one step each, and no caption again"
    for name, document in found.items():
        assert document["summary"]["synopsis"], name
        assert document["scenes"] == plain[name]["scenes"]
    straight = captioned(videos, tmp_path / "straight", *echo_options(), *asked(summary="true"))
    assert straight == found
    assert "2 skipped" in run("run", videos, tmp_path / "out", *echo_options(), *asked(summary="true"))[2]


def test_a_summary_follows_its_language_where_the_captions_know_none(videos: Path, tmp_path: Path) -> None:
    own = [*echo_options(), *asked(prompt="What is this?", summary="true")]
    french = captioned(videos, tmp_path / "out", *own, *asked(language="French"))
    before = logged_captions(tmp_path / "out")
    german = captioned(videos, tmp_path / "out", *own, *asked(language="German"))
    assert logged_captions(tmp_path / "out") - before == 2, "one step each, and no caption again"
    for name, document in german.items():
        assert document["provenance"]["prompt"]["language"] == "German"
        assert document["summary"] != french[name]["summary"]
    status = run("status", tmp_path / "out", *asked(language="Dutch"))
    assert status[1].startswith("2 videos: 2 stale"), status
    assert "its summary is to be in Dutch" in status[1]


def test_a_summary_that_fails_is_told_and_tried_again(videos: Path, tmp_path: Path) -> None:
    options = asked(summary="true")
    failing = captioned(videos, tmp_path / "out", *echo_options(fail_if="*:-1:*"), *options, code=3)
    for document in failing.values():
        (error,) = document["errors"]
        assert (document["status"], document["summary"]) == ("partial", None)
        assert (error["stage"], error["type"], error["scene_id"]) == ("summary", "EchoFailure", None)
        assert all(text_of(scene) for scene in document["scenes"])
    again = captioned(videos, tmp_path / "out", *echo_options(), *options, "--retry-failed")
    assert all(document["summary"]["synopsis"] for document in again.values())


def test_an_answer_in_circles_is_asked_for_once_more(videos: Path, tmp_path: Path) -> None:
    straight = captioned(videos, tmp_path / "straight", *echo_options())
    found = captioned(videos, tmp_path / "out", *echo_options(loop_if="*:1:*"))
    for name, document in found.items():
        for scene, good in zip(document["scenes"], straight[name]["scenes"], strict=True):
            assert text_of(scene) == text_of(good)
            assert scene["caption"]["retry_of"] == ("repetitive" if scene["index"] == 1 else None)
    taken = captioned(videos, tmp_path / "once", *echo_options(loop_if="*:1:*"), *asked(retry="false"))
    for document in taken.values():
        statuses = [scene["caption"]["status"] for scene in document["scenes"]]
        assert statuses == ["success", "repetitive", "success", "success"]


def test_fields_come_from_json(videos: Path, tmp_path: Path) -> None:
    pytest.importorskip("llguidance")
    found = captioned(videos, tmp_path / "out", *echo_options(), *asked(format="json"))
    for document in found.values():
        for scene in document["scenes"]:
            assert text_of(scene)
            assert isinstance(scene["attributes"]["tags"], list)
    assert {document["provenance"]["prompt"]["format"] for document in found.values()} == {"json"}
