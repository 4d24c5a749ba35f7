"""The frames both engines are shown by `verify`: pictures of a folder, or drawn ones."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from corridor_cli.errors import UsageError

if TYPE_CHECKING:
    from corridor_cli.records import Pixels

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
DRAWN_SIZES = ((640, 360), (480, 480), (360, 640), (800, 340))

_COLOURS = ("white", "black", "red", "green", "blue", "yellow", "purple", "orange", "gray", "cyan")


def frames_to_show(folder: Path | None, count: int, max_pixels: int) -> tuple[tuple[str, Pixels], ...]:
    """At most `count` named frames, uint8 (height, width, 3), shrunk to at most `max_pixels`.

    Raises `UsageError` when the folder holds no picture or one cannot be read.
    """
    if folder is None:
        return tuple((f"drawn {number + 1}", draw_frame(number)) for number in range(count))
    return tuple((path.name, _read(path, max_pixels)) for path in _pictures(folder)[:count])


def draw_frame(number: int) -> Pixels:
    """A picture of shapes on a gradient, the same every time: smooth parts, edges, and a little grain."""
    from PIL import Image, ImageDraw

    rng = np.random.default_rng(number)
    width, height = DRAWN_SIZES[number % len(DRAWN_SIZES)]
    corners = rng.integers(0, 256, (2, 2, 3), dtype=np.uint8)
    picture = Image.fromarray(corners).resize((width, height), Image.Resampling.BILINEAR)
    pen = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(2, 6))):
        left, top = int(rng.integers(0, width - 60)), int(rng.integers(0, height - 60))
        box = (left, top, left + int(rng.integers(40, width // 2)), top + int(rng.integers(40, height // 2)))
        (pen.ellipse if rng.random() < 0.5 else pen.rectangle)(box, fill=str(rng.choice(_COLOURS)))
    grain = rng.normal(0, 4, (height, width, 3))
    return np.clip(np.asarray(picture, dtype=np.float64) + grain, 0, 255).astype(np.uint8)


def _pictures(folder: Path) -> list[Path]:
    from natsort import os_sorted

    if not folder.is_dir():
        raise UsageError(
            f"--frames is {folder}, which is no folder, allowed: a folder that holds pictures",
            hint="Without --frames, drawn pictures are shown.",
        )
    found = [path for path in folder.iterdir() if path.suffix.lower() in EXTENSIONS and path.is_file()]
    if not found:
        raise UsageError(
            f"{folder} holds no picture, allowed: files ending in {', '.join(EXTENSIONS)}",
            hint="Without --frames, drawn pictures are shown.",
        )
    return list(os_sorted(found))


def _read(path: Path, max_pixels: int) -> Pixels:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # it is shrunk below
            with Image.open(path) as opened:
                picture = opened.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise UsageError(
            f"{path} cannot be read as a picture: {type(error).__name__}",
            hint="Take it out of the folder of --frames.",
        ) from error
    scale = (max_pixels / (picture.width * picture.height)) ** 0.5
    if scale < 1:
        size = (max(1, int(picture.width * scale)), max(1, int(picture.height * scale)))
        picture = picture.resize(size, Image.Resampling.BOX)
    return np.array(picture, dtype=np.uint8)  # a copy: torch warns of arrays it must not write to
