"""How a video's summary is asked for, and how the answer is read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from corridor_cli.records import Caption, ErrorInfo
from corridor_cli.timeline.parts import Summary
from corridor_cli.timeline.text import caption_text, is_repetitive, unfinished_text

PART_REQUEST = (
    "These are descriptions of consecutive scenes of one video, each with its start time:\n\n{lines}\n\n"
    "Summarize in two or three sentences what is shown and what happens."
)
_WHOLE = "These are descriptions of the scenes of one video, in order:\n\n{lines}\n\n"
SUMMARY_REQUEST = (
    _WHOLE + "Describe the whole video in exactly this form:\n"
    "Title: (at most eight words)\nSynopsis: (two to four sentences)\n"
    "Tags: (five to ten keywords, separated by commas)"
)
SUMMARY_JSON_REQUEST = (
    _WHOLE + "Describe the whole video with one JSON object: title (at most eight words), synopsis (two to "
    "four sentences), tags (a list of five to ten keywords)."
)
SUMMARY_SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {
            "title": {"type": "string", "maxLength": 120},
            "synopsis": {"type": "string", "minLength": 1, "maxLength": 1200},
            "tags": {"type": "array", "items": {"type": "string", "maxLength": 40}, "maxItems": 12},
        },
        "required": ["title", "synopsis", "tags"],
        "additionalProperties": False,
    }
)

_LABEL = re.compile(r"^[\s*#_-]*(title|synopsis|tags)[\s*_]*:[\s*_]*", re.IGNORECASE | re.MULTILINE)
_MAX_TAGS = 20


def read_summary(caption: Caption) -> Summary | ErrorInfo:
    """The summary in an answer. One that keeps to no form is the synopsis as a whole; an empty one, or one
    that goes round in circles, is none."""
    text = caption_text(caption.text)
    found = _from_json(text) or _from_labels(text)
    if found.synopsis is None and is_cut_off(caption):
        return ErrorInfo("summary", "TruncatedJson", "the answer was cut off before its synopsis began")
    synopsis = found.synopsis or found.title
    if not synopsis:
        return ErrorInfo("summary", "EmptyAnswer", "the model had no answer")
    if is_repetitive(synopsis):
        return ErrorInfo("summary", "RepetitiveAnswer", "the model's answer went round in circles")
    return found


def is_cut_off(caption: Caption) -> bool:
    """Whether an answer in JSON ended in the middle."""
    return caption.finish_reason == "length" and caption.text.lstrip().startswith("{")


def _from_json(text: str) -> Summary | None:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        if not text.startswith("{"):
            return None
        fields = {name: unfinished_text(text, name) for name in ("title", "synopsis")}
    if not isinstance(fields, dict):
        return None
    title, synopsis, tags = fields.get("title"), fields.get("synopsis"), fields.get("tags")
    return Summary(
        title=_line(title) if isinstance(title, str) else None,
        synopsis=_line(synopsis) if isinstance(synopsis, str) else None,
        tags=_tags(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
    )


def _from_labels(text: str) -> Summary:
    pieces = _LABEL.split(text)
    found: dict[str, str] = {}
    for label, said in zip(pieces[1::2], pieces[2::2], strict=True):
        found.setdefault(label.lower(), said)
    if not found:
        return Summary(title=None, synopsis=_line(text), tags=())
    return Summary(
        title=_line(found.get("title", "")),
        synopsis=_line(found.get("synopsis", "")),
        tags=_tags(re.split(r"[,;\n、，]", found.get("tags", ""))),
    )


def _line(text: str) -> str | None:
    return " ".join(caption_text(text).split()).strip("*_ ") or None


def _tags(texts: Iterable[str]) -> tuple[str, ...]:
    cleaned = (" ".join(text.split()).strip("*_#-. ") for text in texts)
    return tuple(dict.fromkeys(text for text in cleaned if text))[:_MAX_TAGS]
