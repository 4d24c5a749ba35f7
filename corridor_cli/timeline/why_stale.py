"""Why a run would make a document again, as far as the document itself lets one tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from corridor_cli.printable import shortened
from corridor_cli.settings import Settings
from corridor_cli.timeline.assemble import describe
from corridor_cli.timeline.done import Committed, summary_language
from corridor_cli.timeline.glance import Glance


def why_stale(
    found: Committed,
    settings: Settings,
    *,
    scan_key: str,
    caption_key: str | None,
    model: str,
    transcript: str | None = None,
) -> str:
    """What differs between a stale document and the one that a run with these settings would write.

    `model` is what the settings call the model, `transcript` the mark of what is said now. Without a
    `caption_key` nothing is said of captions.
    """
    document = found.timeline or found.failed
    if document is None or not document.is_readable:
        return "the document is damaged, or of another version"
    wanted = describe(settings, scan_key=scan_key, caption_key=caption_key, model=None).model_dump()
    if document.provenance.get("scan_key") != scan_key:
        return _other_scan(document, wanted)
    reasons = list(_other_captions(document, wanted, caption_key, model))
    made = document.provenance
    if settings.caption.transcripts is None and found.timeline is None:
        reasons.append("its transcript could not be read, and is no longer wanted")
    if settings.caption.transcripts is not None and made.get("transcript") != transcript:
        reasons.append("its transcript has changed, or came, or went")
    if settings.caption.summary and not made.get("summary"):
        reasons.append("a summary is wanted")
    elif settings.caption.summary and summary_language(made) != settings.caption.language:
        reasons.append(f"its summary is to be in {shortened(settings.caption.language or 'any language')}")
    pictures = made.get("pictures")
    if pictures != wanted["pictures"] and settings.frames.save != "none":
        reasons.append(f"pictures were saved as: {shortened(str(pictures))}")
    elif not found.is_whole:
        reasons.append("the pictures beside it are of another scan or size")
    return "; ".join(reasons) or "the document contradicts itself"


def _other_scan(document: Glance, wanted: dict[str, Any]) -> str:
    made = document.provenance.get("detector") or {}
    now = wanted["detector"]
    if made.get("name") != now["name"]:
        return f"scenes were found by {shortened(str(made.get('name')))}, now by {now['name']}"
    if made.get("threshold") != now["threshold"]:
        return f"scenes.threshold was {shortened(str(made.get('threshold')))}, now {now['threshold']}"
    return "settings of scenes or frames, the cuts given, or vlmtl's way of scanning have changed"


def _other_captions(
    document: Glance, wanted: dict[str, Any], caption_key: str | None, model: str
) -> Iterator[str]:
    made = document.provenance
    if caption_key is None or made.get("caption_key") == caption_key:
        return
    known = False
    if (made.get("prompt") or {}).get("sha256") != wanted["prompt"]["sha256"]:
        known = True
        yield "the prompt was another"
    for part, default in (("mode", "frames"), ("format", "text"), ("language", None)):
        before = (made.get("prompt") or {}).get(part, default)
        if before != wanted["prompt"][part]:
            known = True
            yield f"caption.{part} was {shortened(str(before))}"
    tokens = (made.get("generation") or {}).get("max_new_tokens")
    if tokens != wanted["generation"]["max_new_tokens"]:
        known = True
        yield f"caption.max_new_tokens was {shortened(str(tokens))}"
    named = (made.get("model") or {}).get("id")
    if named is not None and named != model:
        known = True
        yield f"the model was {shortened(str(named))}, now {shortened(model)}"
    if not known:
        yield "the model's files, precision, engine or tiles, or vlmtl's way of asking have changed"
