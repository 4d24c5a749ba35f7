"""What a timeline says of its reader is what happened: which, why, what was tried, found and expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from runs import documents, echo_options, run

from tests import clips


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A whole file, one with a bad packet, one cut short, and one that only PyAV is trusted with."""
    whole, cut, stream = (clips.draw(n, tmp_path) for n in ("h264.mp4", "faststart.mp4", "h264.ts"))
    folder = tmp_path / "videos"
    folder.mkdir()
    (folder / "whole.mp4").write_bytes(whole.read_bytes())
    (folder / "stream.ts").write_bytes(stream.read_bytes())
    clips.with_bad_packet(whole, folder / "bad.mp4", 40)
    clips.truncated(cut, folder / "cut.mp4", 0.6)
    return folder


def readers_of(videos: Path, output: Path, reader: str) -> dict[str, dict[str, Any]]:
    """`source.reader` of each document."""
    code, _, err = run("run", videos, output, *echo_options(), "--set", f"decode.reader={reader}")
    assert code == 3, err  # the one that is cut short is partial
    found = documents(output)
    for document in found.values():
        source = document["source"]
        assert source["frame_count"] == source["reader"]["frames_decoded"]
        assert document["status"] == ("partial" if source["name"] == "cut.mp4" else "complete")
    return {Path(name).name.partition(".")[0]: each["source"]["reader"] for name, each in found.items()}


def check_what_was_read(told: dict[str, dict[str, Any]]) -> None:
    """Whoever read them, the frames are the same, and so are the promises of the headers."""
    counts = {name: (each["frames_decoded"], each["frames_expected"]) for name, each in told.items()}
    assert counts["whole"] == (70, 70)
    assert counts["stream"] == (70, None)
    assert 60 < counts["bad"][0] < counts["bad"][1] == 70
    assert 20 < counts["cut"][0] < counts["cut"][1] == 70
    assert told["whole"]["warnings"] == told["stream"]["warnings"] == []
    assert "could not be decoded" in told["bad"]["warnings"][0]


def test_auto_reads_all_with_pyav_and_gives_its_reason(videos: Path, tmp_path: Path) -> None:
    told = readers_of(videos, tmp_path / "out", "auto")
    check_what_was_read(told)
    assert {each["name"] for each in told.values()} == {"pyav"}
    assert all("scans every format" in each["reason"] for each in told.values())
    assert all(each["fallbacks"] == [] for each in told.values())


@pytest.mark.needs_torchcodec
def test_a_reader_that_gives_up_is_named_beside_the_one_that_went_on(videos: Path, tmp_path: Path) -> None:
    told = readers_of(videos, tmp_path / "out", "torchcodec")
    check_what_was_read(told)
    assert (told["whole"]["name"], told["whole"]["fallbacks"]) == ("torchcodec", [])
    assert told["whole"]["reason"] == "asked for by decode.reader, on the CPU"
    assert told["stream"]["name"] == "pyav"
    assert told["stream"]["fallbacks"] == ["torchcodec: torchcodec is not relied on for mpegts"]
    assert (told["bad"]["name"], told["bad"]["reason"]) == ("pyav", "took over from torchcodec")
    assert told["bad"]["fallbacks"][0].startswith("torchcodec: torchcodec cannot decode it")
    assert ", after 40 frames" in told["bad"]["fallbacks"][0]
    # That its packets end early is seen before a frame is asked for.
    assert told["cut"]["name"] == "pyav"
    assert told["cut"]["fallbacks"] == [
        "torchcodec: its index cannot be relied on (the header states 2.80 s)"
    ]
