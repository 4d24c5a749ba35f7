"""A file is recognised by its fingerprint, and only itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from corridor_cli.errors import UnreadableError
from corridor_cli.media.fingerprint import EDGE_BYTES, fingerprint

SIZE = 3 * EDGE_BYTES


def written(path: Path, data: bytes, mtime_ns: int = 1_700_000_000_000_000_000) -> Path:
    path.write_bytes(data)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


def test_it_survives_a_move_and_shows_size_and_time(tmp_path: Path) -> None:
    first = written(tmp_path / "a.mp4", bytes(SIZE))
    before = fingerprint(first, full=False)
    assert before.startswith(f"v1:{SIZE}:1700000000000000000:")
    assert fingerprint(first.rename(tmp_path / "b.mkv"), full=False) == before


@pytest.mark.parametrize("at", [0, EDGE_BYTES - 1, SIZE - EDGE_BYTES, SIZE - 1])
def test_an_edit_at_either_end_is_noticed(tmp_path: Path, at: int) -> None:
    data = bytearray(SIZE)
    before = fingerprint(written(tmp_path / "a", bytes(data)), full=False)
    data[at] ^= 1
    assert fingerprint(written(tmp_path / "a", bytes(data)), full=False) != before


def test_only_the_full_hash_notices_an_edit_in_the_middle(tmp_path: Path) -> None:
    data = bytearray(SIZE)
    path = written(tmp_path / "a", bytes(data))
    quick, full = fingerprint(path, full=False), fingerprint(path, full=True)
    data[SIZE // 2] ^= 1
    written(path, bytes(data))
    assert fingerprint(path, full=False) == quick
    assert fingerprint(path, full=True) != full
    assert full.startswith("v1f:")


@pytest.mark.parametrize("size", [1, EDGE_BYTES, EDGE_BYTES + 1, 2 * EDGE_BYTES - 1])
def test_short_files_count_every_byte(tmp_path: Path, size: int) -> None:
    before = fingerprint(written(tmp_path / "a", bytes(size)), full=False)
    assert fingerprint(written(tmp_path / "a", bytes(size - 1) + b"x"), full=False) != before


def test_a_touched_file_is_another(tmp_path: Path) -> None:
    before = fingerprint(written(tmp_path / "a", b"x"), full=False)
    assert fingerprint(written(tmp_path / "a", b"x", mtime_ns=1), full=False) != before


def test_what_cannot_be_read_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty.mp4").touch()
    os.mkfifo(tmp_path / "fifo.mp4")
    for name, words in (
        ("empty.mp4", "is empty (0 bytes)"),
        ("fifo.mp4", "is a FIFO"),
        ("none.mp4", "does not exist"),
        ("", "is a folder"),
    ):
        with pytest.raises(UnreadableError) as caught:
            fingerprint(tmp_path / name, full=False)
        assert words in caught.value.message
        assert "\n" not in str(caught.value)

    # Root may read every file, so the system's refusal is put in by hand.
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(UnreadableError, match="may not be read"):
        fingerprint(tmp_path / "locked.mp4", full=False)


def test_a_name_with_a_newline_stays_on_one_line(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError) as caught:
        fingerprint(tmp_path / "a\nb\udcff.mp4", full=False)
    assert "a\\nb\\xff.mp4: does not exist" in caught.value.message
