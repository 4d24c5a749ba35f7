"""The readers under a clock: a scan as a media worker makes it, and known picks."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from av.codec.hwaccel import HWAccel

from corridor_cli.errors import DecodeError
from corridor_cli.media.open_reader import open_reader
from corridor_cli.media.picks import KnownPick, read_picks
from corridor_cli.media.picture import Converter
from corridor_cli.settings import DecodeSettings

NUM_PICKS = 24
# Ways of decoding that are measured: our readers by name, and FFmpeg's own NVDEC, which PyAV can drive.
HWACCEL = "pyav-hwaccel"


@dataclass(frozen=True, slots=True)
class Scan:
    """How one scan went; `how` is the reader's own word on where it decoded."""

    num_frames: int
    seconds: float
    how: str

    @property
    def fps(self) -> float:
        return self.num_frames / self.seconds


def scan(path: Path, way: str, device: str) -> Scan:
    """Decode all frames and make their planes. Raises `DecodeError` when another reader had to do it."""
    if way == HWACCEL:
        return _scan_hwaccel(path, device)
    started = time.perf_counter()
    reader = open_reader(path, DecodeSettings(reader=way, device=device), for_picks=False)  # type: ignore[arg-type]
    num_frames = 0
    try:
        for frame in reader.read_frames():
            assert frame.planes.y.size
            num_frames += 1
        if reader.name != way:
            raise DecodeError("; ".join(reader.choice.fallbacks))
        return Scan(num_frames, time.perf_counter() - started, reader.choice.reason)
    finally:
        reader.close()


def _scan_hwaccel(path: Path, device: str) -> Scan:
    """By FFmpeg's NVDEC; whole pictures come back to main memory, where the planes are made."""
    import av

    number = device.partition(":")[2] or "0"
    accel: Any = HWAccel(device_type="cuda", device=number, allow_software_fallback=False)
    started, converter, num_frames = time.perf_counter(), Converter(), 0
    with av.open(str(path), hwaccel=accel) as container:
        for frame in container.decode(video=0):
            assert converter.planes(frame).y.size
            num_frames += 1
    return Scan(num_frames, time.perf_counter() - started, f"on cuda:{number}")


def known_picks(path: Path) -> list[KnownPick]:
    """Picks as an earlier scan by PyAV would have left them, evenly spread."""
    reader = open_reader(path, DecodeSettings(reader="pyav"), for_picks=False)
    frames: Iterator[Any] = reader.read_frames()
    total = sum(1 for _ in frames)
    wanted = {round((i + 0.5) * total / NUM_PICKS) for i in range(NUM_PICKS)}
    picks = [
        KnownPick(frame.index, frame.time, zlib.crc32(frame.rgb().data))
        for frame in reader.read_frames()
        if frame.index in wanted
    ]
    reader.close()
    return picks


def fetch(path: Path, way: str, picks: list[KnownPick]) -> float:
    """Seconds to fetch the picks. Raises `DecodeError` when another reader had to do it."""
    started = time.perf_counter()
    for _, picture, choice in read_picks(path, picks, DecodeSettings(reader=way, device="cpu")):  # type: ignore[arg-type]
        assert picture.rgb.size
        if choice.name != way:
            raise DecodeError("; ".join(choice.fallbacks))
    return time.perf_counter() - started
