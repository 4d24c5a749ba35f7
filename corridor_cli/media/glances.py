"""What a keyframe scan has seen of a keyframe and, at a glance, of packets behind it; and what follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from av.video.frame import VideoFrame

from corridor_cli.media.picture import Converter, PyavFrame

if TYPE_CHECKING:
    from corridor_cli.media.packet_index import Keyframe
    from corridor_cli.records import Planes, StepKind

    Judge = Callable[[Planes, Planes], StepKind]


class SeenFrame(PyavFrame):
    """A `SparseFrame`."""

    __slots__ = ("scene_start",)

    def __init__(self, index: int, time: Fraction, picture: VideoFrame, converter: Converter) -> None:
        super().__init__(index, time, picture, converter)
        self.scene_start: tuple[int, Fraction] | None = None


@dataclass(slots=True)
class Seen:
    """By index, the planes of a keyframe and of the glances behind it; of those that are exact, the frames.

    A glance need not be what the file shows there: no frame comes of it.
    """

    frames: dict[int, SeenFrame] = field(default_factory=dict)
    planes: dict[int, Planes] = field(default_factory=dict)


def is_lost(key: Keyframe, seen: Seen) -> bool:
    """Whether a keyframe may be had where nothing is glanced at behind it."""
    return bool(key.suspects) and key.index not in seen.frames


def start_shown(before: Planes, shown: dict[int, Planes], ahead: Planes, judge: Judge) -> int | None:
    """The index at which the scene of `ahead`, the next keyframe, begins, by glances' planes, ascending.

    From there on they are like it, and those up to there are not of a third scene. None where they do not
    tell, as where the one just before is missing.
    """
    places = list(shown)
    is_ahead = [judge(planes, ahead) == "same" for planes in shown.values()]
    first = is_ahead.index(True) if True in is_ahead else 0
    if not first or not all(is_ahead[first:]) or places[first] != places[first - 1] + 1:
        return None
    if any(judge(before, shown[place]) == "new" for place in places[:first]):
        return None
    return places[first]
