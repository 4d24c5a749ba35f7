"""Which reader scans a file: one of all its frames, or one by keyframes where it is asked for and can be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from corridor_cli.media.base import Reader
from corridor_cli.media.keyframe_reader import by_keyframes
from corridor_cli.media.open_reader import open_reader
from corridor_cli.scenes.sparse import judge_step
from corridor_cli.settings import DecodeSettings, SceneSettings


def open_for_scan(
    path: Path,
    decode: DecodeSettings,
    scenes: SceneSettings,
    on_beat: Callable[[], None],
    num_threads: int = 1,
) -> Reader:
    """Open a file to be scanned, by up to `num_threads` if all of it is decoded. `on_beat` is called while it
    is read and gives no frame. Raises `MediaError` kinds."""
    reader = open_reader(path, decode, for_picks=False, num_threads=num_threads, on_beat=on_beat)
    if scenes.scan == "full":
        return reader
    if scenes.detector == "adaptive":
        return by_keyframes(path, decode, reader, judge_step, on_beat)
    reason = f"keyframes: the detector {scenes.detector} needs every frame"
    reader.choice = replace(reader.choice, fallbacks=(*reader.choice.fallbacks, reason))
    return reader
