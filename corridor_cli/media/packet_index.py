"""What the packets of a file say without decoding: times, order, keyframes, and where keyframes are enough.

All packets are read and none is decoded, so every frame has its time and its place in presentation order.
That holds only where one packet is one shown frame: other files are named with the reason.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from av.packet import Packet
from av.stream import Discard

from corridor_cli.media.clock import Clock
from corridor_cli.media.container import OpenVideo, open_video
from corridor_cli.media.damage import Damage
from corridor_cli.media.decoding import SCATTERED, demux_packets, is_scattered
from corridor_cli.media.suspects import Gop, Suspect
from corridor_cli.records import VideoInfo

# Formats with a timestamp and a keyframe flag for each frame. MPEG-TS, FLV, AVI, raw streams have not both.
CONTAINERS = frozenset({"mov", "matroska"})
# One packet, one shown frame. Not VP8 and VP9, whose packets may hold pictures that are never shown.
CODECS = frozenset({"h264", "hevc", "av1", "mpeg4"})
# With fewer frames to a keyframe little would be saved.
MIN_FRAMES_PER_KEYFRAME = 8
# x264 writes its settings into the first packet: after so many frames comes a keyframe, scene or not.
X264_KEYINT = re.compile(rb"x264 - core.{0,2000}? keyint=(\d+) ", re.DOTALL)
BEAT_PACKETS = 500


@dataclass(frozen=True, slots=True)
class Keyframe:
    """A keyframe's place, and the packets before the next one at which another scene may begin."""

    index: int
    pts: int
    suspects: tuple[Suspect, ...] = ()


@dataclass(frozen=True, slots=True)
class PacketIndex:
    """The frames of a video by their packets. `pts` ascends; a frame's index is its place in it."""

    pts: array[int]
    keyframes: tuple[Keyframe, ...]
    time_base: Fraction
    end: Fraction
    is_variable_frame_rate: bool | None
    keyint: int | None

    @property
    def longest_gop(self) -> int:
        """Frames from one keyframe to the next, at most: as the encoder was told, or as was seen."""
        seen = max(after.index - before.index for before, after in pairwise(self.keyframes))
        return max(seen, self.keyint or 0)

    def index_of(self, pts: int) -> int | None:
        """The index of the frame with this timestamp; None when no packet has it."""
        place = bisect_left(self.pts, pts)
        return place if place < len(self.pts) and self.pts[place] == pts else None

    def time_of(self, index: int) -> Fraction:
        """Seconds since the first frame."""
        return Fraction(self.pts[index] - self.pts[0]) * self.time_base


def index_packets(path: Path, info: VideoInfo, on_beat: Callable[[], None]) -> PacketIndex | str:
    """The index, or why the file is better scanned in full. `on_beat` is called now and then.

    Raises `MediaError` kinds when the file cannot be opened.
    """
    if not CONTAINERS & set(info.container.split(",")):
        return f"{info.container} files do not give each frame its time and keyframe flag"
    if info.video_codec not in CODECS:
        return f"a packet of {info.video_codec} need not be one shown frame"
    video = open_video(path, num_threads=1)
    try:
        for stream in video.container.streams:
            if stream.index != video.stream.index:
                stream.discard = Discard.all
        packets = _Packets(_length_bytes(video))
        damage = Damage()
        for number, packet in enumerate(demux_packets(video, damage)):
            if packet is not None and not packets.take(packet):
                return "it has packets without a timestamp, or damaged ones"
            if number % BEAT_PACKETS == 0:
                on_beat()
        if damage.read_error:
            return f"its packets cannot be read to the end ({damage.read_error})"
        return packets.index(video.time_base, info.frame_rate)
    finally:
        video.container.close()


def _length_bytes(video: OpenVideo) -> int | None:
    """Bytes of the length before each NAL unit, by an H.264 file's configuration record; else None."""
    record = video.stream.codec_context.extradata
    if video.stream.codec_context.name != "h264" or record is None or len(record) < 5 or record[0] != 1:
        return None
    return (record[4] & 3) + 1


class _Packets:
    """Collects packets in the order of the file."""

    def __init__(self, length_bytes: int | None) -> None:
        self._length_bytes = length_bytes
        self._pts = array("q")
        self._last: tuple[int, int] = (0, 0)  # the greatest timestamp, and how long that frame lasts
        self._gops: list[Gop] = []
        self._keyint: int | None = None

    def take(self, packet: Packet[Any]) -> bool:
        """False when nothing can be built on this file."""
        if packet.pts is None or packet.is_corrupt:
            return False
        if packet.is_discard:
            return True  # an edit list cuts it away: it is decoded, and never shown
        self._pts.append(packet.pts)
        self._last = max(self._last, (packet.pts, packet.duration or 0))
        if packet.is_keyframe:
            if not self._gops and (told := X264_KEYINT.search(bytes(packet)[:4096])):
                self._keyint = int(told[1])
            self._gops.append(Gop(packet.pts, packet.size, self._length_bytes))
        elif self._gops:
            self._gops[-1].take(packet)
        return True

    def index(self, time_base: Fraction, frame_rate: Fraction | None) -> PacketIndex | str:
        """The finished index, or what speaks against using it."""
        num_frames, num_keys = len(self._pts), len(self._gops)
        if num_keys < 2:
            return f"{num_keys} of its {num_frames} frames is marked as a keyframe"
        if num_frames < MIN_FRAMES_PER_KEYFRAME * num_keys:
            return f"{num_keys} of its {num_frames} frames are keyframes, so little would be saved"
        pts = array("q", sorted(self._pts))
        if any(a == b for a, b in pairwise(pts)):
            return "some of its frames have the same timestamp"
        if is_scattered(self._pts, time_base):
            return SCATTERED
        if self._gops[0].pts != pts[0]:
            return "its first frame is no keyframe"
        clock = Clock(time_base, frame_rate)
        for number, stamp in enumerate(pts, start=1):
            clock.place(stamp, self._last[1] if number == num_frames else 0)
        keyframes = tuple(self._keyframes(pts, time_base))
        return PacketIndex(pts, keyframes, time_base, clock.end(None), clock.is_variable(0), self._keyint)

    def _keyframes(self, pts: array[int], time_base: Fraction) -> list[Keyframe]:
        found = []
        for gop, after in zip(self._gops, [*self._gops[1:], self._gops[-1]], strict=True):
            suspects = gop.suspects(after.size, time_base, pts)
            found.append(Keyframe(bisect_left(pts, gop.pts), gop.pts, suspects))
        return sorted(found, key=lambda keyframe: keyframe.index)
