"""Whether a source needs work, told from its committed document alone and fast.

A document of an hour is megabytes; only its head and its provenance are looked at, in the form `schema.py`
writes. One that a person has reformatted is parsed whole.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corridor_cli.settings import Settings
from corridor_cli.telemetry import VideoState
from corridor_cli.timeline.commit import storage_error
from corridor_cli.timeline.keys import pictures_label, pictures_note
from corridor_cli.timeline.layout import OutputLayout
from corridor_cli.timeline.schema import SCHEMA_NAME

_HEAD = re.compile(
    rb'\{\s*"schema": "' + re.escape(SCHEMA_NAME).encode("ascii") + rb'",\s*"status": "([a-z]+)",'
)
_PROVENANCE = b'"provenance": '
_decoder = json.JSONDecoder()


def existing(
    layout: OutputLayout,
    relative: str,
    settings: Settings,
    *,
    scan_key: str,
    caption_key: str,
    transcript: str | None = None,
) -> VideoState:
    """What stands in OUTPUT for the source whose keys these are, and whose transcript has this mark. Raises
    `StorageError`."""
    timeline, failed = _look(layout.timeline(relative)), _look(layout.failed(relative))
    is_whole = timeline and _has_its_pictures(timeline, layout.pictures_made_for(relative))
    if timeline and is_whole and timeline.is_for(scan_key, caption_key, settings, transcript):
        return "done" if timeline.status == "complete" else "partial"
    # A failure is the source's: another prompt or model does not change it.
    if failed and failed.status == "failed" and failed.provenance.get("scan_key") == scan_key:
        return "failed"
    return "stale" if timeline or failed else "new"


@dataclass(frozen=True, slots=True)
class _Glance:
    status: str
    provenance: dict[str, Any]

    def is_for(self, scan_key: str, caption_key: str, settings: Settings, transcript: str | None) -> bool:
        """Whether this is a timeline of these keys, with the pictures, summary and transcript wanted."""
        found, asked = self.provenance, settings.caption
        if asked.transcripts is not None and found.get("transcript") != transcript:
            return False
        if asked.summary and not found.get("summary"):
            return False
        return (
            self.status in ("complete", "partial")
            and (found.get("scan_key"), found.get("caption_key")) == (scan_key, caption_key)
            and (settings.frames.save == "none" or found.get("pictures") == pictures_label(settings.frames))
        )


def _has_its_pictures(found: _Glance, note: Path) -> bool:
    """Whether the pictures beside the document are still those of its scan, in its size.

    Without a note nobody has touched them: the run state may be thrown away.
    """
    label = found.provenance.get("pictures")
    try:
        return label == "none" or note.read_bytes() == pictures_note(
            str(found.provenance.get("scan_key")), str(label)
        )
    except FileNotFoundError:
        return True
    except OSError as error:
        raise storage_error(error, "read", note) from error


def _look(path: Path) -> _Glance | None:
    """The document's status and provenance: None when there is no file, empty when it cannot be read."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_error(error, "read", path) from error
    try:
        return _glance(data) or _parse(data)
    except (ValueError, KeyError, TypeError, RecursionError):
        return _Glance("", {})


def _glance(data: bytes) -> _Glance | None:
    head = _HEAD.match(data)
    # No string of a document holds this text (quotes are escaped), and no field before it has free names.
    place = data.find(_PROVENANCE)
    if head is None or place < 0 or not data.endswith(b"}\n"):
        return None
    provenance, _ = _decoder.raw_decode(data[place + len(_PROVENANCE) :].decode("utf-8"))
    return _Glance(head[1].decode("ascii"), dict(provenance))


def _parse(data: bytes) -> _Glance:
    document = json.loads(data)
    is_ours = document["schema"] == SCHEMA_NAME
    return _Glance(str(document["status"]) if is_ours else "", dict(document["provenance"]))
