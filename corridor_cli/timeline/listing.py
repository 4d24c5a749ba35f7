"""The scenes of one video without captions: as JSON, and as rows for a table of another program.

What it shares with the timeline document has the same names and values there.
"""

from __future__ import annotations

import csv
import io
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from corridor_cli.printable import encodable
from corridor_cli.records import ErrorInfo, ReaderChoice, Scene, Transition, VideoInfo
from corridor_cli.timeline.invariants import frame_id, scene_id
from corridor_cli.timeline.scan_record import ScanRecord
from corridor_cli.timeline.source import SourceFacts, failed_source, scanned_source
from corridor_cli.timeline.timecode import seconds, seconds_between, timecode

CSV_COLUMNS = (
    "index",
    "start",
    "end",
    "start_timecode",
    "end_timecode",
    "start_frame",
    "end_frame",
    "boundary",
)

ListingStatus = Literal["complete", "partial", "failed", "pending"]


@dataclass(frozen=True, slots=True)
class SceneListing:
    """What is known of one input's scenes. `record` is None where there is none, and `error` says why, except
    for one that is `pending`: its turn did not come."""

    facts: SourceFacts
    relative: str
    status: ListingStatus
    record: ScanRecord | None = None
    info: VideoInfo | None = None
    reader: ReaderChoice | None = None
    error: ErrorInfo | None = None
    scan_key: str | None = None
    is_scan_reused: bool = False
    sheets: tuple[Path, ...] = ()
    stats: Path | None = None


def listing_as_json(listing: SceneListing) -> dict[str, Any]:
    """The listing as JSON values, all of them valid UTF-8."""
    record, error = listing.record, listing.error
    if record is not None:
        source = scanned_source(listing.facts, record)
    else:
        source = failed_source(listing.facts, listing.info, listing.reader)
    errors = (
        [{"stage": error.stage, "type": error.type, "message": encodable(error.message)}] if error else []
    )
    return {
        "path": source.path,
        "status": listing.status,
        "source": source.model_dump(mode="json"),
        "scan_key": listing.scan_key,
        "is_scan_reused": listing.is_scan_reused,
        "transitions": [_transition(each) for each in record.transitions] if record else [],
        "scenes": [_scene(scene, record) for scene in record.scenes] if record else [],
        "errors": errors,
        "sheets": [encodable(str(path)) for path in listing.sheets],
        "stats": encodable(str(listing.stats)) if listing.stats else None,
    }


def csv_rows(listing: SceneListing) -> Iterator[tuple[str | int | float, ...]]:
    """A row of `CSV_COLUMNS` for each scene."""
    for scene in listing.record.scenes if listing.record else ():
        fields = _fields(scene)
        yield tuple(fields[column] for column in CSV_COLUMNS)


def csv_line(*values: str | int | float | None) -> str:
    """A line of CSV, its end included; None is an empty field."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(
        [encodable(value) if isinstance(value, str) else value for value in values]
    )
    return text.getvalue()


def transitions_of(record: ScanRecord) -> list[list[Transition]]:
    """For each scene the transitions that belong to it: the one it begins in, or those inside it."""
    starts = [scene.start for scene in record.scenes]
    found: list[list[Transition]] = [[] for _ in starts]
    for each in record.transitions:
        last = bisect_right(starts, each.end) - 1
        begins_in_it = each.start < starts[last]
        middle = (each.start + each.end) / 2
        found[last if begins_in_it else max(bisect_right(starts, middle) - 1, 0)].append(each)
    return found


def _transition(transition: Transition) -> dict[str, Any]:
    return {
        "kind": transition.kind,
        "start": seconds(transition.start),
        "end": seconds(transition.end),
    }


def _scene(scene: Scene, record: ScanRecord) -> dict[str, Any]:
    return _fields(scene) | {"frames": list(_frames(scene.index, record))}


def _fields(scene: Scene) -> dict[str, Any]:
    return {
        "id": scene_id(scene.index),
        "index": scene.index,
        "start": seconds(scene.start),
        "end": seconds(scene.end),
        "duration": seconds_between(scene.start, scene.end),
        "start_timecode": timecode(scene.start),
        "end_timecode": timecode(scene.end),
        "start_frame": scene.start_frame,
        "end_frame": scene.end_frame,
        "boundary": scene.boundary,
    }


def _frames(scene: int, record: ScanRecord) -> Iterator[dict[str, Any]]:
    for pick in record.picks[scene]:
        original = record.original(scene, pick.role)
        yield {
            "id": frame_id(scene, pick.role),
            "role": pick.role.value,
            "time": seconds(pick.time),
            "timecode": timecode(pick.time),
            "frame_index": pick.frame_index,
            "selection_reason": pick.selection_reason,
            "duplicate_of": None if original == pick.role else frame_id(scene, original),
        }
