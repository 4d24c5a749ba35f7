"""A timeline as lines for people."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from corridor_cli.cli.page import Page, one_line
from corridor_cli.printable import printable
from corridor_cli.telemetry import counted, format_bytes
from corridor_cli.timeline.parts import CaptionPart, FramePart, ScenePart, Source, TransitionPart
from corridor_cli.timeline.schema import Timeline
from corridor_cli.timeline.timecode import timecode

_STATUS_STYLES = {"complete": "green", "partial": "yellow", "failed": "red"}


def timeline_page(path: Path, timeline: Timeline) -> str:
    """All of it: the header, then each scene, with transitions where they are."""
    page = Page()
    _header(page, path, timeline)
    waiting = sorted(timeline.transitions, key=lambda each: each.start)
    for scene in timeline.scenes:
        page.line()
        # A boundary lies in the middle of its transition.
        while waiting and waiting[0].start + waiting[0].end <= 2 * scene.start + 1e-6:
            _transition(page, waiting.pop(0))
            page.line()
        _scene(page, scene)
    for left in waiting:
        page.line()
        _transition(page, left)
    return page.text


def scene_page(path: Path, timeline: Timeline, scene: ScenePart) -> str:
    """One scene with its frames."""
    page = Page()
    page.line(f"{printable(path)}, scene {scene.index + 1} of {len(timeline.scenes):,}", style="bold")
    page.line()
    _scene(page, scene)
    for frame in scene.frames:
        page.line()
        _frame(page, path, frame)
    return page.text


def _header(page: Page, path: Path, timeline: Timeline) -> None:
    made = timeline.provenance
    page.line(printable(path), style="bold")
    page.fact("video", one_line(timeline.source.path))
    page.fact("", ", ".join(_source_facts(timeline.source)))
    page.fact("status", timeline.status, style=_STATUS_STYLES[timeline.status])
    for error in timeline.errors:
        place = f"{error.scene_id}, " if error.scene_id else ""
        page.fact("", f"{place}{one_line(f'{error.message} ({error.type})')}", style="red")
    if timeline.summary is not None:
        for label, text in (("title", timeline.summary.title), ("synopsis", timeline.summary.synopsis)):
            if text:
                page.fact(label, one_line(text))
        if timeline.summary.tags:
            page.fact("tags", one_line(", ".join(timeline.summary.tags)))
    if model := made.model:
        extra = [model.dtype, *([model.quantization] if model.quantization else []), f"engine {model.engine}"]
        revision = f" at {one_line(model.revision)[:12]}" if model.revision else ""
        page.fact("model", f"{one_line(model.id)}{revision}, {one_line(', '.join(extra))}")
        page.fact("prompt", one_line(made.prompt.text))
    found = f"{counted(len(timeline.scenes), 'scene')}, found by {one_line(made.detector.name)}"
    if timeline.transitions:
        found += f"; {counted(len(timeline.transitions), 'transition')}"
    missing = sum(scene.caption.text is None for scene in timeline.scenes)
    page.fact("scenes", found + (f"; {missing:,} without a caption" if missing else ""))
    page.fact(
        "made", f"{one_line(timeline.run.created_at)} by {one_line(made.tool)} {one_line(made.version)}"
    )


def _source_facts(source: Source) -> list[str]:
    facts = []
    if source.duration is not None:
        facts.append(timecode(Fraction(source.duration)))
    if source.frame_count is not None:
        facts.append(counted(source.frame_count, "frame"))
    if source.fps is not None:
        facts.append(f"{source.fps:.5g} fps" + (", variable" if source.variable_frame_rate else ""))
    if source.width is not None and source.height is not None:
        facts.append(f"{source.width}×{source.height}")
    codecs = [codec for codec in (source.video_codec, source.audio_codec) if codec]
    if codecs:
        facts.append(one_line(" and ".join(codecs)))
    if source.size_bytes is not None:
        facts.append(format_bytes(source.size_bytes))
    return facts or ["nothing is known of it"]


def _transition(page: Page, change: TransitionPart) -> None:
    start, end = timecode(Fraction(change.start)), timecode(Fraction(change.end))
    page.line(f"{change.kind}  {start}–{end}  {change.end - change.start:.3f} s", indent=4, style="magenta")


def _scene(page: Page, scene: ScenePart) -> None:
    number = f"{scene.index + 1:>3}"
    times = f"{scene.start_timecode}–{scene.end_timecode}  {scene.duration:.3f} s  {scene.boundary}"
    page.line(f"{number} {times}", style="cyan")
    if scene.attributes is not None and scene.attributes.title:
        page.line(one_line(scene.attributes.title), indent=4, style="bold")
    _caption(page, scene.caption)
    if scene.attributes is not None and scene.attributes.tags:
        page.line(one_line(", ".join(scene.attributes.tags)), indent=4, style="dim")
    if scene.transcript is not None:
        page.line(f"“{one_line(scene.transcript)}”", indent=4, style="italic")
    if scene.num_same_captions:
        page.line(f"[{scene.num_same_captions} other scenes have the same caption]", indent=4, style="yellow")


def _caption(page: Page, caption: CaptionPart) -> None:
    """The caption, or why there is none; never the one in the place of the other."""
    if caption.text is not None:
        page.line(one_line(caption.text), indent=4)
    if caption.retry_of is not None:
        page.line(f"[the second answer: the first was {caption.retry_of}]", indent=4, style="dim")
    if caption.status != "success":
        why = f": {one_line(f'{caption.error.message} ({caption.error.type})')}" if caption.error else ""
        style = "red" if caption.text is None else "yellow"
        page.line(
            f"[{'no caption, ' if caption.text is None else ''}{caption.status}{why}]", indent=4, style=style
        )


def _frame(page: Page, path: Path, frame: FramePart) -> None:
    page.line(f"{frame.role}  {frame.timecode}  frame {frame.frame_index}", indent=4, style="cyan")
    page.line(one_line(frame.selection_reason), indent=4, style="dim")
    if frame.path is not None:
        page.line(f"picture  {printable(path.parent / frame.path)}", indent=4, style="dim", is_copied=True)
    if frame.duplicate_of is not None:
        page.line(f"looks like {frame.duplicate_of}, whose caption it shares", indent=4, style="dim")
    elif frame.caption is not None:
        _caption(page, frame.caption)
