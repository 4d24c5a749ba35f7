"""What needs work is told from the committed document, quickly."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from timeline_samples import (
    CAPTION_KEY,
    DAMAGED,
    SCAN_KEY,
    SETTINGS,
    caption,
    captions,
    failed_timeline,
    timeline,
)

from corridor_cli.errors import StorageError
from corridor_cli.records import Role
from corridor_cli.settings import FrameSettings, Settings
from corridor_cli.telemetry import VideoState
from corridor_cli.timeline.commit import commit_failed, commit_timeline
from corridor_cli.timeline.done import existing
from corridor_cli.timeline.layout import OutputLayout
from corridor_cli.timeline.schema import timeline_bytes

OTHER_KEY = "0" * 32


@pytest.fixture
def layout(tmp_path: Path) -> OutputLayout:
    return OutputLayout(tmp_path)


def state(
    layout: OutputLayout,
    scan_key: str = SCAN_KEY,
    caption_key: str = CAPTION_KEY,
    settings: Settings = SETTINGS,
) -> VideoState:
    return existing(layout, "a/b.mp4", settings, scan_key=scan_key, caption_key=caption_key)


def put(layout: OutputLayout, data: bytes) -> None:
    commit_timeline(layout, "a/b.mp4", data, fsync=False)


def test_nothing_there_is_new(layout: OutputLayout) -> None:
    assert state(layout) == "new"


@pytest.mark.parametrize("indent", [0, 2, 8])
def test_the_same_keys_are_done_and_others_are_stale(layout: OutputLayout, indent: int) -> None:
    put(layout, timeline_bytes(timeline(), indent=indent))
    assert state(layout) == "done"
    assert state(layout, scan_key=OTHER_KEY) == "stale"
    assert state(layout, caption_key=OTHER_KEY) == "stale"


def test_partial_and_failed_wait_until_a_key_changes(layout: OutputLayout) -> None:
    put(layout, timeline_bytes(timeline(error=DAMAGED), indent=2))
    assert state(layout) == "partial"
    assert state(layout, caption_key=OTHER_KEY) == "stale"
    commit_failed(layout, "a/b.mp4", timeline_bytes(failed_timeline(), indent=2), fsync=False)
    assert state(layout) == "failed"
    assert state(layout, caption_key=OTHER_KEY) == "failed"  # another prompt does not mend a file
    assert state(layout, scan_key=OTHER_KEY) == "stale"


def test_a_failure_of_the_transcript_ends_with_the_transcript(layout: OutputLayout) -> None:
    document = json.loads(timeline_bytes(failed_timeline(), indent=2))
    document["errors"][0]["stage"] = "transcript"
    document["provenance"]["transcript"] = "bad"
    commit_failed(layout, "a/b.mp4", json.dumps(document, indent=2).encode() + b"\n", fsync=False)
    told = replace(SETTINGS, caption=replace(SETTINGS.caption, transcripts="beside"))

    def with_transcript(mark: str | None, settings: Settings) -> VideoState:
        return existing(
            layout, "a/b.mp4", settings, scan_key=SCAN_KEY, caption_key=CAPTION_KEY, transcript=mark
        )

    assert with_transcript("bad", told) == "failed"
    assert with_transcript("mended", told) == "stale"
    assert with_transcript(None, told) == "stale"
    assert with_transcript(None, SETTINGS) == "stale"


def test_a_kill_between_commit_and_removal_is_told_apart_by_the_keys(layout: OutputLayout) -> None:
    failed = timeline_bytes(failed_timeline(), indent=2)
    layout.failed("a/b.mp4").parent.mkdir()
    put(layout, timeline_bytes(timeline(), indent=2))
    layout.failed("a/b.mp4").write_bytes(failed)
    assert state(layout) == "done"
    layout.timeline("a/b.mp4").write_bytes(
        timeline_bytes(timeline(), indent=2).replace(SCAN_KEY.encode(), b"1" * 32)
    )
    assert state(layout) == "failed"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (FrameSettings(), "done"),
        (FrameSettings(save="none"), "done"),
        (FrameSettings(save="full"), "stale"),
        (FrameSettings(thumbnail_px=640), "stale"),
        (FrameSettings(max_saved_bytes=1), "done"),
    ],
)
def test_pictures_in_another_size_make_it_stale(
    layout: OutputLayout, wanted: FrameSettings, expected: VideoState
) -> None:
    put(layout, timeline_bytes(timeline(), indent=2))
    assert state(layout, settings=replace(SETTINGS, frames=wanted)) == expected


def test_a_document_that_a_person_reformatted_still_counts(layout: OutputLayout) -> None:
    document = json.loads(timeline_bytes(timeline(), indent=2))
    put(layout, json.dumps(document, sort_keys=True, separators=(",", ":")).encode())
    assert state(layout) == "done"


def test_a_caption_cannot_pass_for_provenance(layout: OutputLayout) -> None:
    lie = f'"provenance": {{"scan_key": "{OTHER_KEY}", "caption_key": "{OTHER_KEY}"}}'
    put(layout, timeline_bytes(timeline(captions(caption(0, Role.FIRST, lie))), indent=2))
    assert state(layout) == "done"
    assert state(layout, OTHER_KEY, OTHER_KEY) == "stale"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"schema": "vlmtl.timeline/1", "status": "complete",',
    ],
)
def test_what_cannot_be_read_is_stale(layout: OutputLayout, data: bytes) -> None:
    put(layout, data)
    assert state(layout) == "stale"


def test_a_document_cut_anywhere_is_never_done(layout: OutputLayout) -> None:
    data = timeline_bytes(timeline(), indent=0)
    put(layout, data)
    for length in range(0, len(data) - 1, 3):
        layout.timeline("a/b.mp4").write_bytes(data[:length])
        assert state(layout) == "stale"


def test_a_document_of_another_version_is_stale(layout: OutputLayout) -> None:
    put(layout, timeline_bytes(timeline(), indent=2).replace(b"vlmtl.timeline/1", b"vlmtl.timeline/9"))
    assert state(layout) == "stale"


def test_a_folder_in_its_place_is_a_storage_error(layout: OutputLayout) -> None:
    layout.timeline("a/b.mp4").mkdir(parents=True)
    with pytest.raises(StorageError, match="Cannot read"):
        state(layout)


@pytest.mark.alone
def test_a_thousand_finished_videos_are_told_in_a_moment(layout: OutputLayout) -> None:
    document = json.loads(timeline_bytes(timeline(), indent=2))
    document["scenes"] *= 60  # about 200 kB: ten minutes of video
    data = json.dumps(document, indent=2).encode() + b"\n"
    assert len(data) > 150_000
    for number in range(1000):
        layout.timeline(f"{number}.mp4").write_bytes(data)
    start = time.perf_counter()
    states = {
        existing(layout, f"{number}.mp4", SETTINGS, scan_key=SCAN_KEY, caption_key=CAPTION_KEY)
        for number in range(1000)
    }
    elapsed_seconds = time.perf_counter() - start
    assert states == {"done"}
    assert elapsed_seconds < 1.5  # 0.2 s measured on two x86-64 cores; the rest is room for a busy machine
