"""Inputs → source files: order, names, filters, and the trees that try to break it."""

from __future__ import annotations

import os
import socket
import string
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corridor_cli.media.discover import Discovery, discover
from corridor_cli.media.patterns import is_excluded, is_included, matches_path
from corridor_cli.settings import InputSettings

ANY = InputSettings()


def touch(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def find(*inputs: str | Path, out: Path, how: InputSettings = ANY) -> Discovery:
    return discover(list(inputs), how, out)


def places(found: Discovery) -> list[str]:
    return [str(s.relative) for s in found.sources]


def test_a_folder_is_walked_in_natural_order_without_hidden_files_and_other_kinds(tmp_path: Path) -> None:
    for name in ("clip10.mp4", "clip2.MP4", "b/x.webm", "a/y.mkv", ".hidden.mp4", ".git/z.mp4", "notes.txt"):
        touch(tmp_path / "in" / name)
    found = find(tmp_path / "in", out=tmp_path / "out")
    assert places(found) == ["a/y.mkv", "b/x.webm", "clip2.MP4", "clip10.mp4"]
    assert found.problems == ()
    first = found.sources[0]
    assert first.path == tmp_path / "in/a/y.mkv"
    assert (first.size_bytes, first.mtime_ns) == (1, first.path.stat().st_mtime_ns)


def test_the_output_folder_is_left_out_also_when_it_lies_inside_the_input(tmp_path: Path) -> None:
    touch(tmp_path / "in/a.mp4")
    touch(tmp_path / "in/out/a.mp4.frames/b.mp4")
    assert places(find(tmp_path / "in", out=tmp_path / "in/out")) == ["a.mp4"]
    (tmp_path / "link").symlink_to(tmp_path / "in/out")
    assert places(find(tmp_path / "in", out=tmp_path / "link")) == ["a.mp4"]


@pytest.mark.parametrize("inner", ["", "a.mp4.frames", "a.mp4.frames/b.mp4"])
def test_an_input_inside_the_output_folder_is_a_problem(tmp_path: Path, inner: str) -> None:
    touch(tmp_path / "out/a.mp4.frames/b.mp4")
    found = find(tmp_path / "out" / inner, out=tmp_path / "out")
    assert found.sources == ()
    assert "output folder" in found.problems[0].error.message


def test_a_file_named_itself_is_taken_whatever_its_extension(tmp_path: Path) -> None:
    touch(tmp_path / "recording.bin")
    assert places(find(tmp_path / "recording.bin", out=tmp_path / "out")) == ["recording.bin"]


def test_what_cannot_be_taken_is_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    touch(tmp_path / "a.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "dangling.mp4").symlink_to("nowhere")
    given_inputs = (
        tmp_path / "missing",
        tmp_path / "a.mp4",
        tmp_path / "pipe.mp4",
        "",
        str(tmp_path / "z*.mp4"),
    )
    found = find(*given_inputs, out=tmp_path / "out")
    assert places(found) == ["a.mp4"]
    messages = [p.error.message for p in found.problems]
    assert [m.rpartition(": ")[2] for m in messages] == [
        "does not exist",
        "is a FIFO, not a regular file",
        "an empty path was given",
        "matches no file",
    ]
    assert {p.error.type for p in found.problems} == {"UnreadableError"}
    walked = find(tmp_path, out=tmp_path / "out")
    assert places(walked) == ["a.mp4"]
    assert [p.path for p in walked.problems] == [str(tmp_path / "dangling.mp4")]


def test_fifos_and_sockets_in_a_folder_are_passed_by(tmp_path: Path) -> None:
    touch(tmp_path / "a.mp4")
    os.mkfifo(tmp_path / "fifo.mp4")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s.mp4"))
        assert places(find(tmp_path, out=tmp_path / "out")) == ["a.mp4"]


def test_links_are_followed_loops_are_cut_and_no_file_is_taken_twice(tmp_path: Path) -> None:
    real = touch(tmp_path / "in/a/v.mp4")
    (tmp_path / "in/a/loop").symlink_to(tmp_path / "in")
    (tmp_path / "in/a/again").symlink_to(tmp_path / "in/a")
    (tmp_path / "in/SAME.mp4").symlink_to(real)
    touch(tmp_path / "elsewhere/w.mp4")
    (tmp_path / "in/b").symlink_to(tmp_path / "elsewhere")
    found = find(tmp_path / "in", out=tmp_path / "out")
    assert places(found) == ["a/v.mp4", "b/w.mp4"]
    twice = find(tmp_path / "in/a", tmp_path / "in", real, out=tmp_path / "out")
    assert places(twice) == ["a/loop/b/w.mp4", "a/v.mp4"]
    assert twice.problems == ()


def test_several_inputs_land_under_their_own_names(tmp_path: Path) -> None:
    for name in ("x/day/v.mp4", "y/day/v.mp4", "y/w.mp4", "x/w.mp4"):
        touch(tmp_path / name)
    found = find(
        tmp_path / "x/day", tmp_path / "y/day", tmp_path / "y/w.mp4", tmp_path / "x/w.mp4", out=tmp_path / "o"
    )
    assert places(found) == ["day/v.mp4", "day~2/v.mp4", "w.mp4", "w~2.mp4"]


def test_a_hidden_input_never_lands_on_the_outputs_own_state(tmp_path: Path) -> None:
    touch(tmp_path / ".vlmtl/v.mp4")
    touch(tmp_path / "b/v.mp4")
    assert places(find(tmp_path / ".vlmtl", tmp_path / "b", out=tmp_path / "out")) == [
        "vlmtl/v.mp4",
        "b/v.mp4",
    ]


def test_names_of_any_bytes_are_kept(tmp_path: Path) -> None:
    names = [
        " lead.mp4",
        "-rf.mp4",
        "new\nline.mp4",
        "concat:a|b.mp4",
        os.fsdecode(b"\xff\xfe.mp4"),
        "…é.mp4",
    ]
    for name in names:
        touch(tmp_path / "in" / name)
    found = find(tmp_path / "in", out=tmp_path / "out")
    assert sorted(places(found)) == sorted(names)
    assert all(s.path.exists() for s in found.sources)


def test_a_relative_input_with_dots_stays_below_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "in/v.mp4")
    (tmp_path / "work").mkdir()
    touch(tmp_path / "work/w.mp4")
    monkeypatch.chdir(tmp_path / "work")
    assert places(find("../in/../in", ".", out=Path("out"))) == ["in/v.mp4", "work/w.mp4"]
    assert places(find("..", out=Path("out"))) == ["in/v.mp4", "work/w.mp4"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.mp4", ["a.mp4"]),
        ("**/*.mp4", ["a.mp4", "d/b.mp4", "d/e/c.mp4"]),
        ("d/*", ["b.mp4", "e/c.mp4"]),
        ("?/e/*.mp4", ["d/e/c.mp4"]),
        ("d/*.dat", ["x.dat"]),
    ],
)
def test_globs(tmp_path: Path, pattern: str, expected: list[str]) -> None:
    for name in ("a.mp4", "d/b.mp4", "d/e/c.mp4", "d/x.dat"):
        touch(tmp_path / "in" / name)
    assert places(find(f"{tmp_path}/in/{pattern}", out=tmp_path / "out")) == expected


