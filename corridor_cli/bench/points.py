"""What is measured: one point is a batch size with what each of its requests asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

BatchSize = int | Literal["auto"]
Contestant = Literal["engine", "loop"]

# A 16:9 frame is cut into one of these, whatever `max_tiles` is; beside each the least that gives it.
MAX_TILES_FOR = {1: 1, 3: 2, 9: 8}


@dataclass(frozen=True, slots=True)
class Point:
    """`batch_size` requests together, each of `frames` frames of `tiles` tiles, answered by at most
    `output_tokens`. The `loop` is transformers' own `generate`, one request at a time."""

    contestant: Contestant
    batch_size: BatchSize
    frames: int
    tiles: int
    output_tokens: int

    @property
    def name(self) -> str:
        """Short, unique in a sweep, and fit for a person."""
        what = f"batch {self.batch_size}" if self.contestant == "engine" else "loop"
        return f"{what}, frames {self.frames}, tiles {self.tiles}, tokens {self.output_tokens}"


@dataclass(frozen=True, slots=True)
class Axes:
    """The values of each axis; the first of each but the batch sizes makes the centre."""

    batch_sizes: tuple[BatchSize, ...]
    frames: tuple[int, ...]
    tiles: tuple[int, ...]
    output_tokens: tuple[int, ...]


def plan_points(axes: Axes, *, full_grid: bool, with_loop: bool) -> list[Point]:
    """One axis at a time around the centre, or all crossed; each point once, the loop first.

    The centre's batch size, for the axes that are no batch size, is the middle one of those given.
    """
    centre = Point("engine", middle(axes.batch_sizes), axes.frames[0], axes.tiles[0], axes.output_tokens[0])
    points: dict[Point, None] = {}
    if with_loop:
        points[replace(centre, contestant="loop", batch_size=1)] = None
    if full_grid:
        crossed = product(axes.batch_sizes, axes.frames, axes.tiles, axes.output_tokens)
        points |= {Point("engine", *each): None for each in crossed}
        return list(points)
    points |= {replace(centre, batch_size=size): None for size in axes.batch_sizes}
    points |= {replace(centre, frames=frames): None for frames in axes.frames}
    points |= {replace(centre, tiles=tiles): None for tiles in axes.tiles}
    points |= {replace(centre, output_tokens=tokens): None for tokens in axes.output_tokens}
    return list(points)


def middle(batch_sizes: Sequence[BatchSize]) -> BatchSize:
    """The middle one of the numbers in order, the larger of two; `auto` where there are none."""
    numbers = sorted(size for size in batch_sizes if isinstance(size, int))
    return numbers[len(numbers) // 2] if numbers else "auto"
