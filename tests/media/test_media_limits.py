"""Each limit of one file: met by really decoding, told clearly, and what came before it stays good."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest
from sample_clips import Encoding, write_video

from corridor_cli.errors import LimitError, MediaError, NoFramesError, UnreadableError
from corridor_cli.media.limits import BusyClock, can_allocate, stalled, within_limits, worker_died
from corridor_cli.media.open_reader import open_reader
from corridor_cli.records import ScanFrame
from corridor_cli.settings import DecodeSettings
from tests import clips

Clip = Callable[[str], Path]
PIXELS = 160 * 120
READERS = ("pyav", "decord")


def scan(path: Path, limits: DecodeSettings) -> tuple[list[ScanFrame], MediaError | None]:
    """The frames until the end or a limit, and the error."""
    reader = open_reader(path, limits, for_picks=False)
    frames: list[ScanFrame] = []
    error = None
    try:
        for frame in within_limits(reader.read_frames(), path, limits, BusyClock()):
            frames.append(frame)
    except MediaError as caught:
        error = caught
    reader.close()
    return frames, error


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [
        ("max_frames", 10, "has more than the 10 frames allowed by decode.max_frames; 10 frames were read"),
        ("max_duration_seconds", 0.4, "is longer than the 0.4 s allowed by decode.max_duration_seconds"),
        ("max_decoded_bytes", 10 * 3 * PIXELS, "decodes to more than the 576,000 bytes allowed by"),
    ],
)
def test_a_limit_ends_the_scan_after_what_is_allowed(
    clip: Clip, reader: str, limit: str, value: float, words: str
) -> None:
    path = clip("h264.mp4")
    frames, error = scan(path, DecodeSettings(reader=reader, **{limit: value}))  # type: ignore[arg-type]
    assert [frame.index for frame in frames] == list(range(10))
    assert type(error) is LimitError
    assert error.message.startswith(f"{path}: ")
    assert words in error.message
    assert "10 frames were read" in error.message
    assert error.hint == f"Raise decode.{limit}, then run again with --retry-failed."
    assert error.at == Fraction(10, 25)
    exactly = {"max_frames": 70, "max_duration_seconds": 2.8, "max_decoded_bytes": 70 * 3 * PIXELS}[limit]
    frames, error = scan(path, DecodeSettings(reader=reader, **{limit: exactly}))  # type: ignore[arg-type]
    assert (len(frames), error) == (70, None)


@pytest.mark.alone
def test_a_limit_of_time_counts_work_and_not_waiting(clip: Clip) -> None:
    path, limits, clock = clip("h264.mp4"), DecodeSettings(max_seconds=0.3), BusyClock()
    reader = open_reader(path, limits, for_picks=False)
    frames = within_limits(reader.read_frames(), path, limits, clock)
    assert next(frames).index == 0
    with clock.paused():
        time.sleep(0.4)
    assert next(frames).index == 1
    time.sleep(0.4)
    with pytest.raises(LimitError, match=r"more than the 0\.3 s allowed by decode\.max_seconds; 2 frames"):
        next(frames)
    reader.close()


def test_a_file_over_its_size_is_not_even_opened(tmp_path: Path) -> None:
    path = tmp_path / "no video.mp4"
    path.write_bytes(b"?" * 1001)
    with pytest.raises(LimitError, match=r"has 1,001 bytes, more than the 1,000 allowed by decode\.max_file"):
        open_reader(path, DecodeSettings(max_file_bytes=1000), for_picks=False)
    with pytest.raises(UnreadableError, match="does not exist"):
        open_reader(tmp_path / "gone.mp4", DecodeSettings(max_file_bytes=1000), for_picks=False)


# --- pictures that grow ------------------------------------------------------------------------------------

SMALL, LARGE = (96, 64), (800, 600)
ENCODINGS = {
    "mpeg2": Encoding("mpeg2video"),
    "mjpeg": Encoding("mjpeg", "yuvj420p"),
    "vp8": Encoding("libvpx", options=clips.VPX),
    "vp9": Encoding("libvpx-vp9", options=clips.VPX),
}


def growing(folder: Path, codec: str, large: tuple[int, int]) -> Path:
    """Ten small pictures, then ten large ones, in one stream that states the small size."""
    how, target = ENCODINGS[codec], folder / f"{codec}.mkv"
    with av.open(str(target), "w") as joined:
        stream = None
        for number, size in enumerate((SMALL, large)):
            part = write_video(folder / f"{codec}-{number}.mkv", clips.solid("green", 10, size), how)
            with av.open(str(part)) as container:
                stream = stream or joined.add_stream_from_template(container.streams.video[0])
                for packet in container.demux(container.streams.video[0]):
                    if packet.pts is not None and packet.dts is not None:
                        packet.stream = stream
                        packet.pts += number * 400
                        packet.dts += number * 400
                        joined.mux(packet)
    return target


@pytest.mark.parametrize("codec", list(ENCODINGS))
def test_pictures_that_grow_beyond_the_limit_end_the_scan(tmp_path: Path, codec: str) -> None:
    frames, error = scan(growing(tmp_path, codec, (128, 96)), DecodeSettings(max_pixels=96 * 64))
    # MPEG-2 holds a picture back for reordering, and loses it when the size changes.
    num_frames = 9 if codec == "mpeg2" else 10
    assert len(frames) == num_frames
    assert type(error) is LimitError
    assert f"grow to 128×96 after {num_frames} frames, more than the 6,144 pixels" in error.message
    assert "decode.max_pixels" in error.hint


@pytest.mark.parametrize("codec", list(ENCODINGS))
def test_pictures_the_decoder_refuses_to_allocate_are_a_limit_too(tmp_path: Path, codec: str) -> None:
    frames, error = scan(growing(tmp_path, codec, LARGE), DecodeSettings(max_pixels=96 * 64))
    assert len(frames) == (9 if codec == "mpeg2" else 10)
    assert type(error) is LimitError
    assert "6,144 pixels allowed by decode.max_pixels" in error.message


def test_a_raw_stream_that_grows_is_ended_at_the_same_place(clip: Clip) -> None:
    frames, error = scan(clip("changing_size.h264"), DecodeSettings(max_pixels=96 * 64))
    assert (len(frames), type(error)) == (10, LimitError)
    frames, error = scan(clip("changing_size.h264"), DecodeSettings(max_pixels=PIXELS))
    assert (len(frames), error) == (20, None)


def test_the_limit_itself_is_allowed_whatever_the_codec_rounds_up_to(tmp_path: Path) -> None:
    how = Encoding(options=clips.X264)
    path = write_video(tmp_path / "a.mp4", clips.solid("red", 3, (1920, 1080)), how)
    frames, error = scan(path, DecodeSettings(max_pixels=1920 * 1080))
    assert (len(frames), error) == (3, None)


def test_damage_that_hides_the_size_is_no_limit(tmp_path: Path, clip: Clip) -> None:
    """Without its parameter sets a stream has no size at all, which is damage and not a picture too large."""
    data = clip("h264.flv").read_bytes()
    (tmp_path / "a.flv").write_bytes(data.replace(b"\x67\x42", b"\x00\x00"))
    frames, error = scan(tmp_path / "a.flv", DecodeSettings())
    assert (frames, type(error)) == ([], NoFramesError)


def test_memory_that_can_be_had_is_told_from_memory_that_cannot() -> None:
    assert can_allocate(0)
    assert can_allocate(1_000_000)
    assert not can_allocate(1 << 62)


# --- what main says of a worker it lost --------------------------------------------------------------------


TOLD = [
    (stalled(61.2, 60.0, 0), ("61 s after no frame", "decode.stall_seconds is 60", "--exclude")),
    (stalled(5.0, 5.0, 1234), ("after 1,234 frames", "decode.stall_seconds")),
    (worker_died("was killed by SIGSEGV", 7), ("killed by SIGSEGV, after 7 frames", "the decoder crash")),
    (worker_died("was killed by SIGKILL", 1), ("after 1 frame.", "memory runs out", "decode.workers")),
]


@pytest.mark.parametrize(("error", "words"), TOLD)
def test_a_lost_worker_is_told_with_the_frames_read_and_what_to_do(
    error: MediaError, words: tuple[str, ...]
) -> None:
    for each in words:
        assert each in str(error)
