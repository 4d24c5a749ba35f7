"""Whether a video decodes faster on this machine's NVIDIA card than on its processors, as measured there.

`scripts/gpu_check.sh media` measures by codec and height, with all processors busy on one side and the card
on the other, and keeps the table for the machine. What was not measured is not assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import node

from corridor_cli.hardware import keep_measurement, kept_measurement, num_usable_cpus
from corridor_cli.records import VideoInfo

# NVIDIA's driver tells its version here; it is there wherever a card can be used.
DRIVER_VERSION = Path("/proc/driver/nvidia/version")
# The card has to win clearly: each worker that uses it pays seconds to load torch, and memory on the card.
MIN_GAIN = 1.2


@dataclass(frozen=True, slots=True)
class Speed:
    """Frames a second of a scan: on so many processors together, and on the card."""

    num_cpus: int
    cpu_fps: float
    nvdec_fps: float

    def gain(self, num_cpus: int) -> float:
        """How many times as fast the card is as that many processors."""
        return self.nvdec_fps / (self.cpu_fps * num_cpus / self.num_cpus)


def prefers_nvdec(info: VideoInfo, device: str) -> tuple[bool, str]:
    """Whether a scan should go to the card, and why; the reason is "" where there is no card to speak of."""
    if device == "cpu" or not DRIVER_VERSION.is_file():
        return False, ""
    if device.startswith("cuda"):
        return True, "asked for by decode.device"
    speed = known_speed(info.video_codec, min(info.width_px, info.height_px))
    if speed is None:
        return False, "NVDEC was not measured here for it (scripts/gpu_check.sh media)"
    cpus = num_usable_cpus()
    gain = speed.gain(cpus)
    told = f"NVDEC is {gain:.1f} times as fast as {cpus} processors here"
    return gain >= MIN_GAIN, told


def known_speed(codec: str, height_px: int) -> Speed | None:
    """What was measured on this machine for the codec, at the nearest height; None when nothing was."""
    try:
        table = _read_table()
        heights = {int(name.partition(" ")[2]): name for name in table if name.partition(" ")[0] == codec}
        nearest = min(heights, key=lambda height: abs(height - height_px))
        found = table[heights[nearest]]
        return Speed(int(found["num_cpus"]), found["cpu_fps"], found["nvdec_fps"])
    except (ValueError, TypeError, KeyError):
        return None


def keep_speed(codec: str, height_px: int, speed: Speed) -> None:
    """Write down what was measured, beside what is known of other codecs and heights."""
    entry = {"num_cpus": speed.num_cpus, "cpu_fps": speed.cpu_fps, "nvdec_fps": speed.nvdec_fps}
    keep_measurement("nvdec", _machine_key(), {**_read_table(), f"{codec} {height_px}": entry})


def _read_table() -> dict[str, dict[str, float]]:
    table = kept_measurement("nvdec", _machine_key())
    return table if isinstance(table, dict) else {}


def _machine_key() -> str:
    """Names machine, driver and torchcodec, without importing torch."""
    try:
        driver = DRIVER_VERSION.read_text(encoding="utf-8").partition("\n")[0]
        codec = version("torchcodec")
    except (OSError, PackageNotFoundError):
        driver = codec = "none"
    return f"{node()}/{driver}/torchcodec {codec}"
