"""A sweep whose folder fills up or cannot be written: what is told, what is kept, and what helps."""

from __future__ import annotations

import json
import os
import re
import resource
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bench_samples import failed_point

from corridor_cli.bench.document import PointResult
from corridor_cli.bench.going_on import resume_command
from corridor_cli.bench.store import PointStore
from corridor_cli.errors import ExitCode, StorageError

ROOT = Path(__file__).parents[2]
SETUP = {"points": ["batch 1", "batch 2"]}
SWEEP = "bench --engine echo --batch-sizes 1,2,4,8,16 --frames 1 --tiles 1 --output-tokens 8 --seconds 0"


def point(batch_size: int) -> PointResult:
    return failed_point(batch_size, "failed", "because " * 20)


@contextmanager
def largest_file(num_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def on_a_small_disk(folder: Path, script: str) -> list[str]:
    """What a shell prints that has a disk of 64 KiB at `folder`, which nobody else sees."""
    if subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("no disk can be mounted here")
    folder.mkdir()
    where = shlex.quote(str(folder))
    begin = f"mount -t tmpfs -o size=64k tmpfs {where} && cd {where}\n"
    begin += f'vlmtl() {{ {shlex.quote(sys.executable)} -m corridor_cli "$@" 2>&1; echo ended $?; }}\n'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", begin + script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return done.stdout.splitlines()


def test_a_disk_that_fills_up_keeps_points_and_names_the_command_that_goes_on(tmp_path: Path) -> None:
    # A page has room for the first line and a point or two; five have it for all points, not for the results.
    lines = on_a_small_disk(
        tmp_path / "disk",
        f"dd if=/dev/zero of=fill bs=4k count=15 2>&-; mkdir o; vlmtl {SWEEP} --out o\n"
        f"echo ----; vlmtl {SWEEP} --out o; rm fill\n"
        f"dd if=/dev/zero of=fill bs=4k count=10 2>&-; echo ----; vlmtl {SWEEP} --out o --resume\n"
        f"mount -o remount,size=1m . ; echo ----; vlmtl {SWEEP} --out o --resume --json",
    )
    full, anew, short, whole = (part.splitlines() for part in "\n".join(lines).split("----\n"))

    assert full[-1] == f"ended {ExitCode.STORAGE}"
    told = re.fullmatch(
        r"vlmtl: error: o/points\.jsonl cannot be written: No space left on device\. "
        r"(\d) of 5 points are kept in o\.",
        full[-3],
    )
    assert told, full
    num_kept = int(told[1])
    assert 1 <= num_kept < 5
    assert full[-2] == f"Free some space there. Then `vlmtl {SWEEP} --out o --resume` measures the rest."

    assert anew[-1] == f"ended {ExitCode.USAGE}", "without --resume no kept point is measured again"
    assert "--resume" in anew[-2]

    assert f"{num_kept} points were measured before; {5 - num_kept} are left" in short
    assert short[-1] == f"ended {ExitCode.STORAGE}"
    assert not any("run the same command again" in line for line in short)
    (sentence,) = [line for line in short if "of the results could not be written" in line]
    assert "The points (5) are kept in o/points.jsonl" in sentence
    assert f"`vlmtl {SWEEP} --out o --resume` writes the results and measures no point again" in sentence
    assert any(line.split()[:4] == ["batch", "frames", "tiles", "tokens"] for line in short), (
        "figures are told"
    )

    assert "5 points were measured before; 0 are left" in whole
    document = json.loads(next(line for line in whole if line.startswith("{")))
    assert document["is_complete"]


def test_a_disk_that_is_read_only_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    lines = on_a_small_disk(
        tmp_path / "disk",
        f"vlmtl {SWEEP} --out o > /dev/null; mount -o remount,ro . ; vlmtl {SWEEP} --out o --resume\n"
        f"echo ----; vlmtl {SWEEP} --out other",
    )
    resumed, new = (part.splitlines() for part in "\n".join(lines).split("----\n"))
    assert resumed == [
        "vlmtl: error: Results cannot be kept in o: Read-only file system. Its 5 points are kept.",
        "Make it one that can be written to, then run the same command again.",
        f"ended {ExitCode.STORAGE}",
    ]
    assert new == [
        "vlmtl: error: Results cannot be kept in other: Read-only file system.",
        "Give another folder with --out.",
        f"ended {ExitCode.STORAGE}",
    ]


@pytest.mark.parametrize("room", [0, 1, 100])
def test_a_point_that_finds_no_room_is_the_only_one_lost(room: int, tmp_path: Path) -> None:
    store = PointStore(tmp_path, SETUP, is_resumed=False)
    store.add(point(1), None)
    path = tmp_path / "points.jsonl"
    with (
        largest_file(path.stat().st_size + room),
        pytest.raises(StorageError, match="cannot be written: File too large"),
    ):
        store.add(point(2), None)
    assert store.results == [point(1)], "what is not on disk is not called kept"
    again = PointStore(tmp_path, SETUP, is_resumed=True)
    assert again.results == [point(1)]
    again.add(point(2), None)
    assert PointStore(tmp_path, SETUP, is_resumed=True).results == [point(1), point(2)]


@pytest.mark.parametrize("room", [0, 1, 20])
def test_a_first_line_that_was_cut_off_is_no_other_sweep(room: int, tmp_path: Path) -> None:
    with largest_file(room), pytest.raises(StorageError, match="Results cannot be kept"):
        PointStore(tmp_path, SETUP, is_resumed=False)
    PointStore(tmp_path, SETUP, is_resumed=False).add(point(1), None)
    assert PointStore(tmp_path, SETUP, is_resumed=True).results == [point(1)]


def test_a_sweep_with_nothing_to_mend_is_read_where_nothing_more_fits(tmp_path: Path) -> None:
    store = PointStore(tmp_path, SETUP, is_resumed=False)
    store.add(point(1), None)
    before = (tmp_path / "points.jsonl").stat()
    with largest_file(0):
        assert PointStore(tmp_path, SETUP, is_resumed=True).results == [point(1)]
    assert (tmp_path / "points.jsonl").stat().st_ino == before.st_ino


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("vlmtl bench", "vlmtl bench --out 'a b' --resume"),
        ("vlmtl bench --out mine", "vlmtl bench --out mine --resume"),
        ("vlmtl bench --out=mine --resume", "vlmtl bench --out=mine --resume"),
        ("vlmtl bench --frames 1 -- -odd.mp4", "vlmtl bench --frames 1 --out 'a b' --resume -- -odd.mp4"),
    ],
)
def test_the_command_that_goes_on(command: str, expected: str) -> None:
    assert resume_command(command.split(), Path("a b")) == expected
