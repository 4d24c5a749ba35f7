"""What a keyframe scan decodes: single keyframes with glances behind them, and stretches."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from typing import Any

from av.packet import Packet
from av.video.frame import VideoFrame

from corridor_cli.errors import DecodeError
from corridor_cli.media.container import AV_ERRORS, OpenVideo
from corridor_cli.media.damage import Damage
from corridor_cli.media.decoding import decode_frames
from corridor_cli.media.packet_index import Keyframe, PacketIndex
from corridor_cli.media.suspects import Suspect

# The first packets around a quiet one are there for others to refer to.
NUM_REFERRED_TO = 5


class KeyframeDecoder:
    """Decodes single keyframes, each as after a seek: what lies between is not even read."""

    def __init__(self, video: OpenVideo) -> None:
        self._video = video
        # After a gap H.264 takes the picture before for those that are missing. Other codecs' decoders may
        # refuse, and AV1 carries its probabilities from picture to picture.
        self._can_glance = video.stream.codec_context.name == "h264"

    def pictures(self, key: Keyframe) -> Generator[VideoFrame]:
        """The keyframe's picture, and glances at its suspects and what is around them, in any order. None is
        promised.

        A glance is what the packet gives when it is decoded as though it followed the keyframe: where it
        refers to what lies between, it shows the keyframe instead; an intra picture is exact.
        """
        container, context = self._video.container, self._video.stream.codec_context
        suspects = key.suspects if self._can_glance else ()
        with suppress(StopIteration, *AV_ERRORS):
            container.seek(key.pts, stream=self._video.stream)
            packets: Any = container.demux(self._video.stream)
            try:
                packet = next(packet for packet in packets if packet.size and packet.is_keyframe)
                if packet.pts != key.pts:
                    return
                frames = context.decode(packet)
                yield from frames
                if suspects:
                    yield from self._glances(packets, suspects)
            finally:
                packets.close()
            if suspects or not frames:
                yield from context.decode(None)
            context.flush_buffers()

    def _glances(self, packets: Any, suspects: tuple[Suspect, ...]) -> Generator[VideoFrame]:
        context = self._video.stream.codec_context
        first = {pts for suspect in suspects for pts in suspect.around[:NUM_REFERRED_TO]}
        missing = first | {pts for suspect in suspects for pts in (*suspect.around, suspect.pts)}
        for packet in packets:
            if packet.pts in missing:
                missing.remove(packet.pts)
                context.skip_frame = "NONREF" if packet.pts in first else "DEFAULT"
                # One that refers to too much of what is missing may be refused.
                with suppress(*AV_ERRORS):
                    yield from context.decode(packet)
            if not missing:
                break
        context.skip_frame = "DEFAULT"

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._video.container.close()


class StretchDecoder:
    """Decodes on from a keyframe; one stretch goes on where the one before it ended."""

    def __init__(self, video: OpenVideo, index: PacketIndex, damage: Damage) -> None:
        self._video = video
        self._index = index
        self._damage = damage
        self._frames = decode_frames(video, damage)
        self._at = -1  # the index of the frame given last
        self._is_wound = False
        self._all_from = 0  # frames before this timestamp come only where others refer to them

    def frames_after(
        self, index: int, key: Keyframe, all_from: int | None = None
    ) -> Generator[tuple[int, VideoFrame]]:
        """(index, frame) of the frames behind `index`; `key` is the keyframe to begin at.

        All of them from the frame `all_from` on; before it only those which others refer to, half of them
        or fewer.
        """
        if index + 1 == len(self._index.pts):
            return
        all_from_pts = self._index.pts[index + 1 if all_from is None else max(all_from, 0)]
        if not self._is_wound or self._at != index or self._all_from > all_from_pts:
            self._wind(key)
        self._all_from = all_from_pts
        for frame in self._frames:
            place = None if frame.pts is None else self._index.index_of(frame.pts)
            if place is None:
                # Leading pictures of an open GOP may come out after a seek; nothing else is unannounced.
                if frame.pts is not None and frame.pts < key.pts:
                    continue
                raise DecodeError(
                    "its frames are not those its packets announce",
                    hint="Scan it in full: --set scenes.scan=full.",
                )
            if place > index:
                index = self._at = place
                self._damage.note_frame(self._index.time_of(place), is_corrupt=frame.is_corrupt)
                yield place, frame

    def _wind(self, key: Keyframe) -> None:
        self._frames.close()
        self._video.container.seek(key.pts, stream=self._video.stream)
        self._video.stream.codec_context.flush_buffers()
        self._frames = decode_frames(self._video, self._damage, self._choose)
        self._is_wound = True

    def _choose(self, packet: Packet[Any]) -> None:
        if self._video.stream.codec_context.name != "h264":
            return  # dav1d would go by the first packet for good
        is_passed = packet.pts is not None and packet.pts < self._all_from
        self._video.stream.codec_context.skip_frame = "NONREF" if is_passed else "DEFAULT"

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._frames.close()
        self._video.container.close()
