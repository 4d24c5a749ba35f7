"""From what was asked on a command line to a sweep that can run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from corridor_cli.bench.frames import FrameSet, drawn_frames, picked_frames
from corridor_cli.bench.points import MAX_TILES_FOR, Axes, Point, middle
from corridor_cli.engine.presets import describe_model
from corridor_cli.runners.inputs import find_inputs
from corridor_cli.runners.model_name import identify_model
from corridor_cli.runners.picture_limits import picture_limits
from corridor_cli.settings import Settings

NUM_DRAWN = 16
_NUM_PICKED = 64


def centre_of(axes: Axes, points: list[Point]) -> Point:
    """The point whose requests all batch sizes are compared with."""
    wanted = (middle(axes.batch_sizes), axes.frames[0], axes.tiles[0], axes.output_tokens[0])
    return next(point for point in points if point == Point("engine", *wanted))


def can_run_loop(settings: Settings) -> bool:
    """Whether transformers' own loop can run the model: it knows no other layout than its own."""
    model = settings.gpu_pipeline.internvl3
    return model.engine != "echo" and describe_model(model).layout != "original"


def frames_source(inputs: list[str], settings: Settings) -> Callable[[int], AbstractContextManager[FrameSet]]:
    """Where frames come from for a number of tiles: drawn, or picked from the inputs.

    Raises `NoInputsError` where there is nothing to pick from.
    """
    if not inputs:
        return lambda tiles: drawn_frames(NUM_DRAWN, tiles)
    found = find_inputs(inputs, settings, None)
    paths = [Path(source.path) for source in found.sources]
    model = identify_model(settings)

    def picked(tiles: int) -> AbstractContextManager[FrameSet]:
        limits = picture_limits(model, MAX_TILES_FOR[tiles])
        return picked_frames(paths, settings, limits, _NUM_PICKED)

    return picked
