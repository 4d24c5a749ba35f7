"""What stands on a video's page: every text safe to show, every number in words, the pictures apart.

Captions keep their lines and lose control characters and marks that turn the writing around them; escaping
for HTML is the templates' own, which escape whatever they are given.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Literal

from corridor_cli.telemetry import counted, format_duration
from corridor_cli.timeline.exports.plain import one_line, text_lines
from corridor_cli.timeline.parts import Attributes, CaptionPart, FramePart, ScenePart, TransitionPart
from corridor_cli.timeline.report.thumbnails import Thumbnail
from corridor_cli.timeline.schema import Timeline

Mood = Literal["good", "warn", "bad"]
"""Of a scene: captioned; captioned with a reservation, or empty; without a caption."""

CROWDED_SCENES = 150
"""So many have no room for lines between them."""
_NUM_TICKS = 5

_WHY = {
    "truncated": "truncated: the token limit cut it",
    "repetitive": "repetitive: it loops",
    "echoed": "echoed: it says the prompt back",
    "empty": "empty: the model said nothing",
    "skipped": "skipped: it was never asked for",
}
_OPENED_BY = {
    "start": "start",
    "cut": "cut",
    "transition": "transition",
    "split": "split",
    "file": "given cut",
}


@dataclass(frozen=True, slots=True)
class Said:
    """A caption, or why there is none, or both where it is not whole."""

    text: str
    why: str = ""
    mood: Mood = "good"


@dataclass(frozen=True, slots=True)
class SceneView:
    """A row of the page, and a block of its strip: `x` and `width` in seconds, as SVG takes them."""

    id: str
    number: int
    start: str
    end: str
    x: str
    width: str
    start_timecode: str
    end_timecode: str
    length: str
    opened_by: str
    transitions: tuple[str, ...]
    caption: Said
    mood: Mood
    title: str
    tags: str
    more: tuple[tuple[str, Said], ...]
    more_label: str
    picture: Thumbnail | None


@dataclass(frozen=True, slots=True)
class TransitionView:
    """A transition on the strip."""

    x: str
    width: str
    words: str


@dataclass(frozen=True, slots=True)
class StripView:
    """The strip of scenes to scale; its unit is a second."""

    length: str
    label: str
    ticks: tuple[str, ...]
    transitions: tuple[TransitionView, ...]
    is_crowded: bool


def scene_views(timeline: Timeline, pictures: dict[str, Thumbnail]) -> list[SceneView]:
    """The scenes in order; `pictures` are by scene id, as far as there are any."""
    changes = _transitions_of(timeline)
    return [_scene(scene, changes.get(scene.index, []), pictures.get(scene.id)) for scene in timeline.scenes]


def strip_view(timeline: Timeline) -> StripView:
    """The strip below the player."""
    length = max(timeline.scenes[-1].end, 0.001) if timeline.scenes else 0.001
    label = f"{counted(len(timeline.scenes), 'scene')} in {format_duration(length)}, to scale. "
    ticks = (clock(length * number / (_NUM_TICKS - 1), length) for number in range(_NUM_TICKS))
    views = [
        TransitionView(figure(each.start), figure(each.end - each.start), transition_words(each))
        for each in timeline.transitions
    ]
    return StripView(
        figure(length),
        label + "The table below has the same scenes.",
        tuple(ticks),
        tuple(views),
        len(timeline.scenes) > CROWDED_SCENES,
    )


def said(caption: CaptionPart) -> Said:
    """A caption for people; never an error in its place."""
    text = lines_of(caption.text or "")
    if caption.status == "success":
        return Said(text)
    if caption.error is not None:
        return Said("", one_line(f"no caption: {caption.error.message} ({caption.error.type})"), "bad")
    mood: Mood = "bad" if caption.status == "skipped" else "warn"
    return Said(text, _WHY.get(caption.status, caption.status), mood)


def lines_of(text: str) -> str:
    """A text from outside with its lines."""
    return "\n".join(text_lines(text))


def figure(value: float) -> str:
    """A number as HTML and SVG take it, to a microsecond."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def clock(seconds: float, length: float) -> str:
    """A time on an axis of some length, in seconds: `4.2 s`, `1:02`, `2:03:04`."""
    if length < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if length >= 3600 else f"{minutes}:{rest:02d}"


def transition_words(change: TransitionPart) -> str:
    """`dissolve, 0.84 s`."""
    return f"{change.kind}, {change.end - change.start:.2f} s"


def _transitions_of(timeline: Timeline) -> dict[int, list[TransitionPart]]:
    """By the scene that each opens, or lies in: a boundary lies in the middle of its transition."""
    starts = [scene.start for scene in timeline.scenes]
    found: dict[int, list[TransitionPart]] = {}
    for change in timeline.transitions:
        middle = (change.start + change.end) / 2 + 1e-6
        found.setdefault(max(bisect_right(starts, middle) - 1, 0), []).append(change)
    return found


def _scene(scene: ScenePart, changes: list[TransitionPart], picture: Thumbnail | None) -> SceneView:
    caption, attributes = said(scene.caption), scene.attributes
    details = [*_attributes(attributes), *_remarks(scene)]
    more = [*details, *_frames(scene)]
    label = "details and the other frames" if details else "the other frames"
    return SceneView(
        scene.id,
        scene.index + 1,
        figure(scene.start),
        figure(scene.end),
        figure(scene.start),
        figure(scene.end - scene.start),
        scene.start_timecode,
        scene.end_timecode,
        f"{scene.duration:.3f} s" if scene.duration < 10 else format_duration(scene.duration),
        _OPENED_BY[scene.boundary],
        tuple(map(transition_words, changes)),
        caption,
        caption.mood,
        one_line(attributes.title or "") if attributes else "",
        one_line(", ".join(attributes.tags)) if attributes else "",
        tuple(more),
        label,
        picture,
    )


def _attributes(attributes: Attributes | None) -> list[tuple[str, Said]]:
    if attributes is None:
        return []
    told = [
        ("subjects", ", ".join(attributes.subjects)),
        ("action", attributes.action),
        ("setting", attributes.setting),
        ("shot type", attributes.shot_type),
        ("camera movement", attributes.camera_movement),
        ("text in the picture", attributes.on_screen_text),
    ]
    return [(label, Said(lines_of(text))) for label, text in told if text]


def _remarks(scene: ScenePart) -> list[tuple[str, Said]]:
    """What is said in the scene, and what is to be known of its caption."""
    found = []
    if scene.transcript is not None:
        found.append(("said", Said(lines_of(scene.transcript))))
    if scene.caption.retry_of is not None:
        found.append(("second answer", Said(f"the first was {scene.caption.retry_of}")))
    if scene.num_same_captions:
        others = counted(scene.num_same_captions, "other scene")
        found.append(("suspicious", Said("", f"{others} with the very same caption", "warn")))
    return found


def _frames(scene: ScenePart) -> list[tuple[str, Said]]:
    """The frames that have a caption of their own beside the scene's."""
    return [
        (f"{frame.role} frame, {frame.timecode}", said(frame.caption))
        for frame in scene.frames
        if frame.caption is not None and not _is_told(frame, scene)
    ]


def _is_told(frame: FramePart, scene: ScenePart) -> bool:
    return frame.duplicate_of is not None or frame.caption == scene.caption
