"""The score of PySceneDetect's detectors, and its way to measure the distance of two cuts.

Scores are equal to the bit: the picture is BGR at full size as FFmpeg converts it, not turned, shrunk and
converted as OpenCV does. That costs a full conversion of every frame, as it does there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from corridor_cli.scenes.detectors.opencv import Shrinker, to_hsv

if TYPE_CHECKING:
    from corridor_cli.records import Pixels, ScanFrame, VideoInfo
    from corridor_cli.scenes.detectors.base import Look, SceneStart

DEFAULT_MIN_FRAMES = 15


@runtime_checkable
class DecodedFrame(Protocol):
    """A frame that can give its picture as PySceneDetect gets it.

    `bgr()` is uint8 (H, W, 3), not turned. It is not just RGB in another order: from more than 8 bits swscale
    makes the two on different ways, and they differ in two of three pixels, mostly by a level.
    """

    def bgr(self) -> Pixels: ...


class ContentScore:
    """How much hue, saturation and value change from frame to frame, in levels."""

    def __init__(self, info: VideoInfo | None) -> None:
        self._info = info
        self._size: tuple[int, ...] | None = None
        self._shrinker: Shrinker | None = None
        self._hsv: Pixels | None = None

    def of(self, look: Look) -> float | None:
        """The mean of |ΔH|, |ΔS|, |ΔV| to the frame before, 0 for the first one.

        None for a frame of another size than the first: PySceneDetect leaves such frames out.
        """
        assert look.frame is not None, "all pictures are kept for this detector"
        rgb = decoded_rgb(look.frame, self._info)
        if self._shrinker is None:
            self._size = rgb.shape
            self._shrinker = Shrinker(rgb.shape[1], rgb.shape[0])
        if rgb.shape != self._size:
            return None
        before, self._hsv = self._hsv, to_hsv(self._shrinker.apply(rgb))
        return 0.0 if before is None else hsv_change(before, self._hsv)


def hsv_change(before: Pixels, after: Pixels) -> float:
    """The mean over three planes of the mean absolute difference, summed in PySceneDetect's order."""
    difference = np.maximum(before, after)
    difference -= np.minimum(before, after)
    num_pixels = float(before.shape[1] * before.shape[2])
    hue, saturation, value = (
        int(total) / num_pixels for total in difference.reshape(3, -1).sum(axis=1, dtype=np.int64)
    )
    return (hue + saturation + value) / 3.0


def decoded_rgb(frame: ScanFrame, info: VideoInfo | None) -> Pixels:
    """The picture as it was decoded, uint8 (H, W, 3) RGB; upright pictures are turned back."""
    if isinstance(frame, DecodedFrame):
        return frame.bgr()[:, :, ::-1]
    return frame.rgb() if info is None else as_decoded(frame.rgb(), info)


def as_decoded(rgb: Pixels, info: VideoInfo) -> Pixels:
    """The upright picture uint8 (H, W, 3) turned back to how it was decoded."""
    is_transposed = info.rotation_degrees in (90, 270)
    is_mirrored_y = info.rotation_degrees in (180, 270)
    if is_mirrored_y:
        rgb = rgb[::-1]
    if info.is_mirrored ^ is_transposed ^ is_mirrored_y:
        rgb = rgb[:, ::-1]
    return rgb.transpose(1, 0, 2) if is_transposed else rgb


class MinLength:
    """PySceneDetect's `min_scene_len`: seconds where they are set, else 15 frames at the stated rate.

    A distance in frames is its seconds times the rate, rounded, also where the rate varies.
    """

    def __init__(self, seconds: float | None, info: VideoInfo | None) -> None:
        self._seconds = seconds
        self._rate = (info.guessed_rate or info.frame_rate) if info is not None else None

    @property
    def is_nothing(self) -> bool:
        """Whether every distance is long enough."""
        return self._seconds is not None and self._seconds <= 0

    def is_met(self, start: SceneStart, end: SceneStart) -> bool:
        """Whether `end` is far enough from `start`."""
        distance = float(end.time - start.time)
        if self._seconds is not None:
            return distance >= self._seconds
        if self._rate is None:
            return end.frame_index - start.frame_index >= DEFAULT_MIN_FRAMES
        return round(max(distance, 0.0) * float(self._rate)) >= DEFAULT_MIN_FRAMES
