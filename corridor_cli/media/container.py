"""Open a media file with FFmpeg, and nothing else: local files only, video containers only.

FFmpeg would also follow playlists, concat scripts, device names and URLs; the allow-lists keep them out.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
from av.container import InputContainer
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from corridor_cli.errors import (
    DamagedError,
    MediaError,
    NotVideoError,
    NoVideoStreamError,
    UnknownCodecError,
    UnreadableError,
)
from corridor_cli.media.limits import MAX_THREADS, OUT_OF_MEMORY, THREADS_BYTES, TOO_LARGE, can_allocate
from corridor_cli.media.readable import disk_problem, read_head
from corridor_cli.printable import printable

# FFmpeg's own logging can deadlock with the GIL and frame threads (PyAV 751); errors arrive as exceptions.
av.logging.set_level(None)

# What PyAV raises on damaged data; ValueError also for a packet of a codec it has no decoder for.
AV_ERRORS = (av.error.FFmpegError, ValueError)

# Demuxers that read one self-contained file. Left out on purpose: hls, dash, concat, image2, sdp, rtsp, tty …
DEMUXERS = (
    "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,flv,asf,ogg,mxf,ivf,obu,nut,gif,apng,dv,rm"
)

_MAX_BLOCK_PX = 256
_PICTURE_BYTES_PER_PIXEL = 4  # with the decoder's own tables beside it

THREADED_CODECS = frozenset({"h264", "hevc", "vp9", "av1"})
"""In 1,250 damaged files of each several threads told what one tells (see `frame_pass`). VP8's came out
otherwise in 6 of some 200, MPEG-2's and MPEG-4's in 4 and 1 of 1,250.
"""

# FFmpeg's own, for a stream that names none.
DEFAULT_TIME_BASE = Fraction(1, 90_000)

# Openings of text files that FFmpeg or a player would follow to other files.
SCRIPTS = {
    b"#EXTM3U": "an HLS playlist",
    b"ffconcat": "a concat script",
    b"<?xml": "an XML file",
    b"v=0": "a session description",
}


# How files of a video container begin: where, the bytes, what it is called.
MARKS = (
    *((4, mark, "MP4 or MOV") for mark in (b"ftyp", b"moov", b"mdat", b"wide", b"moof", b"free", b"skip")),
    (0, b"\x1a\x45\xdf\xa3", "Matroska or WebM"),
    (8, b"AVI ", "AVI"),
    (0, b"FLV\x01", "FLV"),
    (0, b"OggS", "Ogg"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMV or ASF"),
    (0, b"\x00\x00\x01\xba", "MPEG-PS"),
    (0, b"\x06\x0e\x2b\x34", "MXF"),
)


@dataclass(slots=True)
class OpenVideo:
    """An open file and the stream that is its video.

    `max_pixels` is the bound its decoder was given, `has_size` whether the header states a size of pictures.
    By more than one of `num_threads` damage is an error, and not patched up.
    """

    container: InputContainer
    stream: VideoStream
    time_base: Fraction
    max_pixels: int | None = None
    has_size: bool = True
    num_threads: int = 1


def open_video(path: Path, *, num_threads: int, max_pixels: int | None = None) -> OpenVideo:
    """Open `path` and choose its video stream; `max_pixels` bounds what its decoder allocates for a picture.
    It decodes by up to `num_threads` where its codec allows it.

    Raises `UnreadableError`, `NotVideoError`, `DamagedError`, `NoVideoStreamError`, `UnknownCodecError`.
    """
    container = _open_container(path)
    try:
        stream = _choose_stream(path, container)
        context = stream.codec_context
        is_threaded = context.codec.canonical_name in THREADED_CODECS
        num_threads = min(num_threads, _max_threads(context)) if is_threaded else 1
        context.thread_count = num_threads
        options = {}
        if num_threads > 1:
            context.thread_type = "AUTO"
            options["err_detect"] = "explode"
        if max_pixels is not None:
            # FFmpeg counts coded sizes, rounded up to whole blocks; and a picture that is somewhat too large
            # should come out, so that its size can be told.
            max_pixels = 2 * max_pixels + _MAX_BLOCK_PX**2
            options["max_pixels"] = str(max_pixels)
        context.options = options
    except BaseException:
        container.close()
        raise
    has_size = context.width > 0
    time_base = stream.time_base or DEFAULT_TIME_BASE
    return OpenVideo(container, stream, time_base, max_pixels, has_size, num_threads)


def _max_threads(context: VideoCodecContext) -> int:
    """Each thread holds a picture more."""
    picture_bytes = _PICTURE_BYTES_PER_PIXEL * context.width * context.height
    return max(1, min(MAX_THREADS, THREADS_BYTES // max(1, picture_bytes)))


def _open_container(path: Path) -> InputContainer:
    head = read_head(path)
    for opening, kind in SCRIPTS.items():
        if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(opening):
            raise NotVideoError(
                f"{printable(path)}: is {kind}, not a video; only self-contained video files are read",
                hint="Name the video file itself.",
            )
    try:
        # An absolute path behind `file:` is never taken for a protocol, whatever the name looks like.
        container: InputContainer = av.open(
            "file:" + str(path.absolute()),
            metadata_errors="replace",
            container_options={"protocol_whitelist": "file", "format_whitelist": DEMUXERS},
        )
        return container
    except AV_ERRORS as error:
        raise _cannot_open(path, head, error) from error


def _cannot_open(path: Path, head: bytes, error: Exception) -> MediaError:
    if isinstance(error, OSError) and not isinstance(error, (av.error.EOFError, MemoryError)):
        # FFmpeg also says so of damage that its Matroska reader cannot get over: the disk is asked.
        problem = disk_problem(path)
        if problem is not None or error.errno != errno.EIO:
            return problem or UnreadableError(
                f"{printable(path)}: cannot be read ({reason_of(error)})", hint="Check the disk."
            )
    kind = next((kind for place, mark, kind in MARKS if head[place:].startswith(mark)), None)
    if kind is not None:
        reason = "" if isinstance(error, OSError) else f" ({reason_of(error)})"
        return DamagedError(
            f"{printable(path)}: begins as {kind}, but its header or index is missing or damaged{reason}; "
            "no frame can be read",
            hint="The file is cut short or damaged; copy or record it again.",
        )
    return NotVideoError(
        f"{printable(path)}: is not a video file that can be opened ({reason_of(error)})",
        hint="Readable: MP4/MOV, MKV/WebM, AVI, MPEG-TS/PS, FLV, WMV, OGV, MXF.",
    )


def reason_of(error: Exception) -> str:
    """FFmpeg's words without its numbers and file names."""
    if isinstance(error, MemoryError):
        return "it asks for more memory than can be had"
    return str(getattr(error, "strerror", None) or error).strip().rstrip(".").lower()


