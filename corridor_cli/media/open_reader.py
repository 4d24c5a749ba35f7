"""Choose the reader for a file, with the reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from corridor_cli.errors import MediaError
from corridor_cli.media.base import Reader
from corridor_cli.media.frame_pass import FramePass
from corridor_cli.media.limits import require_file
from corridor_cli.media.nvdec import prefers_nvdec
from corridor_cli.media.probe import describe, probe
from corridor_cli.media.pyav_reader import PyavReader, begin
from corridor_cli.media.takeover import TakeOver
from corridor_cli.printable import printable
from corridor_cli.records import ReaderChoice, VideoInfo
from corridor_cli.settings import DecodeSettings


def open_reader(
    path: Path,
    settings: DecodeSettings,
    *,
    for_picks: bool,
    info: VideoInfo | None = None,
    num_threads: int = 1,
    on_beat: Callable[[], None] = lambda: None,
) -> Reader:
    """The reader that suits the file and the work; `info` saves a probe when it is known. PyAV scans with
    `num_threads` and `on_beat`: see `begin`.

    On a processor, scans go to PyAV, which gets every format right and is the fastest, and a few known frames
    to decord where it can be relied on. On a machine with an NVIDIA card both go to torchcodec where NVDEC
    was measured to be faster. `decode.reader` forces one; where that cannot, PyAV does it, and the choice
    says why. After a reader hung and its process was killed, ask again with `decode.reader` set to `pyav`.
    Raises `MediaError` kinds.
    """
    require_file(path, settings)
    if for_picks or info is not None:
        info = info or probe(path, max_pixels=settings.max_pixels)
        return _choose(path, settings, info, None, on_beat, for_picks=for_picks)
    begun = begin(path, settings, num_threads, on_beat)
    try:
        reader = _choose(path, settings, describe(begun), begun, on_beat, for_picks=False)
    except BaseException:
        begun.close()
        raise
    if reader.name != "pyav":
        begun.close()
    return reader


def _choose(
    path: Path,
    settings: DecodeSettings,
    info: VideoInfo,
    begun: FramePass | None,
    on_beat: Callable[[], None],
    *,
    for_picks: bool,
) -> Reader:
    candidates, about_nvdec = _candidates(settings, info, for_picks=for_picks)
    fallbacks: list[str] = []
    for name, why in candidates:
        obstacle = _obstacle(name, path, info, for_picks=for_picks)
        if not obstacle:
            try:
                reader = _open(name, path, settings, info, ReaderChoice(name, why, tuple(fallbacks)))
                return reader if for_picks else TakeOver(reader, path, settings, on_beat)
            except MediaError as error:
                obstacle = error.message.removeprefix(f"{printable(path)}: ")
        fallbacks.append(f"{name}: {obstacle}")
    reason = _pyav_reason(settings, for_picks) + (f"; {about_nvdec}" if about_nvdec else "")
    choice = ReaderChoice("pyav", reason, tuple(fallbacks))
    return PyavReader(path, settings, info, choice, begun, on_beat)


def _candidates(
    settings: DecodeSettings, info: VideoInfo, *, for_picks: bool
) -> tuple[list[tuple[str, str]], str]:
    """Readers to try before PyAV, each with its reason; and what there is to say of a card not used."""
    if settings.reader == "pyav":
        return [], ""
    if settings.reader != "auto":
        return [(settings.reader, "asked for by decode.reader")], ""
    is_preferred, why = prefers_nvdec(info, settings.device)
    found = [("torchcodec", why)] if is_preferred else []
    if for_picks:
        found.append(("decord", "random access to known frames"))
    return found, "" if is_preferred else why


def _obstacle(name: str, path: Path, info: VideoInfo, *, for_picks: bool) -> str:
    """Why this reader is not offered for the file, or ""."""
    # Imported only here: decord brings an FFmpeg of its own along, torchcodec even torch.
    if name == "decord":
        from corridor_cli.media.decord_reader import decord_obstacle

        return decord_obstacle(path, info, for_picks=for_picks)
    from corridor_cli.media.torchcodec_reader import torchcodec_obstacle

    return torchcodec_obstacle(info)


def _open(name: str, path: Path, settings: DecodeSettings, info: VideoInfo, choice: ReaderChoice) -> Reader:
    if name == "decord":
        from corridor_cli.media.decord_reader import DecordReader

        return DecordReader(path, settings, info, choice)
    from corridor_cli.media.torchcodec_reader import TorchcodecReader

    return TorchcodecReader(path, settings, info, choice)


def _pyav_reason(settings: DecodeSettings, for_picks: bool) -> str:
    if settings.reader == "pyav":
        return "asked for by decode.reader"
    return "seeks exactly in every format" if for_picks else "scans every format with exact times"
