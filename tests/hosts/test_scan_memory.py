"""What a scan holds: pictures that were handed over are let go of, however long the video."""

from __future__ import annotations

import gc
import os
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import pytest
from av.video.frame import VideoFrame
from sample_clips import SceneRecipe, draw_story, write_video

from corridor_cli.hosts.blocks import MAX_TOGETHER
from corridor_cli.hosts.channel import Channel, Inbox
from corridor_cli.hosts.media_worker import MediaWorker
from corridor_cli.hosts.messages import WorkerSetup
from corridor_cli.hosts.slots import Slots, create_arena
from corridor_cli.records import ScanEnd, ScanJob, SceneFrames, SlotsFreed
from corridor_cli.scenes.candidates import MAX_HELD
from corridor_cli.settings import DecodeSettings, FrameSettings, SceneSettings

NUM_SCENES = 40
SLOT_BYTES = 3 * 64 * 64
GROUNDS = ("blue", "yellow", "green", "white")


class Main:
    """Takes what the worker sends in this process, gives slots back at once, and counts pictures alive. It is
    the worker's inbox, too."""

    def __init__(self) -> None:
        self.num_alive: list[int] = []
        self.used: set[int] = set()
        self.end: ScanEnd | None = None
        self._freed: deque[SlotsFreed] = deque()

    def get_nowait(self) -> SlotsFreed | None:
        return self._freed.popleft() if self._freed else None

    def get(self, timeout_seconds: float) -> SlotsFreed | None:
        return self.get_nowait()

    def send(self, record: object) -> None:
        if isinstance(record, SceneFrames):
            self.num_alive.append(sum(isinstance(each, VideoFrame) for each in gc.get_objects()))
            slots = tuple(each.frame.slot for each in record.picks if each.frame)
            self.used.update(slots)
            self._freed.append(SlotsFreed(slots))
        elif isinstance(record, ScanEnd):
            self.end = record


@pytest.fixture
def collector_off() -> Iterator[None]:
    """The collector's own time would hide what only it can free."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()


@pytest.mark.usefixtures("collector_off")
def test_pictures_of_scenes_that_ended_are_let_go_of(tmp_path: Path) -> None:
    recipes = [SceneRecipe("circle", "red", GROUNDS[number % 4], seconds=1) for number in range(NUM_SCENES)]
    path = write_video(tmp_path / "many.mp4", draw_story(recipes, Fraction(25), 64, 48))
    gc.collect()
    arena_fd = create_arena(12, SLOT_BYTES)
    main = Main()
    setup = WorkerSetup(
        DecodeSettings(), SceneSettings(), FrameSettings(), SLOT_BYTES, 64 * 64, tuple(range(12))
    )
    try:
        slots = Slots(arena_fd, SLOT_BYTES)
        MediaWorker(setup, slots, cast(Channel, main), cast(Inbox, main)).take(ScanJob(0, str(path)))
    finally:
        os.close(arena_fd)
    assert main.end is not None
    assert main.end.error is None
    assert len(main.num_alive) == NUM_SCENES
    # A slot that was never written to takes no memory.
    assert len(main.used) <= 3
    # A block more than the candidates, and the picks of the scene that is being handed over.
    assert max(main.num_alive) <= MAX_HELD + MAX_TOGETHER, main.num_alive
    assert sum(isinstance(each, VideoFrame) for each in gc.get_objects()) == 0