def test_a_file_whose_name_looks_like_a_glob_is_a_file(tmp_path: Path) -> None:
    touch(tmp_path / "[1].mp4")
    touch(tmp_path / "1.mp4")
    assert places(find(tmp_path / "[1].mp4", out=tmp_path / "out")) == ["[1].mp4"]


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (("*.mp4",), (), ["a.mp4", "old/b.mp4"]),
        ((), ("old",), ["a.mp4", "new/c.mkv"]),
        ((), ("old/**",), ["a.mp4", "new/c.mkv"]),
        (("new/*",), (), ["new/c.mkv"]),
        (("**/*.mp4",), ("a.*",), ["old/b.mp4"]),
    ],
)
def test_include_and_exclude(
    tmp_path: Path, include: tuple[str, ...], exclude: tuple[str, ...], expected: list[str]
) -> None:
    for name in ("a.mp4", "old/b.mp4", "new/c.mkv"):
        touch(tmp_path / "in" / name)
    how = InputSettings(include=include, exclude=exclude)
    assert places(find(tmp_path / "in", out=tmp_path / "out", how=how)) == expected


def test_limit_and_extensions(tmp_path: Path) -> None:
    for i in range(12):
        touch(tmp_path / f"in/v{i}.mp4")
    touch(tmp_path / "in/odd.xyz")
    assert places(find(tmp_path / "in", out=tmp_path / "o", how=InputSettings(limit=3))) == [
        "v0.mp4",
        "v1.mp4",
        "v2.mp4",
    ]
    assert places(find(tmp_path / "in", out=tmp_path / "o", how=InputSettings(extensions=("XYZ",)))) == [
        "odd.xyz"
    ]


