"""Videos for the benchmarks, drawn by code; needs PyAV."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from sample_clips import Encoding, SceneRecipe, draw_story, write_video

_SHAPES = ("circle", "square", "triangle")
_COLOURS = ("red", "blue", "yellow", "green", "purple", "cyan", "orange", "pink")
_GROUNDS = ("white", "black", "gray", "brown")
_RATE = Fraction(25)


def draw_clips(
    folder: Path, num_clips: int, num_scenes: int, scene_seconds: float, size: tuple[int, int]
) -> list[Path]:
    """H.264 clips of equally long scenes with hard cuts, no two neighbours alike."""
    how = Encoding(options={"preset": "veryfast", "crf": "23"}, gop_frames=50)
    paths = []
    for clip in range(num_clips):
        recipes = [
            SceneRecipe(
                _SHAPES[number % 3],
                _COLOURS[number % 8],
                _GROUNDS[number % 4],
                start_place=(0.25, 0.5),
                end_place=(0.75, 0.5),
                seconds=scene_seconds,
            )
            for number in range(clip, clip + num_scenes)
        ]
        paths.append(write_video(folder / f"clip{clip}.mp4", draw_story(recipes, _RATE, *size), how))
    return paths
