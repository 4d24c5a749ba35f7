"""What is known of the videos an estimate is about: their headers, and what looks into some of them found."""

from __future__ import annotations

import math
from dataclasses import dataclass

_HEIGHTS_PX = (120, 180, 240, 360, 480, 720, 1080, 1440, 2160, 4320)


@dataclass(frozen=True, slots=True)
class Kind:
    """Videos that are decoded at about the same speed: one codec, and the nearest usual size."""

    codec: str
    size: str


def kind_of(codec: str, width_px: int, height_px: int) -> Kind:
    """The kind by codec and number of pixels: 1920×800 is nearest to 1080p, and so is 1080×1920."""
    pixels = max(1, width_px * height_px)
    ratios = {height: (height * height * 16 / 9) / pixels for height in _HEIGHTS_PX}
    return Kind(codec, f"{min(ratios, key=lambda height: max(ratios[height], 1 / ratios[height]))}p")


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What the header tells of a video, within the limits of the settings; lengths it does not tell are
    reckoned from the size of the file."""

    kind: Kind
    pixels: int
    frames: float
    seconds: float


def length_class(video: VideoFacts) -> int:
    """Videos of one class are less than four times as long as each other."""
    return int(math.log(max(1.0, video.seconds), 4))


@dataclass(frozen=True, slots=True)
class Look:
    """What a scan found in a video, or in its beginning where it is not `is_whole`. `number` is the video's
    place in the list.

    `scan_seconds` is None where the scan was known before. `seconds_per_frame` leaves out what opening took;
    `drift` is by how much of itself it differed between two halves, None where it was too short to tell.
    `num_cuts` counts scenes that something in the picture began, `num_asked` picks to be captioned still,
    `num_pictures` those saved, of `picture_bytes` together.
    """

    number: int
    frames: int
    video_seconds: float
    num_scenes: int
    num_cuts: int
    num_asked: int
    is_whole: bool = True
    scan_seconds: float | None = None
    seconds_per_frame: float = 0.0
    drift: float | None = None
    num_pictures: int = 0
    picture_bytes: int = 0
    document_bytes: int = 0
    num_to_fetch: int = 0