def test_a_folder_that_cannot_be_listed_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may list every folder, so the system's refusal is put in by hand."""
    touch(tmp_path / "in/locked/v.mp4")
    touch(tmp_path / "in/w.mp4")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = find(tmp_path / "in", out=tmp_path / "out")
    assert places(found) == ["w.mp4"]
    assert "locked: may not be read" in found.problems[0].error.message


@pytest.mark.alone
def test_a_thousand_files_are_found_quickly(tmp_path: Path) -> None:
    for i in range(1000):
        touch(tmp_path / f"in/{i % 20}/v{i}.mp4")
    started = time.process_time()
    assert len(find(tmp_path / "in", out=tmp_path / "out").sources) == 1000
    assert time.process_time() - started < 0.5


part = st.text(alphabet=string.ascii_lowercase + " .~-\n\udcff", min_size=1, max_size=6).filter(
    lambda name: name not in (".", "..")
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trees=st.lists(st.lists(part, min_size=1, max_size=3), min_size=1, max_size=8), doubled=st.booleans())
def test_no_tree_leads_out_of_the_output_or_collides(
    tmp_path_factory: pytest.TempPathFactory, trees: list[list[str]], doubled: bool
) -> None:
    root = tmp_path_factory.mktemp("tree")
    for parts in trees:
        path = root.joinpath("in", *parts)
        if not any(p.is_file() for p in (path, *path.parents)) and not path.is_dir():
            touch(path.with_name(path.name + ".mp4"))
    inputs = [root / "in", *((root / "in").iterdir() if doubled and (root / "in").exists() else ())]
    found = find(*inputs, out=root / "out")
    relatives = places(found)
    assert len(set(relatives)) == len(relatives)
    for source in found.sources:
        assert not source.relative.is_absolute()
        assert ".." not in source.relative.parts
        assert not source.relative.parts[0].startswith(".vlmtl")


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("a/b/c", "**", True),
        ("a/b/c", "**/c", True),
        ("a/b/c", "a/**/c", True),
        ("a/c", "a/**/c", True),
        ("a/b/c", "a/*", False),
        ("a", "a/**", True),
        ("b", "a/**", False),
        ("a/b", "**/**/**/b", True),
        ("ab", "a?", True),
    ],
)
def test_patterns(path: str, pattern: str, expected: bool) -> None:
    assert matches_path(path.split("/"), pattern.split("/")) is expected


def test_patterns_without_a_slash_look_at_names() -> None:
    assert is_included(("d", "a.mp4"), ("*.mp4",))
    assert not is_included(("d.mp4", "a.mkv"), ("*.mp4",))
    assert is_excluded(("d", "sub", "a.mp4"), ("sub",))


def test_looking_for_files_loads_no_decoder() -> None:
    code = (
        "import sys, corridor_cli.media.discover, corridor_cli.media.fingerprint, corridor_cli.media.base\n"
        "print(sorted({'av', 'decord', 'numpy', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
