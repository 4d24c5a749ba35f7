"""Timelines to export: real documents with the texts a test asks for, and texts meant to break out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from timeline_samples import (
    CAPTION_KEY,
    FACTS,
    FRAME,
    INFO,
    MODEL,
    READER,
    SCAN_KEY,
    SETTINGS,
    caption,
    failed_caption,
    pick,
    run,
    scan_end,
    scene_frames,
)

from corridor_cli.records import Role
from corridor_cli.timeline.assemble import assemble, describe
from corridor_cli.timeline.exports.document import Video, read_video
from corridor_cli.timeline.scan_record import ScanRecord
from corridor_cli.timeline.schema import timeline_bytes

SCENE_FRAMES = 40

HOSTILE = (
    '=HYPERLINK("http://x";"y")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "＝1+1",
    "a --> b",
    "00:00:01,000 --> 00:00:02,000",
    "1\n00:00:00,000 --> 00:00:09,000\nanother cue",
    "WEBVTT\n\nNOTE hidden",
    "one\n\n\ntwo\n \nthree",
    "<script>alert(1)</script> & <b>bold</b> &lt;",
    "{\\an8}top {y:i}italic",
    "C:\\New\\names \\h \\N",
    "a\x00b\x07c\x1b[31md\x7fe\x85f\x9b",
    "ends\x0bof\x0clines\u2028of\u2029all kinds",
    "[CHAPTER]\nSTART=0\nEND=1\ntitle=x;y#z\\",
    "* FROM CLIP NAME: other.mov",
    "002  AX V C 00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00",
    "# heading\n- list\n> quote\n---\n| a | b |",
    "[link](javascript:alert(1)) ![p](x) *b* _i_ `c` ~~s~~ www.x.org https://x.org me@x.org",
    "\u202eright to left\u202c \u2067isolated\u2069",
    "שלום עולם \u200f! مرحبا",
    "👩‍👩‍👧 🏳️‍🌈 e\u0301",
    "\ud800 lone",
    "\ufeffmark \ufdd0 \uffff",
    "x" * 20_000,
    "word " * 5_000,
    '"quoted", with, commas; and "more"',
    "'=1",
)


def document(texts: Sequence[str | None], *, fps: Any = None, name: str = "clip.mp4") -> dict[str, Any]:
    """A timeline as JSON values: a scene a text (40 frames each); None is a caption that failed."""
    record, answers = _scanned(len(texts), fps or INFO.frame_rate), {}
    for index, text in enumerate(texts):
        for role in Role:
            made = failed_caption(index, role) if text is None else caption(index, role, text or " ")
            answers[index, role] = made
    facts = replace(FACTS, path=f"/videos/{name}")
    provenance = describe(SETTINGS, scan_key=SCAN_KEY, caption_key=CAPTION_KEY, model=MODEL)
    made_of = assemble(facts, record, answers, {}, provenance, run())
    found: dict[str, Any] = json.loads(timeline_bytes(made_of, indent=0))
    return found


def video(texts: Sequence[str | None], **options: Any) -> Video:
    """The same as exports read it; texts reach them as they are, also those no document could hold."""
    made = read_video(
        json.dumps(document(["x" if text else text for text in texts], **options)).encode(), "clip.mp4"
    )
    for scene, text in zip(made.scenes, texts, strict=True):
        if text:
            scene["caption"]["text"] = text
    return made


def write_document(output: Path, stem: str, found: dict[str, Any]) -> Path:
    """Put a timeline where a run would."""
    path = output / f"{stem}.timeline.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(json.dumps(found).encode())
    return path


def _scanned(num_scenes: int, rate: Any) -> ScanRecord:
    scenes = [
        scene_frames(
            index,
            index * SCENE_FRAMES,
            (index + 1) * SCENE_FRAMES,
            *(pick(role, index * SCENE_FRAMES + at) for role, at in zip(Role, (2, 20, 37), strict=True)),
        )
        for index in range(num_scenes)
    ]
    frames = num_scenes * SCENE_FRAMES
    end = replace(scan_end(), num_frames=frames, duration=frames * FRAME, transitions=())
    return ScanRecord.from_scan(replace(INFO, frame_rate=rate), READER, scenes, end)
