"""Packets → frames with PyAV, forwards over damage, and to a timestamp by seeking."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame

from corridor_cli.errors import DecodeError
from corridor_cli.media.clock import DISCONTINUITY_SECONDS, NEAR_INTERVALS, Clock
from corridor_cli.media.container import AV_ERRORS, OpenVideo, open_video, reason_of, refusal_of
from corridor_cli.media.damage import MAX_REORDERED, Damage, stated_end
from corridor_cli.printable import printable

# A read error is tried again (one bad block of a disk, one bad atom); so many in a row are the end.
MAX_READ_ERRORS = 8
# Decoding on is cheaper than a seek while the wanted frame is this close.
NEAR_SECONDS = 1
SCATTERED = "some of its timestamps are far from those around them"
# How far before a wanted frame to look for a keyframe, one try after the other.
SEEK_MARGINS_SECONDS = (0, 2, 10)


def decode_frames(
    video: OpenVideo, damage: Damage, before_each: Callable[[Packet[Any]], None] | None = None
) -> Generator[VideoFrame]:
    """Frames of the stream from where the file stands; bad packets are skipped and counted.

    `before_each` is given each packet that is going to be decoded.
    """
    stream = video.stream
    start = stream.start_time or 0
    for packet in demux_packets(video, damage):
        if before_each is not None and packet is not None:
            before_each(packet)
        try:
            frames = stream.codec_context.decode(packet)
        except AV_ERRORS as error:
            stamp = start if packet is None else _first_known(packet.pts, packet.dts, start)
            reason = refusal_of(video, error) or reason_of(error)
            damage.note_bad_packet(Fraction((stamp - start) * video.time_base), reason)
            continue
        for frame in frames:
            damage.num_bad_since_frame = 0
            yield frame


def _first_known(*stamps: int | None) -> int:
    return next(stamp for stamp in stamps if stamp is not None)


def demux_packets(video: OpenVideo, damage: Damage) -> Generator[Packet[Any] | None]:
    """Packets of the video stream, then None, which empties the decoder.

    Other streams' packets are looked at only for where they end.
    """
    num_errors = 0
    while num_errors < MAX_READ_ERRORS:
        packets: Any = video.container.demux()
        try:
            for packet in packets:
                num_errors = 0
                if packet.size == 0:
                    continue  # PyAV's own end mark, one for each stream
                if packet.stream_index == video.stream.index:
                    damage.note_packet(packet)
                    yield packet
                elif packet.pts is not None and packet.time_base:
                    end = Fraction((packet.pts + (packet.duration or 0)) * packet.time_base)
                    damage.last_other_end = max(damage.last_other_end, end)
            break
        except IndexError:
            break  # PyAV's end marks, for a stream that damage made up in mid-file; all packets were read
        except AV_ERRORS as error:
            num_errors += 1
            damage.read_error = reason_of(error)
        finally:
            packets.close()
    if num_errors < MAX_READ_ERRORS:
        damage.read_error = ""
    yield None


class Tape:
    """A video that is wound to timestamps, ascending; `on_beat` is called for each packet on the way."""

    def __init__(self, video: OpenVideo, on_beat: Callable[[], None] = lambda: None) -> None:
        self._video = video
        self._on_beat = on_beat
        self._frames = self._play()
        self._held: VideoFrame | None = None
        # From where a seek landed to the frame wanted, in ticks: playing on as far costs no more than another
        # seek may. Without it every pick of a long GOP was reached from the GOP's beginning.
        self._longest_way = NEAR_SECONDS / video.time_base

    def first_pts(self) -> int | None:
        """The timestamp that is time 0."""
        self._held = next(self._frames, None)
        return None if self._held is None else self._held.pts

    def find(self, pts: int) -> VideoFrame | None:
        """The frame with exactly this timestamp, or None when no way of seeking leads to it."""
        held = None if self._held is None else self._held.pts
        if held is not None and 0 <= pts - held <= self._longest_way:
            frame = self._play_to(pts)
            if frame is not None:
                return frame
        for margin in SEEK_MARGINS_SECONDS:
            if self._wind(pts - round(margin / self._video.time_base)):
                frame = self._play_to(pts)
                if frame is not None:
                    return frame
        return None

    def _wind(self, pts: int) -> bool:
        """Stand at the keyframe before `pts`; False where the container cannot seek there."""
        self._frames.close()
        try:
            self._video.container.seek(pts, stream=self._video.stream)
        except AV_ERRORS:
            return False
        self._frames = self._play()
        self._held = next(self._frames, None)
        if self._held is not None and self._held.pts is not None:
            self._longest_way = max(self._longest_way, Fraction(pts - self._held.pts))
        return True

    def _play(self) -> Generator[VideoFrame]:
        return decode_frames(self._video, Damage(), lambda _: self._on_beat())

    def _play_to(self, pts: int) -> VideoFrame | None:
        """Decode up to `pts`. A patched-up frame is no match: its references may lie before the seek."""
        while True:
            if self._held is None:
                self._held = next(self._frames, None)
            if self._held is None or self._held.pts is None or self._held.pts > pts:
                return None
            if self._held.pts == pts:
                return None if self._held.is_corrupt else self._held
            self._held = None

    def close(self) -> None:
        """Let go of the file's packets."""
        self._frames.close()


