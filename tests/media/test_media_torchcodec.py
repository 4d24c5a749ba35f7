"""What only torchcodec has to stand: being missing, giving up half-way, colours it leaves to us, a card."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from av.video.frame import VideoFrame
from PIL import Image
from sample_clips import Encoding, write_video

from corridor_cli import errors
from corridor_cli.media import torchcodec_reader
from corridor_cli.media.colour import MATRICES
from corridor_cli.media.limits import BusyClock, within_limits
from corridor_cli.media.open_reader import open_reader
from corridor_cli.media.picks import KnownPick, read_picks
from corridor_cli.media.picture import Converter
from corridor_cli.media.rgb_frame import planes_on_device
from corridor_cli.settings import DecodeSettings
from tests import clips

Clip = Callable[[str], Path]
TORCHCODEC = DecodeSettings(reader="torchcodec")
needs_torchcodec = pytest.mark.needs_torchcodec


@pytest.fixture
def fresh() -> Iterator[None]:
    """torchcodec is looked for anew, before and after."""
    torchcodec_reader.load_torchcodec.cache_clear()
    yield
    torchcodec_reader.load_torchcodec.cache_clear()


# --- it is not there ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("fresh")
def test_without_torchcodec_pyav_reads_and_says_why(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        torchcodec_reader, "find_spec", lambda name: None if name == "torchcodec" else found(name)
    )
    reader = open_reader(clip("h264.mp4"), TORCHCODEC, for_picks=False)
    assert reader.name == "pyav"
    (told,) = reader.choice.fallbacks
    assert told == "torchcodec: torchcodec is not installed (pip install 'vlmtl[torchcodec]')"
    assert len(list(reader.read_frames())) == 70
    reader.close()


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("Could not load libtorchcodec. Likely causes:\n  1. FFmpeg"), "apt-get install ffmpeg"),
        (OSError("libc10.so: cannot open shared object file\nmore"), "libc10.so: cannot open shared object"),
        (ImportError("No module named 'torch'"), "No module named 'torch'"),
    ],
)
def test_a_torchcodec_that_does_not_load_is_one_line(
    clip: Clip, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    class Broken:
        def find_spec(self, name: str, *_: object) -> None:
            if name.startswith("torchcodec"):
                raise error

    for name in [name for name in sys.modules if name.partition(".")[0] == "torchcodec"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(torchcodec_reader, "find_spec", lambda name: object())
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    reader = open_reader(clip("h264.mp4"), TORCHCODEC, for_picks=False)
    assert reader.name == "pyav"
    (told,) = reader.choice.fallbacks
    assert told.startswith("torchcodec: torchcodec cannot be loaded: ")
    assert words in told
    assert "\n" not in told


def test_a_worker_that_does_not_use_it_loads_no_torch(clip: Clip) -> None:
    code = (
        "import sys; from pathlib import Path; from corridor_cli.media.open_reader import open_reader\n"
        "from corridor_cli.settings import DecodeSettings\n"
        f"path = Path({str(clip('h264.mp4'))!r})\n"
        "for for_picks in (False, True):\n"
        "    reader = open_reader(path, DecodeSettings(), for_picks=for_picks)\n"
        "    next(iter(reader.read_frames())).rgb(); reader.close()\n"
        "print(*{'torch', 'torchcodec'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == ""


# --- it gives up -------------------------------------------------------------------------------------------


@needs_torchcodec
@pytest.mark.parametrize("bad", [1, 40])
def test_where_it_gives_up_pyav_goes_on(clip: Clip, tmp_path: Path, bad: int) -> None:
    damaged = clips.with_bad_packet(clip("h264.mp4"), tmp_path / "bad.mp4", bad)
    alone = open_reader(damaged, DecodeSettings(reader="pyav"), for_picks=False)
    expected = [(frame.index, frame.time) for frame in alone.read_frames()]
    beats: list[None] = []
    reader = open_reader(damaged, TORCHCODEC, for_picks=False, on_beat=lambda: beats.append(None))
    assert reader.name == "torchcodec"
    beats.clear()  # what the file was looked at for
    assert [(frame.index, frame.time) for frame in reader.read_frames()] == expected
    assert len(beats) >= len(expected)  # frames passed over show life, too
    assert reader.name == reader.choice.name == "pyav"
    assert reader.choice.reason == "took over from torchcodec"
    (told,) = reader.choice.fallbacks
    assert told.startswith("torchcodec: ")
    assert str(tmp_path) not in told
    assert re.search(r", after \d+ frames$", told)
    assert (reader.end, reader.is_variable_frame_rate) == (alone.end, alone.is_variable_frame_rate)
    assert reader.warnings == alone.warnings
    reader.close()


@needs_torchcodec
def test_a_limit_is_a_limit_and_nobody_takes_over(clip: Clip) -> None:
    settings = DecodeSettings(reader="torchcodec", max_frames=10)
    reader = open_reader(clip("h264.mp4"), settings, for_picks=False)
    with pytest.raises(errors.LimitError, match="more than the 10 frames"):
        list(within_limits(reader.read_frames(), clip("h264.mp4"), settings, BusyClock()))
    assert reader.name == "torchcodec"
    reader.close()


@needs_torchcodec
@pytest.mark.parametrize("name", ["faststart.mp4", "vp8.webm", "h264.mkv", "h264.flv"])
def test_a_cut_file_ends_with_pyavs_error(clip: Clip, tmp_path: Path, name: str) -> None:
    """FFmpeg reads a WebM that is cut short to its end without a word."""
    cut = clips.truncated(clip(name), tmp_path / name, 0.6)
    reader = open_reader(cut, TORCHCODEC, for_picks=False)
    with pytest.raises(errors.DecodeError, match=r"after \d+ frames"):
        list(reader.read_frames())
    assert reader.name == "pyav"
    assert reader.choice.fallbacks[0].startswith("torchcodec: ")
    reader.close()


@needs_torchcodec
def test_it_still_gets_mpeg_ts_and_avi_wrong(clip: Clip) -> None:
    """Why they are routed to PyAV; when this fails, a newer torchcodec may be trusted with them."""
    decoder_type, _ = torchcodec_reader.load_torchcodec()
    decoder = decoder_type(str(clip("h264.ts")))
    assert decoder.get_frame_at(0).pts_seconds > decoder.metadata.begin_stream_seconds + 0.02
    packed = decoder_type(str(clip("mpeg4_packed.avi")))
    with pytest.raises(RuntimeError, match="no more frames"):
        all(packed.get_frame_at(index) for index in range(len(packed)))


# --- pictures ----------------------------------------------------------------------------------------------


@needs_torchcodec
def test_known_frames_come_with_the_very_same_pixels(clip: Clip) -> None:
    scan = open_reader(clip("h264_bframes.mp4"), DecodeSettings(reader="pyav"), for_picks=False)
    known = [
        KnownPick(f.index, f.time, zlib.crc32(f.rgb().data)) for f in scan.read_frames() if f.index % 7 == 0
    ]
    scan.close()
    got = list(read_picks(clip("h264_bframes.mp4"), known, TORCHCODEC))
    assert [pick for pick, _, _ in got] == known
    assert {choice.name for _, _, choice in got} == {"torchcodec"}


@needs_torchcodec
def test_picks_of_a_scan_whose_pixels_differ_are_found_by_the_reader_that_made_it(tmp_path: Path) -> None:
    """Unmarked HD: torchcodec's pictures are mended, near PyAV's but not equal to them."""
    path = write_video(
        tmp_path / "hd.mp4", clips.quartered(12, (1280, 720)), Encoding(options={"preset": "ultrafast"})
    )
    readers = [
        open_reader(path, DecodeSettings(reader=name), for_picks=False)  # type: ignore[arg-type]
        for name in ("torchcodec", "pyav")
    ]
    ours, theirs = ([frame.rgb() for frame in reader.read_frames()] for reader in readers)
    assert [reader.name for reader in readers] == ["torchcodec", "pyav"]
    assert all(np.abs(a.astype(int) - b).mean() < 2 for a, b in zip(ours, theirs, strict=True))
    known = [KnownPick(7, Fraction(7, 25), zlib.crc32(ours[7].data))]
    ((_, picture, choice),) = read_picks(path, known, TORCHCODEC)
    assert np.array_equal(picture.rgb, ours[7])
    assert choice.name == "torchcodec"
    with pytest.raises(errors.DecodeError, match="not in it any more"):
        list(read_picks(path, known, DecodeSettings(reader="pyav")))


@needs_torchcodec
@pytest.mark.parametrize("matrix", [1, 2, 6])
@pytest.mark.parametrize("num_turns", [0, 1])
def test_planes_made_on_a_card_are_those_of_the_cpu(matrix: int, num_turns: int) -> None:
    """The same code, on tensors that lie in main memory."""
    import torch

    random = np.random.default_rng(5)
    blocks = random.integers(0, 256, (9, 16, 3)).astype(np.uint8)
    # Without hard edges: of every ten pixels one is sampled, by either a little beside the other's.
    picture = np.asarray(Image.fromarray(blocks).resize((1280, 720), Image.Resampling.BICUBIC)).copy()
    coded = np.ascontiguousarray(np.rot90(picture, num_turns))
    expected = Converter().planes(VideoFrame.from_ndarray(coded, format="rgb24"), MATRICES.get(matrix))
    planes = planes_on_device(torch.from_numpy(picture), num_turns, matrix)
    for plane, theirs in zip(planes, expected, strict=True):
        assert plane.shape == theirs.shape
        assert plane.dtype == np.uint8
        assert np.abs(plane.astype(int) - theirs).mean() < 1.5


@needs_torchcodec
@pytest.mark.parametrize("device", ["cuda", "cuda:7"])
def test_a_card_that_is_not_there_is_told(clip: Clip, device: str) -> None:
    import torch

    if torch.cuda.device_count() > 7:
        pytest.skip("this machine has that card")
    settings = DecodeSettings(reader="torchcodec", device=device)
    reader = open_reader(clip("h264.mp4"), settings, for_picks=True)
    assert (
        "on the CPU (torch sees no CUDA device" in reader.choice.reason or "on cuda:0" in reader.choice.reason
    )
    assert len(list(reader.read_frames_at([(3, Fraction(3, 25))]))) == 1
    reader.close()
