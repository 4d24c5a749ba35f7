"""Cuts from the events of an edit: a list of which stretch of which source plays when.

A list of scenes is an edit of one source, in order: where its events begin in the *source* is where the video
is cut, whatever else was done to the edit. A list that draws on several sources describes another video than
any of them: the one that was made by it. There the *record* times count, from the first event on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from corridor_cli.records import Cut, GivenCuts


@dataclass(slots=True)
class Event:
    """A stretch of a source; all times in seconds. `blend` is from the start of a dissolve or wipe to its
    middle, counted from the event's start. `source` is None for black or bars; where all sources are called
    the same, as reels often are, `clip` may tell them apart."""

    place: str
    source: str | None
    source_in: Fraction
    record_in: Fraction
    clip: str | None = None
    blend: Fraction = Fraction(0)


def cuts_of(events: Sequence[Event], name: str) -> GivenCuts:
    """The cuts where events begin; those that fade in begin in the middle of it."""
    own = [event for event in events if event.source is not None]
    if events and not own:
        what = "1 event shows" if len(events) == 1 else f"{len(events)} events show"
        note = f"{name}: its {what} only black or bars, which cut nothing: the video is one scene"
        return GivenCuts(name, (), (note,))
    num_sources = max(len({event.source for event in own}), len({event.clip for event in own} - {None}))
    if num_sources > 1:
        first = min(event.record_in for event in events)
        cuts = [Cut(event.place, event.record_in - first + event.blend) for event in events]
        note = f"{name}: draws on {num_sources} sources, so its record times are taken, from the first on"
        return GivenCuts(name, tuple(cuts), (note,))
    return GivenCuts(name, tuple(Cut(event.place, event.source_in + event.blend) for event in own))
