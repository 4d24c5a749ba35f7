"""Videos that keep a decoder busy, drawn by code: soft texture that moves, a cut half-way; needs PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageFilter
from quiet_encoders import QUIET, usual_priority
from sample_clips import Pixels

SIZES = {480: (854, 480), 720: (1280, 720), 1080: (1920, 1080), 2160: (3840, 2160)}
ENCODERS = {
    "h264": ("libx264", {"preset": "veryfast", "crf": "23"}),
    "hevc": ("libx265", {"preset": "ultrafast", "crf": "26"}),
    "vp9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "crf": "32", "b": "0", "row-mt": "1"}),
    "av1": ("libsvtav1", {"preset": "12", "crf": "35"}),
}
CONTAINERS = {"h264": "mp4", "hevc": "mp4", "vp9": "webm", "av1": "mkv"}
RATE = Fraction(30)


@usual_priority()
def draw_busy(folder: Path, codec: str, size: tuple[int, int], num_frames: int) -> Path:
    """Encode such a clip, marked as BT.709, keyframes every four seconds; what is there is kept."""
    name, options = ENCODERS[codec]
    path = folder / f"{codec}-{size[1]}p-{num_frames}.{CONTAINERS[codec]}"
    if path.exists():
        return path
    half_done = path.with_name(f"half-done.{path.name}")
    with av.open(str(half_done), "w") as container:
        stream = container.add_stream(name, rate=RATE, options={**QUIET.get(name, {}), **options})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.colorspace, stream.codec_context.gop_size = 1, 120
        for index, picture in enumerate(textures(size, num_frames)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                format="yuv420p", dst_colorspace="ITU709"
            )
            frame.pts, frame.time_base = index, 1 / RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return half_done.rename(path)


def textures(size: tuple[int, int], num_frames: int) -> Iterator[Pixels]:
    """Crops that wander over a large soft-noise picture, half of them over another one."""
    width, height = size
    random = np.random.default_rng(11)
    for half in range(2):
        count = num_frames // 2 if half == 0 else num_frames - num_frames // 2
        noise = random.integers(0, 256, (height // 4 + count, width // 4 + count, 3)).astype(np.uint8)
        wide = ((width // 4 + count) * 4, (height // 4 + count) * 4)
        ground = Image.fromarray(noise).resize(wide, Image.Resampling.BICUBIC)
        picture = np.asarray(ground.filter(ImageFilter.GaussianBlur(1)))
        for step in range(count):
            yield np.ascontiguousarray(picture[2 * step :, 3 * step :][:height, :width])
