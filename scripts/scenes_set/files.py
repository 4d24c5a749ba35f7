"""The files of the set: which seeds there are, how each is encoded, and drawing them into a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from sample_clips import Encoding, write_video

from scenes_set.clips import ClipShelf
from scenes_set.compose import Composer, thinned

SIZE = (320, 180)
# Raise it when the same seed gives another video, so that no old one is used.
VERSION = 1
HALVES = ("tuning", "held-out")


@dataclass(frozen=True, eq=False)
class Codec:
    """A codec as people use it: fast settings, and a quality for each of a few files."""

    name: str
    encoder: str
    extension: str
    options: tuple[dict[str, str], ...]


_VP8 = {"deadline": "realtime", "cpu-used": "8", "b": "1M"}
_VP9 = {"deadline": "realtime", "cpu-used": "8", "b": "0"}
CODECS = (
    Codec("h264", "libx264", "mp4", tuple({"preset": "veryfast", "crf": crf} for crf in ("20", "26", "34"))),
    Codec("hevc", "libx265", "mkv", tuple({"preset": "ultrafast", "crf": q} for q in ("22", "28", "36"))),
    Codec("vp8", "libvpx", "webm", tuple({**_VP8, "crf": crf} for crf in ("8", "20", "40"))),
    Codec("vp9", "libvpx-vp9", "webm", tuple({**_VP9, "crf": crf} for crf in ("24", "34", "46"))),
    Codec(
        "av1", "libsvtav1", "mkv",
        tuple({"preset": "12", "crf": crf, "svtav1-params": "lp=1"} for crf in ("24", "35", "48")),
    ),
    Codec("mpeg4", "mpeg4", "avi", tuple({"qscale": q, "flags": "+qscale", "global_quality": str(118 *
                                         int(q))} for q in ("3", "6", "12"))),
)  # fmt: skip
RATES = (Fraction(24000, 1001), Fraction(25), Fraction(30), Fraction(50), Fraction(30000, 1001), Fraction(24))


@dataclass(frozen=True, eq=False)
class Recipe:
    """One video of the set; `seed` decides everything in it. Even seeds are for tuning, odd ones held out."""

    seed: int
    codec: Codec
    quality: int
    rate: Fraction
    is_variable: bool

    @property
    def half(self) -> str:
        """Which half of the set it belongs to."""
        return HALVES[self.seed % 2]

    @property
    def name(self) -> str:
        """The video's file name."""
        return f"{self.seed:04d}-{self.codec.name}.{self.codec.extension}"


def recipes(num_files: int, first_seed: int = 0) -> Iterator[Recipe]:
    """The set's videos: each codec in both halves, each quality, rate and pattern of times in turn."""
    for seed in range(first_seed, first_seed + num_files):
        turn = seed // (2 * len(CODECS))
        codec = CODECS[(seed // 2) % len(CODECS)]
        # AVI has no times, only a rate.
        is_variable = seed // 2 % 4 == 3 and codec.extension != "avi"
        quality = (turn + seed // 2) % len(codec.options)
        yield Recipe(seed, codec, quality, RATES[(turn + seed // 2) % len(RATES)], is_variable)


def draw(recipe: Recipe, folder: Path, videos: Path | None) -> Path:
    """Draw and encode one video, with its labels beside it as JSON, unless it is there already."""
    path = folder / recipe.name
    labels = path.with_suffix(".json")
    if labels.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    composer = Composer(recipe.seed, float(recipe.rate), SIZE, ClipShelf(videos, recipe.half, SIZE))
    story = composer.story
    kept = _kept(recipe, story.num_frames)
    is_kept = np.zeros(story.num_frames, np.bool_)
    is_kept[kept] = True
    pictures = (
        (index / recipe.rate, picture) for index, picture in enumerate(composer.pictures()) if is_kept[index]
    )
    how = Encoding(
        recipe.codec.encoder,
        rate=recipe.rate,
        time_base=Fraction(1, 1000) if recipe.codec.extension in ("webm", "mkv") else None,
        options=recipe.codec.options[recipe.quality],
        gop_frames=60,
    )
    half_done = folder / f"half-done.{recipe.name}"
    write_video(half_done, pictures, how).rename(path)
    labels.write_text(json.dumps(thinned(story, kept).as_json()))
    return path


def _kept(recipe: Recipe, num_frames: int) -> list[int]:
    """All frames, or for a variable rate stretches of all, every second and every third one."""
    if not recipe.is_variable:
        return list(range(num_frames))
    rng = np.random.default_rng([recipe.seed, 1])
    kept: list[int] = []
    at = 0
    while at < num_frames:
        step, length = int(rng.integers(1, 4)), int(rng.integers(20, 120))
        kept += range(at, min(at + length, num_frames), step)
        at += length
    return kept


def read_labels(path: Path) -> dict[str, Any]:
    """What `draw` wrote beside a video."""
    document: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
    return document