@dataclass(frozen=True, slots=True)
class PacketTimes:
    """Timestamps of a video stream's packets in presentation order, with their durations, in ticks."""

    starts: tuple[int, ...]
    durations: tuple[int, ...]
    time_base: Fraction


def packet_times(path: Path) -> PacketTimes:
    """Read all packets, decode none.

    Raises `DecodeError` when one has no timestamp or a stray one, or cannot be read, or when they end before
    the header says, which FFmpeg alone would pass over (a WebM cut short).
    """
    video = open_video(path, num_threads=1)
    damage = Damage()
    try:
        spans = [
            (p.pts, p.duration or 0)
            for p in demux_packets(video, damage)
            if p is not None and not p.is_discard
        ]
        known = sorted((pts, duration) for pts, duration in spans if pts is not None)
        reason = "packets without a timestamp" if len(known) < len(spans) or not known else ""
        if not reason and is_scattered([pts for pts, _ in spans if pts is not None], video.time_base):
            reason = SCATTERED
        reason = damage.read_error or reason or _lost_tail(video, damage, known)
    finally:
        video.container.close()
    if reason:
        raise DecodeError(f"{printable(path)}: its index cannot be relied on ({reason})")
    return PacketTimes(tuple(p for p, _ in known), tuple(d for _, d in known), video.time_base)


def is_scattered(pts: Sequence[int], time_base: Fraction) -> bool:
    """Whether a frame is shown, by its timestamp, further from its place in the file than reordering goes.

    Such a stamp is a stray one: in order of time its frame would stand where no decoder gives it. A frame
    that is as far in time from those it passes as a scan calls a leap (`Clock.leaps`), be it a stray one near
    the end or one behind a picture that stands still, may pass no more than others of the file do.
    """
    if len(pts) < 2:
        return False
    stamps = np.asarray(pts, np.int64)
    order = np.argsort(stamps, kind="stable")
    moved = np.empty_like(order)
    moved[order] = np.abs(order - np.arange(len(order)))
    usual = int(np.median(np.diff(stamps[order])))
    leap = int(DISCONTINUITY_SECONDS / time_base)
    rises = np.maximum.accumulate(stamps) - stamps
    drops = stamps - np.minimum.accumulate(stamps[::-1])[::-1]
    is_far = (rises > leap) | (drops + 2 * usual > max(leap, NEAR_INTERVALS * usual))
    most = moved[~is_far].max(initial=0)
    if MAX_REORDERED * usual > leap:
        # All that is reordered may be far: then what one frame in twenty does is no accident.
        most = max(most, np.percentile(moved, 95, method="lower"))
    return bool((moved > np.where(is_far, min(most, MAX_REORDERED), MAX_REORDERED)).any())


def _lost_tail(video: OpenVideo, damage: Damage, spans: list[tuple[int, int]]) -> str:
    stated = stated_end(video.container, video.stream, spans[0][0])
    clock = Clock(video.time_base, None)
    for pts, duration in spans:
        clock.place(pts, duration)
    return damage.lost_tail(clock, clock.end(None), stated)
