"""What a committed document says of itself, without reading its scenes.

A document of an hour is megabytes; only its head, its errors and its provenance are looked at, in the form
`schema.py` writes. One that a person has reformatted is parsed whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corridor_cli.timeline.commit import storage_error
from corridor_cli.timeline.schema import SCHEMA_NAME

_HEAD = re.compile(
    rb'\{\s*"schema": "' + re.escape(SCHEMA_NAME).encode("ascii") + rb'",\s*"status": "([a-z]+)",'
    rb'\s*"source": '
)
_SUMMARY, _ERRORS, _PROVENANCE = b'"summary": ', b'"errors": ', b'"provenance": '
_decoder = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Glance:
    """Some parts of a document, as JSON values; the status is empty where it is no document of ours."""

    status: str = ""
    source: Mapping[str, Any] = field(default_factory=dict)
    errors: Sequence[Mapping[str, Any]] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_readable(self) -> bool:
        return bool(self.status)


def glance_at(path: Path) -> Glance | None:
    """What the document at `path` says: None when there is no file, nothing when it cannot be understood.

    Raises `StorageError`.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_error(error, "read", path) from error
    try:
        return _glance(data) or _parse(data)
    except (ValueError, KeyError, TypeError, RecursionError):
        return Glance()


def _glance(data: bytes) -> Glance | None:
    head = _HEAD.match(data)
    # No string of a document holds these texts (quotes are escaped), and no field before them has free names.
    provenance = data.find(_PROVENANCE)
    if head is None or provenance < 0 or not data.endswith(b"}\n"):
        return None
    summary, errors = data.find(_SUMMARY, head.end()), data.rfind(_ERRORS, 0, provenance)
    if summary < 0 or errors < 0:
        return None
    return Glance(
        head[1].decode("ascii"),
        dict(_value(data[head.end() : summary])),
        tuple(map(dict, _value(data[errors + len(_ERRORS) : provenance]))),
        dict(_value(data[provenance + len(_PROVENANCE) :])),
    )


def _value(data: bytes) -> Any:
    """The JSON value that the data begins with."""
    return _decoder.raw_decode(data.decode("utf-8"))[0]


def _parse(data: bytes) -> Glance:
    document = json.loads(data)
    if document["schema"] != SCHEMA_NAME:
        return Glance()
    return Glance(
        str(document["status"]),
        dict(document["source"]),
        tuple(map(dict, document["errors"])),
        dict(document["provenance"]),
    )
