"""The tests' videos: drawn and encoded by code, a recipe for each oddity.

`draw(name, folder)` writes one of `RECIPES` and returns its path; byte edits below damage what was drawn.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition
from sample_clips import COLOURS, Encoding, Pixels, SceneRecipe, draw_story, thin, write_video

STORY = (
    SceneRecipe("circle", "red", "white", seconds=1.0),
    SceneRecipe("square", "yellow", "blue", start_place=(0.6, 0.5), end_place=(0.3, 0.5), seconds=1.0),
    SceneRecipe("triangle", "green", "black", seconds=0.8, dissolve_seconds=0.4),
)
X264 = {"preset": "ultrafast", "crf": "23"}
VPX = {"deadline": "realtime", "cpu-used": "8", "crf": "30", "b": "300k"}
SIZE = (160, 120)


def story(size: tuple[int, int] = SIZE, rate: int = 25) -> Iterator[tuple[Fraction, Pixels]]:
    """(time, picture) of 2.8 s with one hard cut at 1.0 s and a dissolve from 2.0 s on."""
    return draw_story(STORY, Fraction(rate), *size)


def solid(colour: str, num_frames: int, size: tuple[int, int] = SIZE) -> Iterator[tuple[Fraction, Pixels]]:
    """One colour that does not move, at 25 frames/s."""
    picture = np.full((size[1], size[0], 3), COLOURS[colour], dtype=np.uint8)
    return ((Fraction(i, 25), picture) for i in range(num_frames))


def quartered(num_frames: int, size: tuple[int, int] = SIZE) -> Iterator[tuple[Fraction, Pixels]]:
    """Red, green, blue and white quarters (left-right, top-bottom): shows every turn and mirroring."""
    width, height = size
    picture = np.empty((height, width, 3), dtype=np.uint8)
    picture[: height // 2, : width // 2] = COLOURS["red"]
    picture[: height // 2, width // 2 :] = COLOURS["green"]
    picture[height // 2 :, : width // 2] = COLOURS["blue"]
    picture[height // 2 :, width // 2 :] = COLOURS["white"]
    return ((Fraction(i, 25), picture) for i in range(num_frames))


def later(
    pictures: Iterator[tuple[Fraction, Pixels]], seconds: Fraction
) -> Iterator[tuple[Fraction, Pixels]]:
    """The same pictures with all times moved."""
    return ((time + seconds, picture) for time, picture in pictures)


def _h264(path: Path, **changes: object) -> Path:
    pictures = changes.pop("pictures", None) or story()
    return write_video(path, pictures, Encoding(options=X264, **changes))  # type: ignore[arg-type]


def _audio_only(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        for start in range(0, 48000, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _cover_art(path: Path) -> Path:
    """Music with a cover picture, which FFmpeg lists as a video stream."""
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=48000, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 200, np.uint8), format="rgb24")
        for packet in cover.encode(picture.reformat(format="yuvj420p")) + cover.encode(None):
            container.mux(packet)
        for start in range(0, 48000, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48000, start
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path


def _two_videos(path: Path) -> Path:
    """A small stream first, a larger one second, which is marked as the one to show."""
    with av.open(str(path), "w") as container:
        streams = []
        for width, height, colour in ((64, 48, "red"), (160, 120, "blue")):
            stream = container.add_stream("libx264", rate=25, options=X264)
            stream.disposition = Disposition.default if streams else Disposition(0)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            streams.append((stream, list(solid(colour, 10, (width, height)))))
        for i in range(10):
            for stream, pictures in streams:
                frame = av.VideoFrame.from_ndarray(pictures[i][1], format="rgb24")
                frame.pts, frame.time_base = i, Fraction(1, 25)
                container.mux(stream.encode(frame))
        for stream, _ in streams:
            container.mux(stream.encode(None))
    return path


def _changing_size(path: Path) -> Path:
    """Raw H.264 whose pictures grow in the middle: two streams joined end to end."""
    parts = []
    for size in ((96, 64), (160, 120)):
        part = path.with_suffix(f".{size[0]}.h264")
        write_video(part, solid("green", 10, size), Encoding(options=X264))
        parts.append(part.read_bytes())
        part.unlink()
    path.write_bytes(b"".join(parts))
    return path


RECIPES: dict[str, Callable[[Path], Path]] = {
    # Every codec and container that is common, well-formed.
    "h264.mp4": _h264,
    "h264_bframes.mp4": lambda p: write_video(
        p, story(), Encoding(options={"preset": "veryfast", "crf": "23"}, max_b_frames=3)
    ),
    "h264_audio.mp4": lambda p: _h264(p, has_audio=True),
    "h264.mkv": _h264,
    "h264.mov": _h264,
    "h264.flv": _h264,
    "h264.avi": _h264,
    "h264.ts": lambda p: write_video(
        p, story(), Encoding(options={"preset": "veryfast", "crf": "23"}, max_b_frames=3)
    ),
    "h264_444.mp4": lambda p: _h264(p, pixel_format="yuv444p"),
    "h264_10bit.mp4": lambda p: _h264(p, pixel_format="yuv420p10le"),
    "h264_full_range.mp4": lambda p: _h264(p, pixel_format="yuvj420p"),
    "hevc.mp4": lambda p: write_video(p, story(), Encoding("libx265", options={"preset": "ultrafast"})),
    "vp8.webm": lambda p: write_video(p, story(), Encoding("libvpx", options=VPX)),
    "vp9.webm": lambda p: write_video(p, story(), Encoding("libvpx-vp9", options=VPX)),
    "vp9_altref.webm": lambda p: write_video(
        p,
        story(),
        Encoding(
            "libvpx-vp9", options={"cpu-used": "8", "auto-alt-ref": "1", "lag-in-frames": "16", "crf": "30"}
        ),
    ),
    "av1.mkv": lambda p: write_video(
        p, story(), Encoding("libsvtav1", options={"preset": "8", "svtav1-params": "lp=1"})
    ),
    "mpeg2.mpg": lambda p: write_video(p, story(), Encoding("mpeg2video")),
    "mpeg4.avi": lambda p: write_video(p, story(), Encoding("mpeg4")),
    "mpeg4_packed.avi": lambda p: write_video(p, story(), Encoding("mpeg4", max_b_frames=2)),
    "rgb.avi": lambda p: write_video(p, solid("red", 6), Encoding("rawvideo", "bgr24")),
    "gray.mkv": lambda p: write_video(p, story(), Encoding("ffv1", "gray")),
    # Time and shape.
    "vfr.webm": lambda p: write_video(
        p,
        thin(story(), lambda i: i < 20 or i % 3 == 0),
        Encoding("libvpx", options=VPX, time_base=Fraction(1, 1000)),
    ),
    "vfr.mp4": lambda p: _h264(p, pictures=thin(story(), lambda i: i < 20 or i % 3 == 0)),
    "late_start.mp4": lambda p: _h264(
        p, pictures=later(story(), Fraction(8)), container_options={"use_editlist": "0"}
    ),
    "late_start.mkv": lambda p: _h264(p, pictures=later(story(), Fraction(8))),
    "odd_161x121.webm": lambda p: write_video(p, story((161, 121)), Encoding("libvpx-vp9", options=VPX)),
    "odd_121x81.mkv": lambda p: write_video(p, story((121, 81)), Encoding("ffv1", "yuv444p")),
    "1x1.mkv": lambda p: write_video(p, solid("red", 5, (1, 1)), Encoding("ffv1", "yuv444p")),
    "tall_20x700.mkv": lambda p: write_video(p, solid("blue", 3, (20, 700)), Encoding("ffv1", "yuv444p")),
    "single_frame.mp4": lambda p: _h264(p, pictures=solid("purple", 1)),
    "single_frame.webm": lambda p: write_video(p, solid("purple", 1), Encoding("libvpx", options=VPX)),
    "rotated_90.mp4": lambda p: _h264(p, pictures=quartered(6), rotation_degrees=90),
    "rotated_180.mp4": lambda p: _h264(p, pictures=quartered(6), rotation_degrees=180),
    "rotated_270.mov": lambda p: _h264(p, pictures=quartered(6), rotation_degrees=270),
    "mirrored.mp4": lambda p: _h264(p, pictures=quartered(6), is_mirrored=True),
    "raw.h264": _h264,
    "two_videos.mp4": _two_videos,
    "changing_size.h264": _changing_size,
    "solid_red.mp4": lambda p: _h264(p, pictures=solid("red", 25)),
    "faststart.mp4": lambda p: _h264(p, container_options={"movflags": "faststart"}),
    "fragmented.mp4": lambda p: _h264(p, container_options={"movflags": "frag_keyframe+empty_moov"}),
    # Nothing to see.
    "audio_only.mp4": _audio_only,
    "cover_art.mp4": _cover_art,
}


def draw(name: str, folder: Path) -> Path:
    """Write the clip called `name` into `folder`, unless it is there already."""
    path = folder / name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        half_done = folder / f"half-done.{name}"
        RECIPES[name](half_done).rename(path)
    return path


def truncated(source: Path, target: Path, share: float) -> Path:
    """The first `share` of a file's bytes."""
    data = source.read_bytes()
    target.write_bytes(data[: int(len(data) * share)])
    return target


