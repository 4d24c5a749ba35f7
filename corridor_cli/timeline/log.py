"""The caption log: what the model has answered for one `caption_key`, so that it is never asked again.

One line a record, appended: the CRC-32 of the rest, a space, JSON in ASCII. A line that is torn or damaged
counts for nothing and harms no other: a reader skips it, and a writer that finds or leaves an unfinished line
starts a new one. One line says which model answers, so that a run with nothing left to ask need not load it.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

from corridor_cli.records import Caption, ErrorInfo, RequestKey, Role
from corridor_cli.timeline.commit import make_folder, storage_error, sync_folder, write_all
from corridor_cli.timeline.parts import Model

Reuse = Literal["all", "good", "none"]
Place = tuple[int, Role | None]
K = TypeVar("K")

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


class CaptionLog:
    """The log of one video: what is known, and a place to append what comes.

    The file is open only while it is read or appended to: a run with a slow model and short videos has more
    of them under way than the 1,024 files a process may usually open.

    `captions` holds the known ones by (scene index, role; None for the scene as a whole), `summary` the steps
    of the video's summary by name, `model` who wrote them, once it is known. `reuse`
    says what counts as known: `all` (resume), `good` (failed ones are asked again: `--retry-failed`), `none`
    (the log starts anew: `--force`). A text beats an error; among equals the first stands.
    Raises `StorageError`.
    """

    def __init__(self, path: Path, video: int, *, reuse: Reuse = "all", fsync: bool) -> None:
        self.captions: dict[Place, Caption] = {}
        self.summary: dict[str, Caption] = {}
        self.model: Model | None = None
        self._path = path
        self._video = video
        self._fsync = fsync
        make_folder(path.parent, fsync=fsync)
        try:
            self._make(is_empty=reuse == "none")
        except OSError as error:
            raise storage_error(error, "open", path) from error
        try:
            self._needs_newline = self._load(reuse)
        except OSError as error:
            raise storage_error(error, "read", path) from error

    def append(self, caption: Caption) -> None:
        """Add a caption, errors included, and sync it when asked to. Raises `StorageError`."""
        self._append({"caption": _encode_caption(caption)})
        self._learn(caption, reuse="all")

    def append_model(self, model: Model) -> None:
        """Say which model answers, once; later calls change nothing. Raises `StorageError`."""
        if self.model is None:
            self._append({"model": model.model_dump()})
            self.model = model

    def _make(self, *, is_empty: bool) -> None:
        is_new = not self._path.exists()
        os.close(os.open(self._path, _FLAGS | (os.O_TRUNC if is_empty else 0), 0o666))
        if is_new and self._fsync:
            sync_folder(self._path.parent)

    def _load(self, reuse: Reuse) -> bool:
        """Learn what stands in the file; whether its last line is unfinished."""
        data = self._path.read_bytes()
        for payload in _payloads(data):
            record = _decode(payload, self._video)
            if isinstance(record, Model):
                self.model = self.model or record
            elif record is not None:
                self._learn(record, reuse)
        return bool(data) and not data.endswith(b"\n")

    def _learn(self, caption: Caption, reuse: Reuse) -> None:
        if caption.error is not None and reuse == "good":
            return
        if caption.key.part:
            _keep_better(self.summary, caption.key.part, caption)
        else:
            _keep_better(self.captions, (caption.key.scene, caption.key.role), caption)

    def _append(self, record: dict[str, object]) -> None:
        payload = json.dumps(record).encode("ascii")
        line = b"%08x %s\n" % (zlib.crc32(payload), payload)
        if self._needs_newline:
            line = b"\n" + line
        try:
            descriptor = os.open(self._path, _FLAGS, 0o666)
            try:
                self._needs_newline = True  # until the whole line is out
                write_all(descriptor, line)
                self._needs_newline = False
                if self._fsync:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise storage_error(error, "append to", self._path) from error


def _keep_better(known: dict[K, Caption], key: K, caption: Caption) -> None:
    before = known.get(key)
    if before is None or (before.error is not None and caption.error is None):
        known[key] = caption


def known_captions(path: Path, video: int) -> dict[Place, Caption]:
    """What the log at `path` knows, read without making or changing it: nothing where there is none, or where
    the model that answered is not known. Raises `StorageError`."""
    if not path.exists():
        return {}
    try:
        records = [_decode(payload, video) for payload in _payloads(path.read_bytes())]
    except OSError as error:
        raise storage_error(error, "read", path) from error
    if not any(isinstance(record, Model) for record in records):
        return {}
    captions = [record for record in records if isinstance(record, Caption) and not record.key.part]
    return {(caption.key.scene, caption.key.role): caption for caption in captions}


def _payloads(data: bytes) -> Iterator[bytes]:
    """The undamaged payloads, in order. An unfinished last line counts when its checksum holds."""
    for line in data.split(b"\n"):
        checksum, _, payload = line.partition(b" ")
        if len(checksum) == 8 and checksum == b"%08x" % zlib.crc32(payload):
            yield payload


def _encode_caption(caption: Caption) -> dict[str, object]:
    error, role = caption.error, caption.key.role
    return {
        "scene": caption.key.scene,
        "role": role and role.value,
        **({"part": caption.key.part} if caption.key.part else {}),
        "text": caption.text,
        "prompt_tokens": caption.prompt_tokens,
        "output_tokens": caption.output_tokens,
        "finish_reason": caption.finish_reason,
        "error": error and {"stage": error.stage, "type": error.type, "message": error.message},
        **({"retry_of": caption.retry_of} if caption.retry_of else {}),
    }


def _decode(payload: bytes, video: int) -> Caption | Model | None:
    """The record in a payload whose checksum holds; None for a kind that another version wrote."""
    try:
        record: dict[str, Any] = json.loads(payload)
        if "model" in record:
            return Model.model_validate(record["model"])
        fields = record["caption"]
        error, role = fields["error"], fields["role"]
        return Caption(
            key=RequestKey(video, fields["scene"], role and Role(role), fields.get("part", "")),
            text=fields["text"],
            prompt_tokens=fields["prompt_tokens"],
            output_tokens=fields["output_tokens"],
            finish_reason=fields["finish_reason"],
            error=None if error is None else ErrorInfo(**error),
            retry_of=fields.get("retry_of"),
        )
    except (ValueError, KeyError, TypeError):
        return None
