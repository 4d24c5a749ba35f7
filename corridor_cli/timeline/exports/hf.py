"""A folder that `datasets.load_dataset` opens: Parquet with the pictures inside, and a dataset card.

The columns are those of every table, and `image`: the saved picture of the scene's representative frame,
where there is one. The schema's metadata tells `datasets` that these bytes are pictures.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from corridor_cli.small_files import SmallFileError, read_small_file
from corridor_cli.timeline.exports.columns import COLUMNS, Row, Value
from corridor_cli.timeline.exports.parquet import SCHEMA, columns_of

GROUP_ROWS = 1000
GROUP_BYTES = 32 * 1024 * 1024
"""What is held in memory, and what a reader takes at once."""
MAX_PICTURE_BYTES = 64 * 1024 * 1024
_PICTURE = next(place for place, column in enumerate(COLUMNS) if column.name == "representative_picture")
_START_OF_JPEG = b"\xff\xd8\xff"

_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_DTYPES = {"text": "string", "whole": "int64", "number": "float64"}


def features() -> dict[str, Any]:
    """The columns as `datasets` names their types."""
    found: dict[str, Any] = {"image": {"_type": "Image"}}
    for column in COLUMNS:
        if column.kind == "texts":
            found[column.name] = {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"}
        else:
            found[column.name] = {"dtype": _DTYPES[column.kind], "_type": "Value"}
    return found


class DatasetTable:
    """The Parquet file of the folder."""

    def __init__(self, stream: BinaryIO, root: Path) -> None:
        self._root = root
        note = json.dumps({"info": {"features": features()}})
        self._schema = pa.schema([("image", _IMAGE), *SCHEMA], metadata={"huggingface": note})
        self._writer = pq.ParquetWriter(stream, self._schema, compression="zstd")
        self._rows: list[Row] = []
        self._images: list[dict[str, Any] | None] = []
        self._num_bytes = 0

    def add(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._rows.append(row)
            self._images.append(self._image(row[_PICTURE]))
            if len(self._rows) >= GROUP_ROWS or self._num_bytes >= GROUP_BYTES:
                self._end_group()

    def close(self) -> None:
        if self._rows:
            self._end_group()
        self._writer.close()

    def _image(self, path: Value) -> dict[str, Any] | None:
        """The picture at that path below OUTPUT, which `PicturePaths` found to be the timeline's own."""
        data = _read_picture(self._root / path) if isinstance(path, str) else None
        self._num_bytes += len(data or b"")
        return {"bytes": data, "path": path} if data else None

    def _end_group(self) -> None:
        arrays = [pa.array(self._images, _IMAGE), *columns_of(self._rows)]
        self._writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._rows.clear()
        self._images.clear()
        self._num_bytes = 0


def _read_picture(path: Path) -> bytes | None:
    """The picture; None where it is gone, or is no JPEG of ours: no link is followed, no pipe waited for."""
    try:
        data = read_small_file(path, MAX_PICTURE_BYTES, follows_link=False)
    except SmallFileError:
        return None
    return data if data.startswith(_START_OF_JPEG) else None


CARD = """---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/scenes.parquet
task_categories:
- image-to-text
- video-classification
tags:
- video
- captions
- scenes
---

# Scenes of videos with captions

Written by `vlmtl export --format hf`. A row is a scene: the run of frames between two cuts.

```python
from datasets import load_dataset

scenes = load_dataset("path/to/this/folder", split="train")
scenes[0]["image"], scenes[0]["caption"]
```

`image` is the saved picture of the scene's representative frame and null where none was saved, `caption` is
null where there is none, and `caption_status` says why. Times are seconds from the first frame of the video.
`model`, `prompt_sha256` and `caption_key` say what wrote the captions.

The captions were made by a model and have not been checked by anybody. Whether the pictures and what is seen
on them may be passed on is for their owner to say: state the licence here before you publish this folder.
"""


def render_card() -> bytes:
    """The dataset card, `README.md`; it names the data file, so nothing else here is taken for data."""
    return CARD.encode()