def with_bad_packet(source: Path, target: Path, number: int) -> Path:
    """The same file with one packet's bytes overwritten, so that the decoder refuses it."""
    with av.open(str(source)) as container:
        packets = [p for p in container.demux(container.streams.video[0]) if p.size]
    packet = packets[number]
    data = bytearray(source.read_bytes())
    at = data.find(bytes(packet))
    assert at >= 0, "the packet does not lie in the file as it is decoded"
    data[at : at + packet.size] = b"\xff" * packet.size
    target.write_bytes(data)
    return target


def with_stray_timestamp(source: Path, target: Path, number: int, seconds: int) -> Path:
    """The same packets, one of them to be shown so much later; the order of decoding stays."""
    with av.open(str(source)) as container, av.open(str(target), "w") as output:
        stream = container.streams.video[0]
        copied = output.add_stream_from_template(stream)
        for at, packet in enumerate(p for p in container.demux(stream) if p.size):
            assert packet.pts is not None
            assert packet.time_base is not None
            if at == number:
                packet.pts += round(seconds / packet.time_base)
            packet.stream = copied
            output.mux(packet)
    return target


def with_stray_block_times(source: Path, target: Path, shifts: Mapping[int, float]) -> Path:
    """A Matroska file with the times of some blocks moved, by up to 30 s; muxers refuse to go back."""
    data = bytearray(source.read_bytes())
    with av.open(str(source)) as container:
        for number, packet in enumerate(p for p in container.demux(container.streams.video[0]) if p.size):
            if number in shifts:
                at = data.index(bytes(packet)) - 3  # track number, the time from the cluster's (ms), flags
                (time,) = struct.unpack_from(">h", data, at)
                struct.pack_into(">h", data, at, time + round(1000 * shifts[number]))
    target.write_bytes(data)
    return target


