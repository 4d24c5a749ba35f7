"""What a sweep keeps while it runs, and what is made of a file that something happened to."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench_samples import failed_point

from corridor_cli.bench.store import PointStore
from corridor_cli.errors import UsageError

SETUP = {"points": ["batch 1", "batch 2"]}


def test_points_come_back_whatever_their_messages_hold(tmp_path: Path) -> None:
    store = PointStore(tmp_path, SETUP, is_resumed=False)
    # All of them end a line for Python, and none for JSON.
    points = [failed_point(1, "failed", "a\u2028b\x85c\x0bd"), failed_point(2, "failed", "ø\nnext")]
    for point in points:
        store.add(point, None)
    assert PointStore(tmp_path, SETUP, is_resumed=True).results == points


def test_a_file_that_found_no_room_for_its_first_line_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "points.jsonl").touch()
    PointStore(tmp_path, SETUP, is_resumed=False).add(failed_point(1, "failed", "x"), None)
    assert len(PointStore(tmp_path, SETUP, is_resumed=True).results) == 1


def test_bytes_that_are_no_text_cost_their_line_only(tmp_path: Path) -> None:
    store = PointStore(tmp_path, SETUP, is_resumed=False)
    store.add(failed_point(1, "failed", "x"), None)
    with (tmp_path / "points.jsonl").open("ab") as file:
        file.write(b"\xff\xfe\x00")
    again = PointStore(tmp_path, SETUP, is_resumed=True)
    assert again.results == store.results
    again.add(failed_point(2, "failed", "y"), None)
    assert len(PointStore(tmp_path, SETUP, is_resumed=True).results) == 2
    (tmp_path / "points.jsonl").write_bytes(b"\xff")
    with pytest.raises(UsageError, match="belongs to another sweep"):
        PointStore(tmp_path, SETUP, is_resumed=True)


def test_going_on_never_cuts_the_file_before_its_successor_is_whole(tmp_path: Path) -> None:
    store = PointStore(tmp_path, SETUP, is_resumed=False)
    store.add(failed_point(1, "failed", "x"), None)
    held = (tmp_path / "points.jsonl").open("rb")  # what a power cut would find while it is written anew
    PointStore(tmp_path, SETUP, is_resumed=True)
    assert held.read() == (tmp_path / "points.jsonl").read_bytes()
    held.close()
    assert [path.name for path in tmp_path.iterdir()] == ["points.jsonl"]
