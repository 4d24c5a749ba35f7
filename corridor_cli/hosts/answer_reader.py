"""The children that say which readers work here: each decodes a clip of a few frames that was just drawn.

The first draws the clip, and one for each codec that can be written here, and decodes them by PyAV.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

from corridor_cli.hosts.process import enter_child
from corridor_cli.hosts.question import Teller
from corridor_cli.settings import DecodeSettings

if TYPE_CHECKING:
    from typing import Literal

NUM_FRAMES = 8
LEVEL_STEP = 20
"""Frame n is a gray of 40 + n * LEVEL_STEP: which frame came out is seen by its level."""
_FIRST_LEVEL = 40
_LEVEL_TOLERANCE = 9
_SIDE_PX = 64
LOAD, READ = "loading PyAV", "reading the clip"

# Name: decoders that would do, encoders to try, pixel format, and options that make the encoder quick.
CODECS: dict[str, tuple[tuple[str, ...], tuple[str, ...], str, dict[str, str]]] = {
    "h264": (("h264",), ("libx264", "libopenh264"), "yuv420p", {"preset": "ultrafast"}),
    "hevc": (("hevc",), ("libx265",), "yuv420p", {"preset": "ultrafast", "x265-params": "pools=1"}),
    "vp8": (("vp8", "libvpx"), ("libvpx",), "yuv420p", {"deadline": "realtime", "cpu-used": "8"}),
    "vp9": (("vp9", "libvpx-vp9"), ("libvpx-vp9",), "yuv420p", {"deadline": "realtime", "cpu-used": "8"}),
    # FFmpeg's own `av1` only drives cards.
    "av1": (("libdav1d", "libaom-av1"), ("libsvtav1", "libaom-av1"), "yuv420p", {"preset": "10"}),
    "mpeg2": (("mpeg2video",), ("mpeg2video",), "yuv420p", {}),
    "mpeg4": (("mpeg4",), ("mpeg4",), "yuv420p", {}),
    "prores": (("prores",), ("prores_ks", "prores"), "yuv422p10le", {}),
}


def main(answer_fd: int, parent_pid: int, reader: str, path: str) -> None:
    """`path` is a folder for `pyav`, which draws there, and the clip for the others.

    Facts: `clip` (the path of the one to read), `codec NAME` (decoded, present, missing), and of each reader
    `frames`, or `instead` with the reason why another one would read it.
    """
    enter_child(parent_pid)
    teller = Teller(answer_fd)
    if reader != "pyav":
        with teller.step(READ):
            teller.tell(**_read(Path(path), reader))
        return
    with teller.step(LOAD):
        import av

        teller.tell(ffmpeg=getattr(av, "ffmpeg_version_info", None), av=av.__version__)
    clip: Path | None = None
    for name in CODECS:
        drawn: Path | None = None
        with teller.step(f"codec {name}"):
            teller.tell(**{f"codec {name}": _presence(name)})
            made = _draw(Path(path), name)
            if made is not None and _frames_of(made) == NUM_FRAMES:
                teller.tell(**{f"codec {name}": "decoded"})
                drawn = made
        # Read at once: an encoder that crashes later says nothing about reading.
        if drawn is not None and clip is None:
            clip = drawn
            with teller.step(READ):
                teller.tell(clip=str(clip), **_read(clip, "pyav"))


def _draw(folder: Path, name: str) -> Path | None:
    """A clip of grays that grow lighter; None where no encoder for the codec is here."""
    import av
    import numpy as np

    _, encoders, pixel_format, options = CODECS[name]
    encoder = next((each for each in encoders if each in av.codecs_available and _is_codec(each, "w")), None)
    if encoder is None:
        return None
    path = folder / f"{name}.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(encoder, rate=25, options=options)
        stream.width = stream.height = _SIDE_PX
        stream.pix_fmt = pixel_format
        stream.codec_context.thread_count = 1
        for number in range(NUM_FRAMES):
            gray = np.full((_SIDE_PX, _SIDE_PX, 3), _FIRST_LEVEL + number * LEVEL_STEP, np.uint8)
            frame = av.VideoFrame.from_ndarray(gray, format="rgb24").reformat(format=pixel_format)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _frames_of(path: Path) -> int:
    import av

    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def _presence(name: str) -> str:
    """`present`: a decoder is here, and was not tried for want of an encoder, or failed on what it wrote."""
    return "present" if any(_is_codec(each, "r") for each in CODECS[name][0]) else "missing"


def _is_codec(name: str, mode: Literal["r", "w"]) -> bool:
    import av

    try:
        av.Codec(name, mode)
    except (ValueError, LookupError):  # PyAV's own error is a ValueError
        return False
    return True


def _read(clip: Path, name: str) -> dict[str, object]:
    """Decode the clip as a media worker would, and look whether the frames are those that were drawn."""
    from corridor_cli.media.open_reader import open_reader

    chosen = cast("Literal['decord', 'pyav', 'torchcodec']", name)
    settings = DecodeSettings(reader=chosen, device="cpu")
    # As for picks: a reader that gives up is then not relieved by PyAV.
    reader = open_reader(clip, settings, for_picks=True)
    try:
        if reader.name != name:
            return {"instead": "; ".join(reader.choice.fallbacks)}
        levels = [float(frame.rgb().mean()) for frame in reader.read_frames()]
    finally:
        reader.close()
    wanted = [_FIRST_LEVEL + number * LEVEL_STEP for number in range(NUM_FRAMES)]
    is_right = len(levels) == len(wanted) and all(
        abs(level - right) <= _LEVEL_TOLERANCE for level, right in zip(levels, wanted, strict=True)
    )
    return {"frames": len(levels), "is_right": is_right}