def with_all_packets_bad(source: Path, target: Path) -> Path:
    """A well-formed container around a video stream that yields no picture."""
    with av.open(str(source)) as container:
        spans = [(p.pos, p.size) for p in container.demux(container.streams.video[0]) if p.size]
    data = bytearray(source.read_bytes())
    for start, size in spans:
        data[start : start + size] = b"\xff" * size
    target.write_bytes(data)
    return target


def without_samples(source: Path, target: Path) -> Path:
    """An MP4 whose sample table says that there are no frames."""
    data = bytearray(source.read_bytes())
    for name, skip in ((b"stsz", 8), (b"stts", 4), (b"stsc", 4), (b"stco", 4), (b"stss", 4), (b"ctts", 4)):
        at = data.find(name)
        if at >= 0:
            data[at + 4 + skip : at + 8 + skip] = struct.pack(">I", 0)
    target.write_bytes(data)
    return target


PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{}\n#EXT-X-ENDLIST\n"
CONCAT_SCRIPT = "ffconcat version 1.0\nfile '{}'\n"


def write_playlist(target: Path, video: Path) -> Path:
    """An HLS playlist under a video's name."""
    target.write_text(PLAYLIST.format(video))
    return target


def write_concat_script(target: Path, video: Path) -> Path:
    """A concat script under a video's name."""
    target.write_text(CONCAT_SCRIPT.format(video))
    return target
