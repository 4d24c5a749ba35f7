"""A scan record comes back exactly as it went, or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from timeline_samples import DAMAGED, INFO, READER, pick, record, scan_end, scene_frames

from corridor_cli.errors import StorageError
from corridor_cli.records import ErrorInfo, ReaderChoice, Role
from corridor_cli.timeline.scan_record import ScanRecord, load_scan, save_scan


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.from_type(ScanRecord))
def test_any_record_comes_back_as_it_went(tmp_path_factory: pytest.TempPathFactory, scan: ScanRecord) -> None:
    path = tmp_path_factory.mktemp("scan") / "ab" / "record.json"
    save_scan(path, scan, fsync=False)
    assert load_scan(path) == scan


def test_times_are_exact_text(tmp_path: Path) -> None:
    save_scan(tmp_path / "record", record(DAMAGED), fsync=True)
    fields = json.loads((tmp_path / "record").read_bytes())["record"]
    assert fields["duration"] == "1001/240"
    assert fields["info"]["frame_rate"] == "24000/1001"
    assert fields["error"]["type"] == "DecodeError"
    assert load_scan(tmp_path / "record") == record(DAMAGED)


def test_a_damaged_byte_makes_it_none_and_never_lies(tmp_path: Path) -> None:
    path = tmp_path / "record"
    save_scan(path, record(), fsync=False)
    data = path.read_bytes()
    for place in range(0, len(data) - 1, 7):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x15]) + data[place + 1 :])
        assert load_scan(path) is None
        path.write_bytes(data[:place])
        assert load_scan(path) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"format": "vlmtl.scan/1", "crc32": 0, "record": null}',
        b'{"format": "vlmtl.scan/1", "crc32": 2745614147, "record": {}}',
        b'{"format": "vlmtl.scan/2", "crc32": 2745614147, "record": {}}',
    ],
)
def test_a_foreign_record_is_none(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "record").write_bytes(data)
    assert load_scan(tmp_path / "record") is None


def test_a_record_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert load_scan(tmp_path / "missing") is None
    assert load_scan(tmp_path) is None


def test_saving_over_something_else_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="Cannot write"):
        save_scan(tmp_path, record(), fsync=False)


def test_names_that_are_not_utf8_in_warnings_come_back_equal(tmp_path: Path) -> None:
    reader = ReaderChoice("pyav", "r\udcff", ("decord: cannot open a\udcff",))
    end = replace(
        scan_end(ErrorInfo("decode", "DecodeError", "\udcff")), reader=reader, warnings=("w\udcff",)
    )
    info = replace(INFO, warnings=("i\udcff",))
    scan = ScanRecord.from_scan(info, READER, [scene_frames(0, 0, 100, pick(Role.FIRST, 0))], end)
    save_scan(tmp_path / "record", scan, fsync=False)
    assert load_scan(tmp_path / "record") == scan
    assert (scan.reader.reason, scan.warnings, scan.info.warnings) == (
        "r\\xff",
        ("w\\xff",),
        ("i\\xff",),
    )


def test_a_scan_that_left_out_a_scene_is_our_bug() -> None:
    with pytest.raises(AssertionError, match="every scene"):
        ScanRecord.from_scan(INFO, READER, [scene_frames(1, 0, 100, pick(Role.FIRST, 0))], scan_end())
