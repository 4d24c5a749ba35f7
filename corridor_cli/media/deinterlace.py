"""A picture of an interlaced frame, whose two fields were taken one after the other.

Only for pictures that are shown: a scan compares frames in which each has its own combs. Only from the frame
itself, so a candidate holds no neighbours in memory and a frame met by seeking gives the very same picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from av.video.frame import VideoFrame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from corridor_cli.records import Pixels

    Mask = NDArray[np.bool_]

# A line of the second field differs from both its neighbours, in the same direction, by more than this where
# something moved: noise and fine detail stay below.
COMB_LEVEL = 12
# Combs are mended with their surroundings, so many pixels to each side: edges of what moved match by chance.
COMB_REACH_PX = 3


def fields_of(frame: VideoFrame) -> tuple[VideoFrame, VideoFrame]:
    """The upper and the lower field as frames of their own, half as high.

    In 4:2:0 the colour lines belong to the fields as well: converted as one picture, what moves would get the
    colours of the other moment.
    """
    top, bottom = (VideoFrame(frame.width, frame.height // 2, frame.format.name) for _ in range(2))
    for parity, field in enumerate((top, bottom)):
        for source, target in zip(frame.planes, field.planes, strict=True):
            lines = np.frombuffer(memoryview(source), np.uint8).reshape(-1, source.line_size)[parity::2]
            room = np.frombuffer(memoryview(target), np.uint8).reshape(-1, target.line_size).copy()
            height, width = min(len(room), len(lines)), min(source.line_size, target.line_size)
            room[:height, :width] = lines[:height, :width]
            room[height:] = room[height - 1]  # an odd number of colour lines: the last one is repeated
            target.update(room.tobytes())
        field.colorspace, field.color_range = frame.colorspace, frame.color_range
        field.color_trc, field.color_primaries = frame.color_trc, frame.color_primaries
    return top, bottom


def weave(top: Pixels, bottom: Pixels) -> Pixels:
    """Both fields, uint8 (h, W, 3), as one picture (2h, W, 3); where they do not fit, the upper counts."""
    height, width, _ = top.shape
    below = np.concatenate([top[1:], top[-1:]])
    mended = np.where(_combed(top, bottom, below)[..., None], _mean(top, below), bottom)
    woven = np.empty((2 * height, width, 3), np.uint8)
    woven[0::2], woven[1::2] = top, mended
    return woven


def _combed(above: Pixels, line: Pixels, below: Pixels) -> Mask:
    """Where a line of the lower field stands out from both its neighbours, and around it: bool (h, W)."""
    green = [picture[..., 1].astype(np.int16) for picture in (above, line, below)]
    up, down = green[1] - green[0], green[1] - green[2]
    is_out = (np.minimum(np.abs(up), np.abs(down)) > COMB_LEVEL) & ((up > 0) == (down > 0))
    return _grown(_grown(is_out, 0, 1), 1, COMB_REACH_PX)


def _grown(mask: Mask, axis: int, reach: int) -> Mask:
    padded = np.pad(mask, [(reach, reach) if each == axis else (0, 0) for each in range(2)])
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis).any(axis=-1))


def _mean(a: Pixels, b: Pixels) -> Pixels:
    return ((a.astype(np.uint16) + b + 1) // 2).astype(np.uint8)
