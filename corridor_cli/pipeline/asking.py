"""From the picks of a scene to requests, and from answers that are no good to a second try."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from corridor_cli.pipeline.video import VideoWork
from corridor_cli.printable import encodable
from corridor_cli.prompts import fill, likely
from corridor_cli.records import (
    Caption,
    FrameRef,
    Generation,
    Request,
    RequestKey,
    Role,
    Scene,
    SceneFrames,
)
from corridor_cli.settings import CaptionSettings
from corridor_cli.timeline.answers import JSON_REQUEST, JSON_SCHEMA, read_answer
from corridor_cli.timeline.timecode import timecode

_RETRY_PENALTY = 1.3
_MAX_NEW_TOKENS = 4096
_NOTHING_SAID = "(nothing)"
_MAX_SAID_CHARACTERS = 2000

# From best to worst, for the choice between two answers to the same request.
_WORTH = ("success", "truncated", "echoed", "repetitive", "empty", "error")


def typical(settings: CaptionSettings) -> CaptionSettings:
    """The settings with a prompt as it is sent, its variables at a usual length: for engines to plan by."""
    return replace(settings, prompt=likely(_template(settings)))


class Asker:
    """Makes the requests of one run, as `settings` say: one for each distinct pick, or one for each scene.

    The settings are resolved: `prompt` is the text itself.
    """

    def __init__(self, settings: CaptionSettings) -> None:
        self._settings = settings
        self._template = _template(settings)
        self.generation = Generation(
            settings.max_new_tokens, json_schema=JSON_SCHEMA if settings.format == "json" else None
        )
        self._first: dict[RequestKey, Caption] = {}

    def requests(self, video: VideoWork, event: SceneFrames) -> tuple[list[Request], list[FrameRef]]:
        """What is to be asked now that these picks have come, and the pictures nobody needs."""
        scene = event.scene or (video.record.scenes[event.scene_index] if video.record else None)
        assert scene is not None, "a scan reports its scenes, and picks alone are those of a known one"
        prompt = fill(self._template, self._values(video, scene))
        if self._settings.mode == "scene":
            return self._of_scene(video, event, prompt)
        found: list[Request] = []
        unneeded: list[FrameRef] = []
        for picked in event.picks:
            key = RequestKey(video.ordinal, event.scene_index, picked.pick.role)
            if picked.frame is None:
                continue
            if video.is_answered_or_open(key):  # a retried scan repeats some
                unneeded.append(picked.frame)
            else:
                found.append(Request(key, prompt, (picked.frame,), self.generation))
        return found, unneeded

    def again(self, request: Request, caption: Caption) -> Request | None:
        """The request to make instead of taking `caption` for the answer; None where it is good enough.

        One second try, differently: with a penalty on what was said already, or room for JSON to end in.
        """
        if not self._settings.retry or caption.error is not None or caption.key in self._first:
            return None
        generation = request.generation
        status = read_answer(caption, self._settings).status
        if status in ("empty", "repetitive", "echoed"):
            changed = replace(generation, repetition_penalty=_RETRY_PENALTY)
        elif generation.json_schema is not None and status in ("truncated", "error"):
            room = min(_MAX_NEW_TOKENS, 2 * generation.max_new_tokens)
            if room == generation.max_new_tokens:
                return None
            changed = replace(generation, max_new_tokens=room)
        else:
            return None
        self._first[caption.key] = caption
        return replace(request, generation=changed, attempt=0)

    def settle(self, caption: Caption) -> Caption:
        """The better of two answers where there were two, and what was wrong with the first."""
        first = self._first.pop(caption.key, None)
        if first is None:
            return caption
        statuses = [read_answer(each, self._settings).status for each in (first, caption)]
        if _WORTH.index(statuses[1]) < _WORTH.index(statuses[0]):
            return replace(caption, retry_of=statuses[0])
        return replace(first, retry_of=statuses[0])

    def _of_scene(
        self, video: VideoWork, event: SceneFrames, prompt: str
    ) -> tuple[list[Request], list[FrameRef]]:
        """The scene's one request, once the last of its distinct picks has come."""
        key = RequestKey(video.ordinal, event.scene_index, None)
        frames = [(picked.pick.role, picked.frame) for picked in event.picks if picked.frame is not None]
        if video.is_answered_or_open(key):
            return [], [frame for _, frame in frames]
        gathered = video.gathered.setdefault(event.scene_index, {})
        unneeded = [gathered[role] for role, _ in frames if role in gathered]
        gathered.update(frames)
        if set(gathered) < set(_distinct_roles(video, event)):
            return [], unneeded
        del video.gathered[event.scene_index]
        in_order = tuple(gathered[role] for role in Role if role in gathered)
        return [Request(key, prompt, in_order, self.generation)] if in_order else [], unneeded

    def _values(self, video: VideoWork, scene: Scene) -> dict[str, str]:
        return {
            "name": encodable(video.plan.source.path.name),
            "scene_index": str(scene.index + 1),
            "start": timecode(scene.start),
            "end": timecode(scene.end),
            "duration": f"{float(scene.end - scene.start):.1f}",
            "language": self._settings.language or "",
            "transcript": _shortened(video.said_in(scene)) or _NOTHING_SAID,
        }


def _shortened(said: str | None) -> str | None:
    """What is said in the prompt: a scene of an hour must leave room for the answer."""
    if said is None or len(said) <= _MAX_SAID_CHARACTERS:
        return said
    return said[: _MAX_SAID_CHARACTERS - 1].rpartition(" ")[0] + "…"


def _template(settings: CaptionSettings) -> str:
    return settings.prompt + (JSON_REQUEST if settings.format == "json" else "")


def _distinct_roles(video: VideoWork, event: SceneFrames) -> Iterator[Role]:
    picks = [picked.pick for picked in event.picks]
    if event.scene is None and video.record is not None:
        picks = list(video.record.picks[event.scene_index])
    return (pick.role for pick in picks if pick.duplicate_of is None)
