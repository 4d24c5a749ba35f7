"""The document `vlmtl.timeline/1` as a whole: checked, read, written, and described as JSON Schema."""

from __future__ import annotations

import re
from typing import Any, Final, Self

from pydantic import model_validator

from corridor_cli.timeline.invariants import InvariantError, find_problems
from corridor_cli.timeline.parts import Document

SCHEMA_NAME: Final = "vlmtl.timeline/1"

_UNSEEN = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


class Timeline(Document):
    """The document of one video: complete, partial (damaged media or a failed caption) or failed (no scenes).

    Scenes are sorted, touch, and cover the whole duration from 0.
    """

    @model_validator(mode="after")
    def _check_invariants(self) -> Self:
        if problems := list(find_problems(self)):
            raise InvariantError(problems)
        return self


def timeline_json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the document, made from the code."""
    schema = Timeline.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_NAME, **schema}


def timeline_bytes(timeline: Timeline, *, indent: int) -> bytes:
    """The document as UTF-8 JSON, `indent` spaces a level (0: one line), a newline at the end.

    Control and direction characters, which a terminal would obey or hide, are written as escapes.
    """
    # By pydantic: json.dumps indents in Python, ten times slower, and main does this beside a busy engine.
    text = timeline.model_dump_json(by_alias=True, indent=indent or None)
    return f"{escape_unseen(text)}\n".encode()


def escape_unseen(text: str) -> str:
    """JSON text with those characters of its strings as escapes."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def read_timeline(data: bytes) -> Timeline:
    """The document in `data`. Raises pydantic's `ValidationError`, a `ValueError`."""
    return Timeline.model_validate_json(data)
