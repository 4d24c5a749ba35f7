"""Tables of scenes: what pyarrow, csv and json read of them is what the timelines say.

The folder for `datasets` is read by pyarrow here: that library brings pandas and three others for one test.
Opened with it by hand (datasets 5.2.0), as docs/exports.md says, the folder gave rows and pictures.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from export_samples import HOSTILE, document, video
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corridor_cli.cuts.table import read_table
from corridor_cli.timeline.exports import parquet
from corridor_cli.timeline.exports.columns import COLUMNS, scene_rows
from corridor_cli.timeline.exports.document import Video, read_video
from corridor_cli.timeline.exports.plain import one_line
from corridor_cli.timeline.exports.registry import FORMATS, open_table, tables

NAMES = [column.name for column in COLUMNS]
TABLES = [each.name for each in tables(FORMATS.values())]
JPEG = b"\xff\xd8\xff\xe0 a picture \xff\xd9"
# What a document can hold: no lone surrogates.
TEXTS = st.lists(
    st.one_of(
        st.sampled_from([text for text in HOSTILE if text.isprintable() or "\ud800" not in text]),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
        st.text(st.sampled_from("=+-@\t\r\n,;\"' |a"), max_size=12),
    ),
    min_size=1,
    max_size=4,
)
FUZZ = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def written(name: str, videos: Sequence[Video], root: Path = Path("/nowhere")) -> bytes:
    stream = io.BytesIO()
    table = open_table(FORMATS[name])(stream, root)  # type: ignore[index]
    for each in videos:
        table.add(list(scene_rows(each)))
    table.close()
    return stream.getvalue()


def read_back(name: str, data: bytes) -> list[dict[str, Any]]:
    """The rows by the library for the format, not by ours."""
    if name in ("csv", "tsv"):
        dialect = "excel-tab" if name == "tsv" else "excel"
        return list(csv.DictReader(io.StringIO(data.decode(), newline=""), dialect=dialect))
    if name == "jsonl":
        return [json.loads(line) for line in data.decode().splitlines()]
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(data)).to_pylist()
    return rows


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_a_row_a_scene_and_every_column(name: str) -> None:
    rows = read_back(name, written(name, [video(["A car", None, ""]), video(["A tree"])]))
    extra = ["image"] if name == "hf" else []
    assert [list(row) for row in rows] == [extra + NAMES] * 4
    assert [row["caption"] or None for row in rows] == ["A car", None, None, "A tree"]
    assert [row["caption_status"] for row in rows] == ["success", "error", "empty", "success"]
    assert [row["caption_error"] or None for row in rows] == [None, "ModelError: out of memory", None, None]
    assert [int(row["index"]) for row in rows] == [0, 1, 2, 0]
    assert float(rows[1]["start"]) == 1.668333
    assert (rows[1]["start_timecode"], rows[1]["model"]) == ("00:00:01.668", "tiny")
    assert {row["path"] for row in rows} == {"/videos/clip.mp4"}
    assert {row["timeline"] for row in rows} == {"clip.mp4.timeline.json"}


def test_attributes_and_lists_are_told() -> None:
    found = document(["a"])
    attributes = dict.fromkeys(
        ("title", "action", "setting", "shot_type", "camera_movement", "on_screen_text")
    )
    found["scenes"][0]["attributes"] = attributes | {"title": "T", "subjects": ["a", "=b"], "tags": []}
    found["summary"] = {"title": "V", "synopsis": None, "tags": ["x"]}
    made = [read_video(json.dumps(found).encode(), "a/b")]
    row = read_back("parquet", written("parquet", made))[0]
    assert (row["title"], row["subjects"], row["tags"], row["video_tags"]) == ("T", ["a", "=b"], [], ["x"])
    row = read_back("csv", written("csv", made))[0]
    assert (row["subjects"], row["tags"], row["video_title"]) == ("a; =b", "", "V")


@given(texts=TEXTS)
@FUZZ
@pytest.mark.parametrize("name", ["jsonl", "parquet", "hf"])
def test_tables_for_programs_keep_every_character(name: str, texts: list[str]) -> None:
    rows = read_back(name, written(name, [video(texts)]))
    assert [row["caption"] for row in rows] == [text or None for text in texts]


@given(texts=TEXTS)
@FUZZ
@pytest.mark.parametrize("name", ["csv", "tsv"])
def test_no_cell_is_a_formula_and_no_row_is_broken(name: str, texts: list[str]) -> None:
    found = video(texts)
    found.fields["source"]["path"] = texts[0]
    data = written(name, [found])
    rows = read_back(name, data)
    assert len(rows) == len(texts)
    for row, text in zip(rows, texts, strict=True):
        assert all(not re.match(r"[=+\-@\t\r\n＝＋－＠]", cell) for cell in row.values())
        cell = row["caption"]
        is_guarded = cell.startswith("'") and not one_line(text).startswith("'")
        assert one_line(cell[is_guarded:]) == one_line(text)
        assert is_guarded == bool(re.match(r"[=+\-@＝＋－＠]", one_line(text)))
    if name == "tsv":  # and by the programs that know no quotes
        assert {line.count("\t") for line in data.decode().split("\n")[:-1]} == {len(NAMES) - 1}


def test_jsonl_is_one_line_a_row_for_every_reader() -> None:
    text = "a\u2028b\u2029c\x85d\x0be\u202ef"
    data = written("jsonl", [video([text])]).decode()
    assert data.count("\n") == len(data.splitlines()) == 1
    assert "\u202e" not in data
    assert json.loads(data)["caption"] == text


def test_lone_surrogates_harm_no_table() -> None:
    for name in ("csv", "tsv", "jsonl"):
        assert len(read_back(name, written(name, [video(["\ud800"])]))) == 1


def test_a_table_of_scenes_is_a_file_of_cuts() -> None:
    table = read_table(written("csv", [video(["=a", "b\nc"])]).decode(), "scenes.csv")
    assert [row.text for row in table.rows] == ["0.0", "1.668333"]
    assert table.paths == ["/videos/clip.mp4"] * 2


def test_parquet_has_types_and_bounded_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "GROUP_ROWS", 4)
    data = written("parquet", [video(["a", "b", "c"])] * 5)
    file = pq.ParquetFile(io.BytesIO(data))
    assert [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)] == [6, 6, 3]
    kinds = {"text": pa.string(), "whole": pa.int64(), "number": pa.float64(), "texts": pa.list_(pa.string())}
    assert {each.name: each.type for each in file.schema_arrow} == {c.name: kinds[c.kind] for c in COLUMNS}
    monkeypatch.setattr(parquet, "GROUP_CHARS", 100)
    monkeypatch.setattr(parquet, "GROUP_ROWS", 1000)
    file = pq.ParquetFile(io.BytesIO(written("parquet", [video(["x" * 60, "y" * 60])] * 3)))
    assert file.num_row_groups == 3


def test_the_dataset_holds_the_pictures_that_are_the_timelines_own(tmp_path: Path) -> None:
    own = "clip.mp4.frames/s0001-representative.jpg"
    found = video(["a", "b", "c", "d", "e"])
    for number, path in enumerate((own, "../secret.jpg", "/etc/passwd")):
        found.scenes[number]["frames"][1]["path"] = path
    for number in (3, 4):
        found.scenes[number]["frames"][1]["path"] = f"clip.mp4.frames/s{number + 1:04d}-representative.jpg"
    folder = tmp_path / "clip.mp4.frames"
    folder.mkdir()
    (tmp_path / own).write_bytes(JPEG)
    (tmp_path / "secret.jpg").write_bytes(JPEG)
    (folder / "s0004-representative.jpg").symlink_to(tmp_path / "secret.jpg")
    (folder / "s0005-representative.jpg").write_bytes(b"no picture")
    data = written("hf", [found], tmp_path)
    rows = read_back("hf", data)
    assert [row["image"] for row in rows] == [{"bytes": JPEG, "path": own}, None, None, None, None]
    features = json.loads(pq.ParquetFile(io.BytesIO(data)).schema_arrow.metadata[b"huggingface"])
    assert list(features["info"]["features"]) == ["image", *NAMES]
    assert features["info"]["features"]["image"] == {"_type": "Image"}


def test_a_pipe_in_place_of_a_picture_is_not_waited_for(tmp_path: Path) -> None:
    import os

    folder = tmp_path / "clip.mp4.frames"
    folder.mkdir()
    os.mkfifo(folder / "s0001-representative.jpg")
    found = video(["a"])
    found.scenes[0]["frames"][1]["path"] = "clip.mp4.frames/s0001-representative.jpg"
    assert read_back("hf", written("hf", [found], tmp_path))[0]["image"] is None
