"""The frames that are shown to an engine while it is measured: drawn ones, or picks of real videos."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from corridor_cli.errors import NoInputsError
from corridor_cli.hosts.media_pool import MediaPool
from corridor_cli.hosts.messages import JobLost
from corridor_cli.hosts.slots import Slots, create_arena
from corridor_cli.records import FrameRef, ScanEnd, ScanJob, SceneFrames
from corridor_cli.runners.picture_limits import PictureLimits
from corridor_cli.runners.workers import worker_setup
from corridor_cli.settings import Settings

if TYPE_CHECKING:
    from corridor_cli.records import Pixels

# One tile is drawn at its own size: nobody resizes then. More are cut from a frame of 16:9.
_ONE_TILE = (448, 448)
_WIDE = (1280, 720)
_NUM_WORKER_SLOTS = 3


@dataclass(frozen=True, slots=True)
class FrameSet:
    """Frames in shared memory, each different, and what is to be said of where they come from."""

    arena_fd: int
    slot_bytes: int
    refs: tuple[FrameRef, ...]
    about: dict[str, Any]

    def of_request(self, ordinal: int, num_frames: int) -> tuple[FrameRef, ...]:
        """The frames of the n-th request; it is shown the same ones whatever runs beside it."""
        first = ordinal * num_frames
        return tuple(self.refs[(first + i) % len(self.refs)] for i in range(num_frames))


@contextmanager
def drawn_frames(num_frames: int, tiles: int) -> Iterator[FrameSet]:
    """So many frames that are cut into one tile, or into `tiles` of 16:9."""
    width_px, height_px = _ONE_TILE if tiles == 1 else _WIDE
    pictures = (draw_frame(number, width_px, height_px) for number in range(num_frames))
    about = {"source": "drawn", "num_frames": num_frames, "width_px": width_px, "height_px": height_px}
    with _stored(pictures, num_frames, 3 * width_px * height_px, about) as frames:
        yield frames


def draw_frame(number: int, width_px: int, height_px: int) -> Pixels:
    """uint8 (height, width, 3) that follows from its number alone: a shaded ground, a square, some noise."""
    rng = np.random.default_rng(number)
    top, bottom, bright = rng.integers(0, 256, (3, 3))
    share = np.linspace(0, 1, height_px)[:, None, None]
    picture = np.broadcast_to(top * (1 - share) + bottom * share, (height_px, width_px, 3)).copy()
    side = height_px // 3
    y, x = rng.integers(0, height_px - side), rng.integers(0, width_px - side)
    picture[y : y + side, x : x + side] = bright
    return np.clip(picture + rng.integers(-8, 9, picture.shape), 0, 255).astype(np.uint8)


@contextmanager
def picked_frames(
    paths: Sequence[Path], settings: Settings, limits: PictureLimits, num_frames: int
) -> Iterator[FrameSet]:
    """The first picks of real videos, found and shrunk as a run does it; fewer where there are no more.

    Raises `NoInputsError` when none of the videos gives a single one.
    """
    pictures = list(_scan(paths, settings, limits, num_frames))
    if not pictures:
        raise NoInputsError(
            f"None of the {len(paths)} videos gives a frame to measure with.",
            hint="`vlmtl probe` says what is wrong with each; without INPUT frames are drawn.",
        )
    about = {"source": "videos", "num_frames": len(pictures), "num_videos": len(paths)}
    with _stored(iter(pictures), len(pictures), limits.slot_bytes, about) as frames:
        yield frames


@contextmanager
def _stored(
    pictures: Iterator[Pixels], num_frames: int, slot_bytes: int, about: dict[str, Any]
) -> Iterator[FrameSet]:
    arena_fd = create_arena(num_frames, slot_bytes)
    try:
        slots = Slots(arena_fd, slot_bytes)
        refs = tuple(slots.write(slot, picture) for slot, picture in enumerate(pictures))
        yield FrameSet(arena_fd, slot_bytes, refs, about)
    finally:
        os.close(arena_fd)


def _scan(
    paths: Sequence[Path], settings: Settings, limits: PictureLimits, num_frames: int
) -> Iterator[Pixels]:
    """Picks of the videos in turn, until there are enough; a video that gives none is passed over."""
    setup = worker_setup(replace(settings, frames=replace(settings.frames, save="none")), limits)
    arena_fd = create_arena(_NUM_WORKER_SLOTS, limits.slot_bytes)
    num_found = 0
    try:
        slots = Slots(arena_fd, limits.slot_bytes)
        for number, path in enumerate(paths):
            with closing(MediaPool(setup, arena_fd, 1, _NUM_WORKER_SLOTS)) as pool:
                for picture in _picks(pool, slots, ScanJob(number, str(path))):
                    yield picture
                    num_found += 1
                    if num_found == num_frames:
                        return
    finally:
        os.close(arena_fd)


def _picks(pool: MediaPool, slots: Slots, job: ScanJob) -> Iterator[Pixels]:
    pool.start(job)
    while True:
        time.sleep(0.01)
        for event in [*pool.receive(), *pool.kill_stuck()]:
            if isinstance(event, ScanEnd | JobLost):
                return
            for picked in event.picks if isinstance(event, SceneFrames) else ():
                if picked.frame is not None:
                    picture = slots.pixels(picked.frame).copy()
                    pool.free(picked.frame.slot)
                    yield picture