def refusal_of(video: OpenVideo, error: Exception) -> str:
    """One of `limits.OWN_REASONS` when the decoder refused a packet for one of our limits, else ""."""
    context = video.stream.codec_context
    num_pixels = context.width * context.height
    # H.264 and HEVC keep the size they refuse, others forget theirs; dav1d alone says what is the matter.
    if (video.has_size and not num_pixels) or getattr(error, "errno", 0) == errno.ERANGE:
        return TOO_LARGE
    if video.max_pixels is not None and num_pixels > video.max_pixels:
        return TOO_LARGE
    # Some decoders call it invalid data when a picture's memory cannot be had.
    return "" if can_allocate(_PICTURE_BYTES_PER_PIXEL * num_pixels) else OUT_OF_MEMORY


def _choose_stream(path: Path, container: InputContainer) -> VideoStream:
    """FFmpeg's best video stream; a cover picture is not a video."""
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
        kinds = (
            sorted({s.type for s in container.streams}) if stream is None else ["a cover picture and audio"]
        )
        holds = " and ".join(kinds) or "no stream at all"
        raise NoVideoStreamError(
            f"{printable(path)}: has no video stream (it holds {holds})",
            hint="Leave it out with --exclude."
            if kinds
            else "It is empty or damaged: copy or record it again.",
        )
    if stream.codec_context is None:
        raise UnknownCodecError(
            f"{printable(path)}: there is no decoder for its video stream; no frame can be read",
            hint="If it plays elsewhere, convert it to H.264, HEVC, VP9 or AV1; else it is damaged.",
        )
    return stream
