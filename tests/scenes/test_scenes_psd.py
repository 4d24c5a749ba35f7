"""The detectors content and psd-adaptive find PySceneDetect's cuts: they score the same bits."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import cv2
import numpy as np
import pytest
from sample_clips import Encoding, write_video
from scenedetect import AdaptiveDetector, ContentDetector, SceneManager
from scenedetect.backends.pyav import VideoStreamAv
from scenes_pictures import Picture, at_rate, moving, plain, rounded, still

from corridor_cli.media.open_reader import open_reader
from corridor_cli.scenes.detectors.opencv import Shrinker, small_size, to_hsv
from corridor_cli.scenes.detectors.psd_score import as_decoded, decoded_rgb
from corridor_cli.scenes.find import SceneFinder
from corridor_cli.settings import DecodeSettings, FrameSettings, SceneSettings

# Each test scans a few hundred frames a few times: a second of a quiet core.
pytestmark = pytest.mark.timeout(400)

SIZES = [(1920, 1080), (854, 480), (640, 272), (161, 121), (720, 1280), (321, 241), (300, 40), (256, 144)]


@pytest.mark.parametrize("size", SIZES)
def test_shrinking_is_opencvs_to_the_bit(size: tuple[int, int]) -> None:
    width, height = size
    picture = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)

    expected = cv2.resize(picture, small_size(width, height), interpolation=cv2.INTER_LINEAR)
    if small_size(width, height) == size:
        expected = picture
    assert np.array_equal(Shrinker(width, height).apply(picture), expected)


def test_hsv_is_opencvs_to_the_bit() -> None:
    green, red = np.mgrid[0:256, 0:256].astype(np.uint8)
    for blue in range(0, 256, 5):
        rgb = np.stack((red, green, np.full_like(red, blue)), axis=2)
        expected = np.moveaxis(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV), 2, 0)
        assert np.array_equal(to_hsv(rgb), expected)


def story() -> list[Picture]:
    """Cuts of all sizes and distances: far apart, in bursts, faint, and one right after the start."""
    burst = [picture for seed in range(20, 25) for picture in still(seed, 4)]
    faint = [*plain(90, 16, 120, 128), *plain(118, 16, 124, 128), *plain(90, 16, 140, 120)]
    return [*still(1, 6), *moving(2, 24, 3), *still(3, 18), *burst, *moving(4, 20, 5), *faint, *moving(5, 14)]


ENCODINGS = {
    "h264.mp4": Encoding(options={"preset": "ultrafast", "crf": "24"}),
    "ntsc.mkv": Encoding(rate=Fraction(30000, 1001), options={"preset": "ultrafast"}),
    "ten-bits.mkv": Encoding(pixel_format="yuv420p10le", options={"preset": "ultrafast"}),
    "turned.mp4": Encoding(options={"preset": "ultrafast"}, rotation_degrees=90),
    "vfr.webm": Encoding(
        "libvpx", rate=Fraction(30), time_base=Fraction(1, 1000), options={"cpu-used": "8"}
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The story in several encodings, 320×180: large enough to be shrunk."""
    folder = tmp_path_factory.mktemp("psd")
    for name, how in ENCODINGS.items():
        pictures = (
            (frame.index / how.rate, grown(rounded(picture)))
            for frame, picture in zip(at_rate(story()), story(), strict=True)
            if name != "vfr.webm" or frame.index < 60 or frame.index % 3
        )
        write_video(folder / name, pictures, how)
    return folder


def grown(planes: np.ndarray) -> np.ndarray:
    """RGB of 320×180 from planes of 128×72, taken for RGB."""
    return cv2.resize(np.moveaxis(planes, 0, 2), (320, 180), interpolation=cv2.INTER_CUBIC)


Detector = Literal["content", "psd-adaptive"]


def our_cuts(
    path: Path, detector: Detector, threshold: float | None, seconds: float | None
) -> list[Fraction]:
    settings = SceneSettings(
        detector=detector, threshold=threshold, min_scene_seconds=seconds, max_scene_seconds=None
    )
    with closing(open_reader(path, DecodeSettings(reader="pyav"), for_picks=False)) as reader:
        finder = SceneFinder(settings, FrameSettings(), info=reader.info)
        found = [scene for frame in reader.read_frames() for scene in finder.push([frame])]
        assert reader.end is not None
        found += finder.finish(reader.end)
    return [one.scene.start for one in found[1:]]


def their_cuts(
    path: Path, detector: Detector, threshold: float | None, seconds: float | None
) -> list[Fraction]:
    length = 15 if seconds is None else seconds
    manager = SceneManager()
    if detector == "content":
        manager.add_detector(ContentDetector(threshold or 27.0, length))
    else:
        manager.add_detector(AdaptiveDetector(threshold or 3.0, length))
    manager.detect_scenes(VideoStreamAv(str(path), suppress_output=True))
    return [Fraction(start.pts) * start.time_base for start, _ in manager.get_scene_list()[1:]]


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("detector", ["content", "psd-adaptive"])
def test_the_cuts_are_pyscenedetects(drawn: Path, name: str, detector: Detector) -> None:
    low = 12.0 if detector == "content" else 1.5
    ways = [(None, None), (low, 0.2), (low, 0.0)]
    expected = [their_cuts(drawn / name, detector, *way) for way in ways]

    assert [our_cuts(drawn / name, detector, *way) for way in ways] == expected
    assert len(expected[0]) >= 2
    assert expected[0] != expected[1]


def test_a_turned_picture_is_turned_back(drawn: Path) -> None:
    path = drawn / "turned.mp4"
    with closing(open_reader(path, DecodeSettings(reader="pyav"), for_picks=False)) as reader:
        frame = next(iter(reader.read_frames()))
        assert frame.rgb().shape == (320, 180, 3)
        assert np.array_equal(as_decoded(frame.rgb(), reader.info), decoded_rgb(frame, reader.info))


def test_bgr_is_what_pyav_gives_others(drawn: Path) -> None:
    path = drawn / "ten-bits.mkv"
    with (
        av.open(str(path)) as container,
        closing(open_reader(path, DecodeSettings(reader="pyav"), for_picks=False)) as reader,
    ):
        expected = next(container.decode(video=0)).to_ndarray(format="bgr24")
        frame = next(iter(reader.read_frames()))
        assert np.array_equal(decoded_rgb(frame, reader.info)[:, :, ::-1], expected)
