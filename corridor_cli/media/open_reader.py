"""Choose the reader for a file, with the reason."""

from __future__ import annotations

from pathlib import Path

from corridor_cli.errors import MediaError
from corridor_cli.media.base import Reader
from corridor_cli.media.limits import require_file
from corridor_cli.media.probe import probe
from corridor_cli.media.pyav_reader import PyavReader
from corridor_cli.records import ReaderChoice, VideoInfo
from corridor_cli.settings import DecodeSettings


def open_reader(
    path: Path, settings: DecodeSettings, *, for_picks: bool, info: VideoInfo | None = None
) -> Reader:
    """The reader that suits the file and the work; `info` saves a probe when it is known.

    Scans go to PyAV, which gets every format right. A few known frames go to decord where it can be relied
    on. `decode.reader` forces one; a forced decord that cannot falls back to PyAV and says so. After decord
    hung and its process was killed, ask again with `decode.reader` set to `pyav`. Raises `MediaError` kinds.
    """
    require_file(path, settings)
    if info is None:
        info = probe(path, max_pixels=settings.max_pixels)
    is_forced = settings.reader == "decord"
    fallbacks: tuple[str, ...] = ()
    if is_forced or (for_picks and settings.reader == "auto"):
        # Only here, so that a process which merely scans never loads decord's own FFmpeg.
        from corridor_cli.media.decord_reader import DecordReader, decord_obstacle

        obstacle = decord_obstacle(path, info, for_picks=for_picks)
        reason = "asked for by decode.reader" if is_forced else "random access to known frames"
        if not obstacle:
            try:
                return DecordReader(path, settings, info, ReaderChoice("decord", reason))
            except MediaError as error:
                obstacle = error.message.partition(": ")[2]
        fallbacks = (f"decord: {obstacle}",)
    return PyavReader(
        path, settings, info, ReaderChoice("pyav", _pyav_reason(settings, for_picks), fallbacks)
    )


def _pyav_reason(settings: DecodeSettings, for_picks: bool) -> str:
    if settings.reader == "pyav":
        return "asked for by decode.reader"
    return "seeks exactly in every format" if for_picks else "scans every format with exact times"
