"""Packets between two keyframes at which another scene may begin, by what is known without decoding.

Three kinds. A packet nearly as large as the keyframes around it holds a picture of its own: an encoder sets
no keyframe soon after another, whatever begins. A packet of H.264 with nothing but intra slices is such a
picture, and decodes alone to the last bit. And where packets shrink to nothing and stay so, pictures of one
colour may have begun: x264 predicts these from any others with a weight of 0, and sees no new scene in them.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from av.packet import Packet

# A packet this large beside the keyframes around it, and beside the usual ones of its own stretch, holds a
# picture of its own. It costs little to look soon after a keyframe; later ones must also stand out from the
# other large packets of their stretch, or they are what motion costs.
INTRA_SHARE = 0.5
INTRA_TIMES_MEAN = 4.0
SOON_SECONDS = 1
SOON_SHARE = 0.33
SOON_TIMES_MEAN = 3.6
STANDS_OUT = 2.0
NUM_LARGEST = 4
# Packets are quiet below this share of those before; so many of them together are no chance.
QUIET_SHARE = 0.1
NUM_QUIET = 8
NUM_LOUD = 4
# So many packets before the first quiet one hold the picture that later ones repeat, and what the B-frames
# around it refer to; B-frames that are shown before a quiet one follow it.
NUM_LEADING = 10
NUM_FOLLOWING = 3
# Of recorded screens, which move now and then, the last ones in a stretch will do.
MAX_QUIET_RUNS = 2

_SLICE, _IDR_SLICE = 1, 5
_I_SLICE = 2


@dataclass(frozen=True, slots=True)
class Suspect:
    """A packet at which a scene may begin. `is_intra`: it needs no other one to be decoded exactly.

    `around` are the timestamps of a quiet packet's neighbours in the file, among which the change must be.
    """

    index: int
    pts: int
    is_intra: bool
    around: tuple[int, ...] = ()


@dataclass(slots=True)
class Gop:
    """A keyframe's packet and those that follow it in the file, up to the next.

    `length_bytes` is what precedes each NAL unit of H.264 in MP4 and Matroska; None for other codecs.
    """

    pts: int
    size: int
    length_bytes: int | None
    # (size, pts, is_intra), the largest first
    _largest: list[tuple[int, int, bool]] = field(default_factory=list)
    _loud: int = 0
    _num_loud: int = 0
    _recent: list[int] = field(default_factory=list)
    _num_quiet: int = 0  # in the run that goes on
    _quiet_from: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def take(self, packet: Packet[Any]) -> None:
        """The next packet in the order of the file; it has a timestamp."""
        size, pts = packet.size, packet.pts
        assert pts is not None
        if len(self._largest) < NUM_LARGEST or size > self._largest[-1][0]:
            is_intra = self.length_bytes is not None and is_intra_only(memoryview(packet), self.length_bytes)
            self._largest = sorted([*self._largest, (size, pts, is_intra)], reverse=True)[:NUM_LARGEST]
        self._recent = [*self._recent, pts][-NUM_LEADING - NUM_QUIET :]
        # Of other codecs nothing is glanced at, and a run of quiet packets would have to be decoded to.
        if (
            self.length_bytes is None
            or self._num_loud < NUM_LOUD
            or size * self._num_loud >= QUIET_SHARE * self._loud
        ):
            self._loud += size
            self._num_loud += 1
            self._num_quiet = 0
        else:
            self._num_quiet += 1
            if self._num_quiet == NUM_QUIET:
                leading, run = self._recent[:-NUM_QUIET], self._recent[-NUM_QUIET:]
                if len(self._quiet_from) == MAX_QUIET_RUNS:
                    del self._quiet_from[next(iter(self._quiet_from))]
                self._quiet_from[run[0]] = (*leading, *run[1 : NUM_FOLLOWING + 1])

    def suspects(self, next_size: int, time_base: Fraction, pts: array[int]) -> tuple[Suspect, ...]:
        """Ascending. `next_size` is that of the next keyframe's packet; `pts` has all frames, ascending."""
        keyframe, mean = min(self.size, next_size), self._loud / max(self._num_loud, 1)
        usual = self._largest[-1][0] if len(self._largest) == NUM_LARGEST else 0
        soon = max(SOON_SHARE * keyframe, SOON_TIMES_MEAN * mean)
        later = max(INTRA_SHARE * keyframe, INTRA_TIMES_MEAN * mean, STANDS_OUT * usual)
        found = {
            stamp: is_intra
            for size, stamp, is_intra in self._largest
            if is_intra or size >= (soon if (stamp - self.pts) * time_base <= SOON_SECONDS else later)
        }
        return tuple(
            Suspect(bisect_left(pts, stamp), stamp, found.get(stamp, False), self._quiet_from.get(stamp, ()))
            for stamp in sorted({*found, *self._quiet_from})
        )


def is_intra_only(packet: memoryview, length_bytes: int) -> bool:
    """Whether all slices of an H.264 packet are I slices (ITU-T H.264, 7.3.1 to 7.3.3 and table 7-6)."""
    at, kinds = 0, set()
    while at + length_bytes < len(packet):
        length = int.from_bytes(packet[at : at + length_bytes], "big")
        at += length_bytes
        if packet[at] & 31 in (_SLICE, _IDR_SLICE):
            kinds.add(_slice_kind(bytes(packet[at + 1 : at + 12])))
        at += length
    return kinds == {_I_SLICE}


def _slice_kind(header: bytes) -> int:
    """The second of the exponential-Golomb numbers at the start of a slice; the first is its place."""
    bits = f"{int.from_bytes(header, 'big'):0{8 * len(header)}b}"
    at = kind = 0
    for _ in range(2):
        num_zeros = bits.find("1", at) - at
        if num_zeros < 0:
            return -1
        kind = int(bits[at + num_zeros : at + 2 * num_zeros + 1], 2) - 1
        at += 2 * num_zeros + 1
    return kind % 5
