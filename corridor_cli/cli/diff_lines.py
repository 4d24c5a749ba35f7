"""What changed between two runs, for people: colours on a terminal, `[-old-] {+new+}` in a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import zip_longest
from typing import TYPE_CHECKING

from corridor_cli.cli.page import Page, one_line
from corridor_cli.cli.tables import is_terminal
from corridor_cli.printable import printable
from corridor_cli.runners.diff import DiffTotals, VideoChange
from corridor_cli.telemetry import counted
from corridor_cli.timeline.comparison import ScenePair, TextChange
from corridor_cli.timeline.exports.document import SceneFields
from corridor_cli.timeline.timecode import timecode
from corridor_cli.timeline.word_diff import Piece

if TYPE_CHECKING:
    from rich.text import Text

_STATES = {"same": "the same", "changed": "changed", "only_a": "only in A", "only_b": "only in B"}
_MAX_TIMES = 10
_MAX_VALUE_CHARS = 60


def change_text(change: VideoChange) -> str:
    """One video that differs, and an empty line."""
    page = Page()
    page.line(f"{printable(change.pair.name)}: {', '.join(_facts(change))}", style="bold")
    for pair in change.scenes:
        if pair.state != "same":
            _scene(page, pair)
    for side, times in (("A", change.boundaries.only_before), ("B", change.boundaries.only_after)):
        if times:
            shown = ", ".join(_timecode(time) for time in times[:_MAX_TIMES])
            more = f" and {len(times) - _MAX_TIMES:,} more" if len(times) > _MAX_TIMES else ""
            page.line(f"boundaries only in {side}: {shown}{more}", indent=2, style="magenta")
    return page.text + "\n"


def totals_text(totals: DiffTotals, num_shown: int) -> str:
    """What made the two differently, and what it all comes to."""
    page = Page()
    num_hidden = sum(totals.videos.get(state, 0) for state in ("changed", "only_a", "only_b")) - num_shown
    if num_hidden:
        page.line(
            f"and {counted(num_hidden, 'more video')}: -n {num_shown + num_hidden} shows all, or --json"
        )
        page.line()
    if totals.provenance:
        page.line("made differently:", style="bold")
        for (name, before, after), number in sorted(totals.provenance.items()):
            told = f"{one_line(name)}: {_value(before)} → {_value(after)} ({counted(number, 'video')})"
            page.line(told, indent=2)
        page.line()
    unread = totals.videos.get("unread", 0)
    states = [*_counts(totals.videos), *([f"{unread:,} unread"] if unread else [])]
    page.line(f"{counted(sum(totals.videos.values()), 'video')}: {', '.join(states)}", style="bold")
    if totals.scenes:
        similarity = "" if totals.similarity is None else f"; similarity {totals.similarity:.2f}"
        scenes = counted(sum(totals.scenes.values()), "scene")
        page.line(f"{scenes}: {', '.join(_counts(totals.scenes))}{similarity}")
        only = (totals.num_boundaries_only_a, totals.num_boundaries_only_b)
        if any(only):
            same = totals.num_boundaries_same
            page.line(f"boundaries: {same:,} the same, {only[0]:,} only in A, {only[1]:,} only in B")
    return page.text


def _counts(counts: dict[str, int]) -> list[str]:
    return [f"{counts[state]:,} {words}" for state, words in _STATES.items() if counts.get(state)]


def _facts(change: VideoChange) -> Iterator[str]:
    if change.state in ("only_a", "only_b"):
        yield f"{_STATES[change.state]} ({change.statuses[0] or change.statuses[1]})"
        return
    before, after = change.pair.before, change.pair.after
    if before is not None and after is not None and before.name != after.name:
        yield f"in A {printable(before.name)}"
    if change.is_other_source:
        yield "of another file than in A"
    if change.statuses[0] != change.statuses[1]:
        yield f"{change.statuses[0]} in A, {change.statuses[1]} in B"
    counts: dict[str, int] = {}
    for each in change.scenes:
        counts[each.state] = counts.get(each.state, 0) + 1
    if counts:
        yield f"{counted(len(change.scenes), 'scene')}, " + ", ".join(_counts(counts))
    similarities = change.similarities
    if similarities:
        yield f"similarity {sum(similarities) / len(similarities):.2f}"


def _scene(page: Page, pair: ScenePair) -> None:
    scene = pair.after or pair.before
    assert scene is not None, "a pair has a side"
    head = f"scene {_numbers(pair)}  {scene['start_timecode']}–{scene['end_timecode']}"
    if pair.before is not None and pair.after is not None and _span(pair.before) != _span(pair.after):
        head += f"  (in A {pair.before['start_timecode']}–{pair.before['end_timecode']})"
    if pair.state != "changed":
        head += f"  {_STATES[pair.state]}"
    page.line(head, indent=2, style="cyan")
    for text in pair.texts:
        if not text.is_same:
            page.line(_text(text), indent=4)
    if pair.state != "changed":
        caption = scene["caption"]
        shown = caption["text"]
        page.line(f"[no caption, {caption['status']}]" if shown is None else one_line(shown), indent=4)


def _numbers(pair: ScenePair) -> str:
    numbers = [each["index"] + 1 for each in (pair.before, pair.after) if each is not None]
    return str(numbers[-1]) if numbers[0] == numbers[-1] else f"{numbers[0]} → {numbers[-1]}"


def _span(scene: SceneFields) -> tuple[str, str]:
    return scene["start_timecode"], scene["end_timecode"]


def _text(change: TextChange) -> Text:
    from rich.text import Text

    label = "" if change.role == "scene" else f"{change.role} frame: "
    text = Text(label, style="not dim")
    if change.words is None:
        pieces = [
            Piece("gone", change.before or f"[no caption, {change.status_before}]"),
            Piece("new", change.after or f"[no caption, {change.status_after}]"),
        ]
        return _marked(text, pieces)
    _marked(text, change.words.pieces)
    return text.append(f"  ({change.words.similarity:.2f})", style="dim")


def _marked(text: Text, pieces: Sequence[Piece]) -> Text:
    """The pieces on one line, with a blank where there is one, or where two would run together."""
    has_colours = is_terminal()
    for piece, following in zip_longest(pieces, pieces[1:]):
        words = one_line(piece.text)
        if piece.kind == "same":
            text.append(words)
        elif piece.kind == "gone":
            text.append(words if has_colours else f"[-{words}-]", style="red strike")
        else:
            text.append(words if has_colours else f"{{+{words}+}}", style="green bold")
        is_replaced = piece.kind == "gone" and following is not None and following.kind == "new"
        if following is not None and (is_replaced or piece.text[-1:].isspace()):
            text.append(" ")
    return text


def _value(text: str) -> str:
    shown = one_line(text)
    return shown if len(shown) <= _MAX_VALUE_CHARS else f"{shown[: _MAX_VALUE_CHARS - 1]}…"


def _timecode(seconds: float) -> str:
    return timecode(Fraction(seconds))
