"""What changed between two runs as JSON, a video at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from corridor_cli.errors import ExitCode
from corridor_cli.printable import encodable
from corridor_cli.runners.diff import DiffTotals, Side, VideoChange
from corridor_cli.timeline.comparison import ScenePair, TextChange
from corridor_cli.timeline.exports.document import SceneFields


def head_as_json(before: Path, after: Path) -> str:
    """The beginning of the object, to be followed by videos."""
    sides = f'"a": {json.dumps(encodable(str(before)))},\n"b": {json.dumps(encodable(str(after)))}'
    return f'{{\n{sides},\n"videos": ['


def video_as_json(change: VideoChange) -> str:
    """One video, on one line."""
    similarities = change.similarities
    document = {
        "video": encodable(change.pair.name),
        "state": change.state,
        "a": _side(change.pair.before, change.statuses[0]),
        "b": _side(change.pair.after, change.statuses[1]),
        "is_other_source": change.is_other_source,
        "problem": change.problem or None,
        "similarity": round(sum(similarities) / len(similarities), 6) if similarities else None,
        "provenance": [{"field": name, "a": before, "b": after} for name, before, after in change.provenance],
        "boundaries": {
            "num_same": change.boundaries.num_same,
            "only_a": change.boundaries.only_before,
            "only_b": change.boundaries.only_after,
        },
        "scenes": [_scene(each) for each in change.scenes],
    }
    return json.dumps(document)


def tail_as_json(totals: DiffTotals, *, is_checked: bool) -> str:
    """The end of the object: what all videos come to."""
    code = ExitCode.CHECK_FAILED if is_checked and not totals.is_same else totals.exit_code
    fields = {
        "totals": {
            "videos": {state: totals.videos.get(state, 0) for state in (*_STATES, "unread")},
            "scenes": {state: totals.scenes.get(state, 0) for state in _STATES},
            "boundaries": {
                "num_same": totals.num_boundaries_same,
                "num_only_a": totals.num_boundaries_only_a,
                "num_only_b": totals.num_boundaries_only_b,
            },
            "num_compared": totals.num_compared,
            "similarity": None if totals.similarity is None else round(totals.similarity, 6),
        },
        "is_same": totals.is_same,
        "exit_code": int(code),
    }
    return "\n],\n" + json.dumps(fields, indent=2)[2:] + "\n"


_STATES = ("same", "changed", "only_a", "only_b")


def _side(side: Side | None, status: str | None) -> dict[str, Any] | None:
    return None if side is None else {"document": encodable(str(side.path)), "status": status}


def _scene(pair: ScenePair) -> dict[str, Any]:
    return {
        "state": pair.state,
        "a": _times(pair.before),
        "b": _times(pair.after),
        "captions": [_text(each) for each in pair.texts],
    }


def _times(scene: SceneFields | None) -> dict[str, Any] | None:
    if scene is None:
        return None
    return {"scene": scene["index"] + 1, "start": scene["start"], "end": scene["end"]}


def _text(text: TextChange) -> dict[str, Any]:
    return {
        "of": text.role,
        "is_same": text.is_same,
        "a": text.before,
        "b": text.after,
        "status_a": text.status_before,
        "status_b": text.status_after,
        "similarity": None if text.words is None else round(text.words.similarity, 6),
        "words": None
        if text.words is None or text.is_same
        else [{"kind": piece.kind, "text": piece.text} for piece in text.words.pieces],
    }
