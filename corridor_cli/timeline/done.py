"""Whether a source needs work, told from its committed document alone and fast (`glance.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corridor_cli.settings import Settings
from corridor_cli.telemetry import VideoState
from corridor_cli.timeline.commit import storage_error
from corridor_cli.timeline.glance import Glance, glance_at
from corridor_cli.timeline.keys import pictures_label, pictures_note
from corridor_cli.timeline.layout import OutputLayout


@dataclass(frozen=True, slots=True)
class Committed:
    """What is there of one source: a timeline, a failed document, both after a kill, or neither.

    `is_whole` is false where the pictures beside the timeline are no longer those of its scan, in its size.
    """

    timeline: Glance | None
    failed: Glance | None
    is_whole: bool

    def state(
        self,
        settings: Settings,
        *,
        scan_key: str,
        caption_key: str | None,
        transcript: str | None = None,
    ) -> VideoState:
        """What it is worth under these keys and with a transcript of this mark; without a `caption_key`
        whatever captions there are will do."""
        timeline, failed = self.timeline, self.failed
        if timeline and self.is_whole and _is_for(timeline, scan_key, caption_key, settings, transcript):
            return "done" if timeline.status == "complete" else "partial"
        if failed and _is_failure_of(failed, scan_key, settings, transcript):
            return "failed"
        return "stale" if timeline or failed else "new"


def committed(layout: OutputLayout, relative: str) -> Committed:
    """Look at what stands in OUTPUT for a source. Raises `StorageError`."""
    timeline, failed = glance_at(layout.timeline(relative)), glance_at(layout.failed(relative))
    is_whole = timeline is None or _has_its_pictures(timeline, layout.pictures_made_for(relative))
    return Committed(timeline, failed, is_whole)


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
    found = committed(layout, relative)
    return found.state(settings, scan_key=scan_key, caption_key=caption_key, transcript=transcript)


def _is_for(
    found: Glance, scan_key: str, caption_key: str | None, settings: Settings, transcript: str | None
) -> bool:
    """Whether this is a timeline of these keys, with the pictures, summary and transcript wanted."""
    made, asked = found.provenance, settings.caption
    if asked.transcripts is not None and made.get("transcript") != transcript:
        return False
    if asked.summary and (not made.get("summary") or summary_language(made) != asked.language):
        return False
    return (
        found.status in ("complete", "partial")
        and made.get("scan_key") == scan_key
        and caption_key in (None, made.get("caption_key"))
        and (settings.frames.save == "none" or made.get("pictures") == pictures_label(settings.frames))
    )


def _is_failure_of(failed: Glance, scan_key: str, settings: Settings, transcript: str | None) -> bool:
    """Whether a run would fail the same way. A failure is the source's, which no other prompt or model
    changes; or its transcript's, which may have been mended since, or be no longer wanted."""
    made = failed.provenance
    if failed.status != "failed" or made.get("scan_key") != scan_key:
        return False
    if not any(error.get("stage") == "transcript" for error in failed.errors):
        return True
    return settings.caption.transcripts is not None and made.get("transcript") == transcript


def summary_language(made: Mapping[str, Any]) -> str | None:
    """The language a summary of this provenance was asked for in; captions have theirs in their key."""
    return (made.get("prompt") or {}).get("language")


def _has_its_pictures(found: Glance, note: Path) -> bool:
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
