"""Whether a source needs work, told from its committed document alone and fast.

A document of an hour is megabytes; only its head and its provenance are looked at, in the form `schema.py`
writes. One that a person has reformatted is parsed whole.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from corridor_cli.settings import Settings
from corridor_cli.timeline.commit import storage_error
from corridor_cli.timeline.keys import pictures_label, pictures_note
from corridor_cli.timeline.layout import OutputLayout
from corridor_cli.timeline.schema import SCHEMA_NAME

_HEAD = re.compile(
    rb'\{\s*"schema": "' + re.escape(SCHEMA_NAME).encode("ascii") + rb'",\s*"status": "([a-z]+)",'
)
_PROVENANCE = b'"provenance": '
_decoder = json.JSONDecoder()


class State(StrEnum):
    """What stands in OUTPUT for a source."""

    NEW = "new"
    DONE = "done"
    PARTIAL = "partial"
    FAILED = "failed"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Existing:
    """What stands in OUTPUT, and why it counts as that. Partial and failed wait for `--retry-failed`."""

    state: State
    reason: str


def existing(
    layout: OutputLayout, relative: str, settings: Settings, *, scan_key: str, caption_key: str
) -> Existing:
    """What stands in OUTPUT for the source whose keys these are. Raises `StorageError`."""
    stale = None
    if found := _look(layout.timeline(relative)):
        stale = _why_stale(found, settings, scan_key, caption_key)
        if stale is None and not _has_its_pictures(found, layout.pictures_made_for(relative)):
            stale = "its pictures were being replaced when a run was stopped"
        if stale is None and found.status == "complete":
            return Existing(State.DONE, "the timeline is complete")
        if stale is None and found.status == "partial":
            return Existing(State.PARTIAL, "the timeline is partial")
    # A failure is the source's: another prompt or model does not change it.
    if found := _look(layout.failed(relative)):
        if found.status == "failed" and found.provenance.get("scan_key") == scan_key:
            return Existing(State.FAILED, "the source failed before")
        stale = stale or "the source, or a setting of scenes or frames, has changed"
    return Existing(State.NEW, "nothing is there yet") if stale is None else Existing(State.STALE, stale)


@dataclass(frozen=True, slots=True)
class _Glance:
    status: str
    provenance: dict[str, Any]


def _why_stale(found: _Glance, settings: Settings, scan_key: str, caption_key: str) -> str | None:
    provenance = found.provenance
    if found.status not in ("complete", "partial"):
        return "the document cannot be read"
    if provenance.get("scan_key") != scan_key:
        return "the source, or a setting of scenes or frames, has changed"
    if provenance.get("caption_key") != caption_key:
        return "the model, the prompt, or a setting of captions has changed"
    if settings.frames.save != "none" and provenance.get("pictures") != pictures_label(settings.frames):
        return "pictures are to be saved in another size"
    return None


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
