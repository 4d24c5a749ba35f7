"""What went wrong in a scan, and whether the end of the video was reached.

FFmpeg often ends a cut file without an error (WebM, fast-start MP4), so the header's word on the end counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Any

from av.packet import Packet

from corridor_cli.media.clock import Clock

# Containers that state a length when the file is written; the others' is estimated from what is there.
STATES_LENGTH = frozenset({"mov", "matroska", "avi", "flv", "asf"})
MIN_MISSING_SECONDS = Fraction(1, 2)
# This many undecodable packets behind the last frame are a lost tail even where no header states a length.
MIN_LOST_PACKETS = 5
# So many frames may be decoded before one that is shown earlier: H.264 and HEVC allow no more.
MAX_REORDERED = 16
# A picture that is lost at the beginning lasted no longer.
MAX_LOST_INTERVAL_SECONDS = 1
# Packets noted until a frame is out, which of some files none ever is.
MAX_FIRST = 4096


@dataclass(frozen=True, slots=True)
class StatedEnd:
    """The end of the video by its header, on the video's own axis.

    `is_of_video` is False when it is the whole file's: then sound may just be longer than pictures.
    """

    seconds: Fraction
    is_of_video: bool


def stated_end(container: Any, stream: Any, first_pts: int | None) -> StatedEnd | None:
    """What the header says, or None where it says nothing that can be relied on."""
    if not STATES_LENGTH.intersection(container.format.name.split(",")):
        return None
    if container.format.name == "avi" and stream.frames:
        # FFmpeg shortens an AVI's duration by the share of the file that is missing, but not the count.
        return StatedEnd(Fraction(stream.frames * stream.time_base), is_of_video=True)
    if stream.duration and stream.duration > 0:
        return StatedEnd(Fraction(stream.duration * stream.time_base), is_of_video=True)
    # Matroska counts from the file's zero, not from its first frame; its muxers add a tag for each stream.
    first = Fraction((first_pts or 0) * stream.time_base)
    tagged = _parse_clock(stream.metadata.get("DURATION", ""))
    if tagged:
        return StatedEnd(tagged - first, is_of_video=True)
    if container.duration and container.duration > 0:
        return StatedEnd(Fraction(container.duration, 1_000_000) - first, is_of_video=False)
    return None


def _parse_clock(text: str) -> Fraction | None:
    parts = text.strip().split(":")
    try:
        hours, minutes, seconds = (Fraction(p) for p in parts)
    except (ValueError, ZeroDivisionError):
        return None
    return hours * 3600 + minutes * 60 + seconds


@dataclass(slots=True)
class Damage:
    """Counts of one scan."""

    num_packets: int = 0
    num_hidden: int = 0  # by an edit list
    num_bad_packets: int = 0
    num_bad_since_frame: int = 0  # since one left the decoder, whoever holds it
    num_concealed: int = 0
    first_bad: Fraction | None = None
    first_concealed: Fraction | None = None
    last_other_end: Fraction = Fraction(0)
    last_reason: str = ""
    read_error: str = ""
    num_before_key: int = 0  # packets before the first keyframe
    is_key_met: bool = False
    first_pts: list[int] = field(default_factory=list)  # of the packets read until the first frame is out
    is_begun: bool = False  # it is

    def reset(self) -> None:
        """The file is decoded from its beginning once more: nothing is known."""
        for each in fields(self):
            setattr(self, each.name, getattr(Damage(), each.name))

    def note_packet(self, packet: Packet[Any]) -> None:
        """A packet of the video was read."""
        self.num_packets += 1
        self.num_hidden += packet.is_discard
        if self.is_begun or packet.is_discard:
            return
        self.num_before_key += not (packet.is_keyframe or self.is_key_met)
        self.is_key_met |= packet.is_keyframe
        if packet.pts is not None and len(self.first_pts) < MAX_FIRST:
            self.first_pts.append(packet.pts)

    def lost_beginning(self, first_shown: int | None, time_base: Fraction) -> str:
        """What a file cut off at its front has lost, once the first frame is out; "" when nothing is. Some
        streams have no keyframes, and their frames come out all the same."""
        lost = [pts for pts in self.first_pts if first_shown is not None and pts < first_shown]
        num_lost = len(lost) - self.num_bad_packets  # those are told for themselves
        # Behind a keyframe that opens the file a few may be missing, which another cut off before it needs.
        is_cut = self.num_before_key > 0 or num_lost > MAX_REORDERED
        if num_lost <= 0 or first_shown is None or not is_cut or not self.is_key_met:
            return ""
        seconds = float((first_shown - min(lost)) * time_base)
        # More than that, and another recording begins between them, with a time axis of its own.
        span = f" ({seconds:.1f} s)" if seconds <= len(lost) * MAX_LOST_INTERVAL_SECONDS else ""
        pictures = "1 picture" if num_lost == 1 else f"{num_lost} pictures"
        return (
            f"the first {pictures}{span} cannot be decoded: the keyframe before them is cut off;"
            " times count from the first one that can"
        )

    def note_bad_packet(self, time: Fraction, reason: str) -> None:
        """A packet the decoder refused, near `time`."""
        self.num_bad_packets += 1
        self.num_bad_since_frame += 1
        self.last_reason = reason
        self.first_bad = time if self.first_bad is None else self.first_bad

    def note_frame(self, time: Fraction, *, is_corrupt: bool) -> None:
        """A frame came out; a corrupt one was patched up by the decoder."""
        if not self.is_begun:
            self.is_begun, self.first_pts = True, []
        if is_corrupt:
            self.num_concealed += 1
            self.first_concealed = time if self.first_concealed is None else self.first_concealed

    def summaries(self) -> list[str]:
        """One line for each kind of damage that did not end the scan."""
        lines = []
        if self.num_bad_packets:
            noun = "1 packet" if self.num_bad_packets == 1 else f"{self.num_bad_packets} packets"
            near = float(self.first_bad or 0)
            lines.append(f"{noun} could not be decoded, the first near {near:.1f} s ({self.last_reason})")
        if self.num_concealed:
            noun = "1 frame was" if self.num_concealed == 1 else f"{self.num_concealed} frames were"
            near = float(self.first_concealed or 0)
            lines.append(f"{noun} damaged and patched up by the decoder, the first near {near:.1f} s")
        return lines

    def lost_tail(self, clock: Clock, end: Fraction, stated: StatedEnd | None) -> str:
        """Why the pictures end too early, or "" when they do not."""
        if self.read_error:
            return f"reading stopped ({self.read_error})"
        if self.num_bad_since_frame >= MIN_LOST_PACKETS:
            return f"the last {self.num_bad_since_frame} packets could not be decoded ({self.last_reason})"
        if stated is None:
            return ""
        missing = stated.seconds - end
        margin = max(MIN_MISSING_SECONDS, 3 * clock.interval, 2 * clock.max_interval)
        if clock.furthest_stray and abs(stated.seconds - clock.furthest_stray) <= margin:
            return ""  # the header goes by a stray timestamp too
        if not stated.is_of_video:
            # Sound that reaches the stated end shows that the file is whole: the pictures are just shorter.
            missing = min(missing, stated.seconds - self.last_other_end)
            margin = max(margin, stated.seconds / 50)
        return f"the header states {float(stated.seconds):.2f} s" if missing > margin else ""
