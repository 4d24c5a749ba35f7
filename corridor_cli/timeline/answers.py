"""What a model's answer is worth: its text, its fields, and what is wrong with it.

The same judgement decides whether a request is asked again, and what stands in the document.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from corridor_cli.printable import encodable
from corridor_cli.records import Caption, FinishReason
from corridor_cli.settings import CaptionSettings
from corridor_cli.timeline.parts import Attributes, CaptionError, CaptionStatus
from corridor_cli.timeline.text import caption_text, is_echo, is_repetitive, unfinished_text

_MAX_ITEMS = 12
_LINE: dict[str, Any] = {"type": "string", "maxLength": 300}
_LIST: dict[str, Any] = {
    "type": "array",
    "items": {"type": "string", "maxLength": 80},
    "maxItems": _MAX_ITEMS,
}

_FIELDS: dict[str, dict[str, Any]] = {
    "description": {"type": "string", "minLength": 1, "maxLength": 2000},
    "title": _LINE,
    "subjects": _LIST,
    "action": _LINE,
    "setting": _LINE,
    "shot_type": _LINE,
    "camera_movement": _LINE,
    "on_screen_text": _LINE,
    "tags": _LIST,
}

# The description comes first: of an answer that is cut off it is the part worth keeping.
JSON_SCHEMA = json.dumps(
    {"type": "object", "properties": _FIELDS, "required": list(_FIELDS), "additionalProperties": False}
)
JSON_REQUEST = (
    " Answer with one JSON object: description (what was asked), title, subjects (a list), action, setting, "
    "shot_type, camera_movement, on_screen_text, tags (a list). Leave empty what cannot be seen."
)


class Answer(NamedTuple):
    """A caption as it is quoted. `error` only with the status `error`, which has no text."""

    status: CaptionStatus
    text: str | None
    attributes: Attributes | None = None
    error: CaptionError | None = None


def read_answer(caption: Caption | None, settings: CaptionSettings) -> Answer:
    """What stands in the document for a caption; None where none was asked for."""
    if caption is None:
        return Answer("skipped", None)
    if caption.error is not None:
        return _failed(caption.error.type, caption.error.message)
    text = caption_text(caption.text)
    if settings.format == "json" and text:
        return _read_json(text, caption.finish_reason)
    status = text_status(text, caption.finish_reason, settings.prompt)
    return Answer(status, text or None)


def text_status(text: str, finish_reason: FinishReason | None, prompt: str = "") -> CaptionStatus:
    """What a cleaned text is worth. A loop that hits the token limit is a loop."""
    if not text:
        return "empty"
    if is_repetitive(text):
        return "repetitive"
    if is_echo(text, prompt):
        return "echoed"
    return "truncated" if finish_reason == "length" else "success"


def _read_json(text: str, finish_reason: FinishReason | None) -> Answer:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return _cut_off(text) if finish_reason == "length" else _broken("is no JSON", text)
    if not isinstance(fields, dict) or not isinstance(fields.get("description"), str):
        return _broken("is JSON without a description", text)
    description = caption_text(fields["description"])
    if not description:
        return Answer("empty", None)
    return Answer(text_status(description, "stop"), description, _attributes(fields))


def _cut_off(text: str) -> Answer:
    """As much of the description as there is; the fields after it are lost."""
    description = unfinished_text(text, "description") or ""
    description = caption_text(description)
    if not description:
        return _failed("TruncatedJson", "the answer was cut off before its description began")
    return Answer("repetitive" if is_repetitive(description) else "truncated", description)


def _attributes(fields: dict[str, Any]) -> Attributes:
    def line(name: str) -> str | None:
        value = fields.get(name)
        return (caption_text(value) or None) if isinstance(value, str) else None

    def lines(name: str) -> tuple[str, ...]:
        values = fields.get(name)
        texts = (
            (caption_text(each) for each in values if isinstance(each, str))
            if isinstance(values, list)
            else ()
        )
        return tuple(dict.fromkeys(text for text in texts if text))

    return Attributes(
        title=line("title"),
        subjects=lines("subjects"),
        action=line("action"),
        setting=line("setting"),
        shot_type=line("shot_type"),
        camera_movement=line("camera_movement"),
        on_screen_text=line("on_screen_text"),
        tags=lines("tags"),
    )


def _broken(what: str, text: str) -> Answer:
    return _failed("BrokenJson", f"the answer {what}: {text[:80]}")


def _failed(kind: str, message: str) -> Answer:
    return Answer("error", None, error=CaptionError(type=kind, message=encodable(message)))
