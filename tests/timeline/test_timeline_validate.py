"""`vlmtl validate` and the invariants behind it: each wrong thing is named with its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from timeline_samples import DAMAGED, captions, failed_caption, failed_timeline, timeline

from corridor_cli.errors import UsageError
from corridor_cli.records import Role
from corridor_cli.timeline.commit import commit_failed, commit_timeline
from corridor_cli.timeline.layout import OutputLayout
from corridor_cli.timeline.lock import OutputLock
from corridor_cli.timeline.schema import timeline_bytes
from corridor_cli.timeline.validate import validate_output

Document = dict[str, Any]
PICTURE = {(0, Role.FIRST): "b.mp4.frames/s0001-first.jpg"}


def problems(root: Path) -> list[tuple[str, str]]:
    return [(problem.file, problem.where) for problem in validate_output(root).problems]


def commit(root: Path, data: bytes) -> None:
    commit_timeline(OutputLayout(root), "a/b.mp4", data, fsync=False)


def test_a_sound_folder_has_no_problems(tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path)
    with OutputLock(layout):
        commit(tmp_path, timeline_bytes(timeline(pictures=PICTURE), indent=2))
        picture = layout.picture("a/b.mp4", "s0001-first")
        picture.parent.mkdir()
        picture.write_bytes(b"jpeg")
        for name, document in (
            ("c.mp4", timeline(error=DAMAGED)),
            ("d.mp4", timeline(captions(failed_caption(0, Role.FIRST)))),
        ):
            commit_timeline(layout, name, timeline_bytes(document, indent=0), fsync=False)
        commit_failed(layout, "e.mp4", timeline_bytes(failed_timeline(), indent=2), fsync=False)
        report = validate_output(tmp_path)
    assert report.problems == ()
    assert report.num_documents == 4


@pytest.mark.parametrize(
    "data", [b"{}", b"[]", b"3", b'{"schema": "other/1"}', b'{"OTIO_SCHEMA": "Timeline.1"}', b'{"schema": 1}']
)
def test_json_of_somebody_else_is_left_alone(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.timeline.json").write_bytes(data)
    (tmp_path / "notes.json").write_bytes(b"not even JSON")
    assert validate_output(tmp_path).num_documents == 0
    assert problems(tmp_path) == []


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_torn_document_is_a_problem(data: bytes, tmp_path: Path) -> None:
    commit(tmp_path, data)
    assert problems(tmp_path) == [("a/b.mp4.timeline.json", "")]


def test_what_lies_beside_is_checked(tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path)
    commit(tmp_path, timeline_bytes(timeline(pictures=PICTURE), indent=2))
    layout.failed("a/b.mp4").write_bytes(timeline_bytes(failed_timeline(), indent=2))
    layout.timeline("c.mp4").write_bytes(timeline_bytes(failed_timeline(), indent=2))
    (tmp_path / "a" / ".~vlmtl-1-2.tmp").write_bytes(b"half")
    assert problems(tmp_path) == [
        ("c.mp4.timeline.json", "status"),
        ("a/.~vlmtl-1-2.tmp", ""),
        ("a/b.mp4.failed.json", ""),
        ("a/b.mp4.timeline.json", "scenes[0].frames[0].path"),
    ]


@pytest.mark.parametrize(
    "reference", ["/etc/passwd", "../../../../../../etc/passwd", "b.mp4.frames", "a\0b", "empty"]
)
def test_a_picture_lies_in_the_folder_of_its_timeline(reference: str, tmp_path: Path) -> None:
    commit(tmp_path, timeline_bytes(timeline(pictures={(0, Role.FIRST): reference}), indent=2))
    (tmp_path / "a" / "b.mp4.frames").mkdir()
    (tmp_path / "a" / "empty").write_bytes(b"")
    assert problems(tmp_path) == [("a/b.mp4.timeline.json", "scenes[0].frames[0].path")]


def test_no_folder_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a folder"):
        validate_output(tmp_path / "missing")


def put(*path: str | int, value: object) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        place: Any = document
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


def drop_last_scene(document: Document) -> None:
    del document["scenes"][1]


def repeat_a_frame(document: Document) -> None:
    frames = document["scenes"][0]["frames"]
    frames.append(frames[0])


def swap_frames(document: Document) -> None:
    document["scenes"][0]["frames"].reverse()


def leave_out_a_field(document: Document) -> None:
    del document["source"]["audio_codec"]


SCENE = ("scenes", 0)
FRAME = ("scenes", 0, "frames", 0)
ERROR = {"stage": "caption", "scene_id": "s0009", "type": "ModelError", "message": "x"}

WRONG: list[tuple[Callable[[Document], None], str]] = [
    (put("schema", value="vlmtl.timeline/2"), "schema"),
    (put("status", value="done"), "status"),
    (put("status", value="failed"), "scenes"),
    (put("status", value="partial"), "errors"),
    (put("errors", value=[ERROR]), "errors"),
    (put("surprise", value=1), "surprise"),
    (put("scenes", value=[]), "scenes"),
    (put("source", "duration", value=None), "source.duration"),
    (put("source", "duration", value=4.0), "scenes[1].end"),
    (put("source", "frame_count", value=101), "scenes[1].end_frame"),
    (put("source", "frame_rate", value="23.976"), "source.frame_rate"),
    (put("source", "width", value=-1), "source.width"),
    (put("source", "width", value="640"), "source.width"),
    (put("source", "path_bytes", value="xyz"), "source.path_bytes"),
    (leave_out_a_field, "source.audio_codec"),
    (put("provenance", "model", value=None), "provenance.model"),
    (put("provenance", "scan_key", value="short"), "provenance.scan_key"),
    (put("provenance", "caption_key", value=None), "provenance.caption_key"),
    (put("transitions", 0, "end", value=0.5), "transitions[0].end"),
    (put("transitions", 0, "kind", value="wipe"), "transitions[0].kind"),
    (drop_last_scene, "scenes[0].end"),
    (put(*SCENE, "start", value=0.1), "scenes[0].start"),
    (put(*SCENE, "end", value=1.668334), "scenes[1].start"),
    (put(*SCENE, "end_frame", value=41), "scenes[1].start_frame"),
    (put(*SCENE, "end_frame", value=0), "scenes[0].end_frame"),
    (put(*SCENE, "index", value=1), "scenes[0].index"),
    (put(*SCENE, "id", value="s0002"), "scenes[0].id"),
    (put(*SCENE, "duration", value=1.6), "scenes[0].duration"),
    (put(*SCENE, "start_timecode", value="00:00:01.000"), "scenes[0].start_timecode"),
    (put(*SCENE, "end_timecode", value="0:00:01.668"), "scenes[0].end_timecode"),
    (put(*SCENE, "boundary", value="wipe"), "scenes[0].boundary"),
    (repeat_a_frame, "scenes[0].frames"),
    (swap_frames, "scenes[0].frames"),
    (put(*SCENE, "caption", "text", value="another"), "scenes[0].caption"),
    (put(*FRAME, "id", value="s0002-first"), "scenes[0].frames[0].id"),
    (put(*FRAME, "time", value=2.0), "scenes[0].frames[0].time"),
    (put(*FRAME, "frame_index", value=40), "scenes[0].frames[0].frame_index"),
    (put(*FRAME, "timecode", value="00:00:00.100"), "scenes[0].frames[0].timecode"),
    (put(*FRAME, "duplicate_of", value="s0002-first"), "scenes[0].frames[0].duplicate_of"),
    (put(*FRAME, "duplicate_of", value="s0001-last"), "scenes[0].frames[0].duplicate_of"),
    (put("scenes", 0, "frames", 2, "caption", "text", value="x"), "scenes[0].frames[2].caption"),
    (put(*FRAME, "caption", "text", value=None), "scenes[0].frames[0].caption"),
    (put(*FRAME, "caption", "text", value=""), "scenes[0].frames[0].caption.text"),
    (put(*FRAME, "caption", "status", value="empty"), "scenes[0].frames[0].caption"),
    (put(*FRAME, "caption", "status", value="error"), "scenes[0].frames[0].caption"),
    (put(*FRAME, "caption", "status", value="truncated"), "scenes[0].frames[0].caption"),
    (put(*FRAME, "caption", "finish_reason", value="length"), "scenes[0].frames[0].caption"),
    (put(*FRAME, "caption", "error", value={"type": "X", "message": "x"}), "scenes[0].frames[0].caption"),
    (put("run", "wall_seconds", value="1"), "run.wall_seconds"),
]


@pytest.mark.parametrize(("change", "where"), WRONG)
def test_each_wrong_thing_is_named_with_its_place(
    change: Callable[[Document], None], where: str, tmp_path: Path
) -> None:
    document = json.loads(timeline_bytes(timeline(), indent=2))
    change(document)
    commit(tmp_path, json.dumps(document).encode())
    assert ("a/b.mp4.timeline.json", where) in problems(tmp_path)


def test_a_failed_caption_cannot_hide_in_a_complete_document(tmp_path: Path) -> None:
    document = json.loads(timeline_bytes(timeline(captions(failed_caption(0, Role.FIRST))), indent=2))
    document.update(status="complete", errors=[])
    commit(tmp_path, json.dumps(document).encode())
    assert problems(tmp_path) == [("a/b.mp4.timeline.json", "status")]


def test_an_error_names_a_scene_that_exists(tmp_path: Path) -> None:
    document = json.loads(timeline_bytes(timeline(error=DAMAGED), indent=2))
    document["errors"].append(ERROR)
    commit(tmp_path, json.dumps(document).encode())
    assert problems(tmp_path) == [("a/b.mp4.timeline.json", "errors[1].scene_id")]
