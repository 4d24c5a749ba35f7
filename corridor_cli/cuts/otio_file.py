"""Cuts from an OpenTimelineIO file, by the library, an extra: it knows the older forms of its own format."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from importlib.util import find_spec
from typing import Any

from corridor_cli.cuts.edits import Event, cuts_of
from corridor_cli.errors import CutFileError
from corridor_cli.printable import shortened
from corridor_cli.records import GivenCuts

MISSING = "opentimelineio is not installed, which reads .otio files"
MISSING_HINT = "Install it: pip install 'vlmtl[otio]'. Or export an EDL, which needs nothing."

_HINT = "Export it again from the editor."

# Beyond these no float holds the seconds any more, and nobody means them.
_MIN_RATE = 1e-3
_MAX_SECONDS = 1e9

_NTSC = Fraction(1000, 1001)
# What its readers in C++ and Python raise besides errors of their own, for a file that is wrong.
_RAISED = (ValueError, TypeError, LookupError, AttributeError, RuntimeError, ArithmeticError)


def has_library() -> bool:
    """Whether OTIO files can be read here, told without loading anything."""
    return find_spec("opentimelineio") is not None


def read_otio(text: str, name: str) -> GivenCuts:
    """The cuts of the lowest video track. Raises `CutFileError`."""
    try:
        import opentimelineio as otio
    except ImportError as error:
        raise CutFileError(f"{name}: {MISSING}", hint=MISSING_HINT) from error
    try:
        # The library's own parser has no limit of depth: deeply nested text ends the process, or never ends.
        json.loads(text)
        # Not through its adapters: they would load whatever plugins the environment names.
        timeline = otio.core.deserialize_json_from_string(text)
        if not isinstance(timeline, otio.schema.Timeline):
            kind = type(timeline).__name__
            raise CutFileError(f"{name}: holds a {kind}, allowed: a Timeline", hint=_HINT)
        events = _events(otio, timeline)
    except (otio.exceptions.OTIOError, *_RAISED) as error:
        raise CutFileError(
            f"{name}: is no OTIO timeline that can be read: {shortened(str(error), 200)}",
            hint=_HINT,
        ) from error
    if not events:
        raise CutFileError(f"{name}: holds no clip on a video track", hint="Is it the right file?")
    return cuts_of(events, name)


def _events(otio: Any, timeline: Any) -> list[Event]:
    tracks = [
        track for track in timeline.video_tracks() if any(isinstance(i, otio.schema.Clip) for i in track)
    ]
    # At once: asked for each clip, it is looked for from the start of the track.
    ranges = tracks[0].range_of_all_children() if tracks else {}
    events: list[Event] = []
    blend = Fraction(0)
    for item in tracks[0] if tracks else ():
        if isinstance(item, otio.schema.Transition):
            blend = (_seconds(item.out_offset) - _seconds(item.in_offset)) / 2
            continue
        if not isinstance(item, otio.schema.Gap):
            place = f"item {len(events) + 1} of its video track"
            start = _seconds(item.trimmed_range().start_time) - _media_start(item)
            record = _seconds(ranges[item].start_time)
            events.append(Event(place, _source_of(item), start, record, blend=blend))
        blend = Fraction(0)
    return events


def _media_start(item: Any) -> Fraction:
    """Where the media's own times begin: a camera's timecode seldom begins at 0."""
    available = getattr(getattr(item, "media_reference", None), "available_range", None)
    return Fraction(0) if available is None else _seconds(available.start_time)


def _source_of(item: Any) -> str:
    reference = getattr(item, "media_reference", None)
    return str(getattr(reference, "target_url", None) or getattr(reference, "name", None) or item.name)


def _seconds(time: Any) -> Fraction:
    """Exact seconds; the format has its rates as floats."""
    is_sane = math.isfinite(time.value) and math.isfinite(time.rate) and time.rate >= _MIN_RATE
    if not is_sane or abs(time.value) > _MAX_SECONDS * time.rate:
        raise ValueError(f"the time {time.value} at a rate of {time.rate}")
    return Fraction(time.value) / _exact(time.rate)


def _exact(rate: float) -> Fraction:
    nominal = round(rate * 1.001)
    is_ntsc = abs(rate - nominal / 1.001) < 1e-4
    return nominal * _NTSC if is_ntsc and nominal else Fraction(rate).limit_denominator(100_000)
