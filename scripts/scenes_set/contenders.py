"""The detectors compared, each run over a whole file as its users would: boundaries as frame numbers."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

from corridor_cli.hosts.blocks import MAX_TOGETHER, in_blocks
from corridor_cli.media.open_reader import open_reader
from corridor_cli.scenes.find import SceneFinder
from corridor_cli.settings import DecodeSettings, FrameSettings, SceneSettings

Contender = Callable[[Path], list[int]]


def ours(settings: SceneSettings) -> Contender:
    """This project's finder over its own reader, in the blocks of a media worker."""

    def run(path: Path) -> list[int]:
        with closing(open_reader(path, DecodeSettings(reader="pyav"), for_picks=False)) as reader:
            finder = SceneFinder(settings, FrameSettings(), info=reader.info)
            blocks = in_blocks(reader.read_frames(), finder.keeper, MAX_TOGETHER)
            found = [scene for block in blocks for scene in finder.push(block)]
            assert reader.end is not None, f"{path} was not read to its end"
            found += finder.finish(reader.end)
        return [one.scene.start_frame for one in found[1:]]

    return run


def scenedetect(make_detector: Callable[[], Any]) -> Contender:
    """PySceneDetect over PyAV. Its times are turned into ordinals, which its own numbers are not at a rate
    that varies."""
    from scenedetect import SceneManager
    from scenedetect.backends.pyav import VideoStreamAv

    def run(path: Path) -> list[int]:
        video = VideoStreamAv(str(path), suppress_output=True)
        manager = SceneManager()
        manager.add_detector(make_detector())
        manager.detect_scenes(video)
        starts = [scene[0] for scene in manager.get_scene_list()[1:]]
        cuts = [Fraction(start.pts) * start.time_base for start in starts]
        times = list(frame_times(path)) if cuts else []
        return [bisect_left(times, cut) for cut in cuts]

    return run


def frame_times(path: Path) -> Iterator[Fraction]:
    """When each frame is shown, from 0."""
    with closing(open_reader(path, DecodeSettings(reader="pyav"), for_picks=False)) as reader:
        yield from (frame.time for frame in reader.read_frames())


def contenders() -> dict[str, Contender]:
    """All four, at their defaults; long scenes are not split."""
    from scenedetect import AdaptiveDetector, ContentDetector

    return {
        "adaptive": ours(SceneSettings(max_scene_seconds=None)),
        "content": ours(SceneSettings(detector="content", max_scene_seconds=None)),
        "scenedetect adaptive": scenedetect(AdaptiveDetector),
        "scenedetect content": scenedetect(ContentDetector),
    }
