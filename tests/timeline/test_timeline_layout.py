"""Where things lie: never outside, never twice the same, whatever the sources are called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor_cli.timeline.layout import OutputLayout, output_name

# Any bytes a Linux file name can have; some that look like our own.
OURS = [".vlmtl", "a.mp4", "a.mp4.frames", "a.mp4.timeline.json", "-x", "concat:a|b", "a\nb.mp4"]
NAMES = st.one_of(
    st.binary(min_size=1, max_size=255).map(os.fsdecode),
    st.text(min_size=1, max_size=60),
    st.sampled_from(OURS),
    st.binary(min_size=200, max_size=255).map(os.fsdecode),
).filter(lambda name: not set("/\0") & set(name) and name not in (".", ".."))
RELATIVES = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


def test_documents_lie_where_the_architecture_says(tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path)
    assert layout.timeline("a/b.mp4") == tmp_path / "a/b.mp4.timeline.json"
    assert layout.failed("a/b.mp4") == tmp_path / "a/b.mp4.failed.json"
    assert layout.picture("a/b.mp4", "s0001-first") == tmp_path / "a/b.mp4.frames/s0001-first.jpg"
    assert layout.picture_reference("a/b.mp4", "s0001-first") == "b.mp4.frames/s0001-first.jpg"
    assert layout.lock == tmp_path / ".vlmtl/lock"
    assert layout.scan("abcd") == tmp_path / ".vlmtl/scans/ab/abcd.json"
    assert layout.captions("abcd") == tmp_path / ".vlmtl/captions/ab/abcd.jsonl"


@pytest.mark.parametrize("relative", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/.", "a\0b"])
def test_a_path_that_leads_outside_is_our_bug(relative: str) -> None:
    with pytest.raises(AssertionError, match="lies under its input"):
        output_name(relative)


@given(RELATIVES)
def test_any_name_fits_is_utf8_and_stays_inside(relative: str) -> None:
    layout = OutputLayout(Path("/out"))
    for path in (layout.timeline(relative), layout.failed(relative), layout.picture(relative, "s0001-first")):
        path.relative_to("/out")
        assert ".." not in path.parts
        assert all(len(part.encode("utf-8")) <= 255 for part in path.parts)
    reference = layout.picture_reference(relative, "s0001-first")
    assert layout.timeline(relative).parent / reference == layout.picture(relative, "s0001-first")


@given(st.lists(RELATIVES, min_size=2, max_size=20, unique=True))
def test_two_sources_never_meet(relatives: list[str]) -> None:
    layout = OutputLayout(Path("/out"))
    files = [each for relative in relatives for each in (layout.timeline(relative), layout.failed(relative))]
    frames = [layout.frames(relative) for relative in relatives]
    assert len(set(files)) == len(files)
    assert len(set(frames)) == len(frames)
    # A source's folder is never a file of another, nor our own state, nor another's frames.
    parents = {parent for file in files for parent in file.parents}
    assert not parents & set(files)
    assert not parents & set(frames)
    assert layout.state not in parents


def test_an_ordinary_name_is_kept_as_it_is() -> None:
    for name in (
        "a.mp4",
        "ü – 東京.mkv",
        " a b .mp4",
        "-rf.mp4",
        "a\nb.mp4",
        "a/b.frames.d/c.mov",
        "x" * 219 + ".mp4",
    ):
        assert output_name(name) == name


@pytest.mark.parametrize(
    "relative",
    [
        os.fsdecode(b"caf\xe9.mp4"),
        "x" * 251 + ".mp4",
        "東" * 83 + ".mp4",
        ".vlmtl/scans/a.mp4",
        "a.mp4.frames/s0001-first.mp4",
        "a.mp4.timeline.json/b.mp4",
        "/".join(["d" * 200] * 15) + "/a.mp4",
    ],
)
def test_a_name_that_cannot_be_kept_is_marked_and_marking_is_no_way_in(relative: str, tmp_path: Path) -> None:
    name = output_name(relative)
    assert name == output_name(relative)
    assert "~" in name
    # A source that is really called like a marked one is marked again.
    assert output_name(name) != name
    path = OutputLayout(tmp_path).timeline(relative)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"{}")
    assert path.read_bytes() == b"{}"


def test_bytes_that_are_not_utf8_can_still_be_read_by_people() -> None:
    assert output_name(os.fsdecode(b"caf\xe9.mp4")).startswith("caf%E9.mp4~")
